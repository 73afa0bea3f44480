/** From the text of mezz.yaml (and of manifests) to what it says, checked, or to its mistakes with line, column and what to type instead. */
import { createRequire } from 'node:module';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { type Document, isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { sha256Hex } from '../base/hash.ts';
import type { ManifestFile } from '../base/manifest.ts';
import { MANIFEST_SCHEMA } from '../tools/manifests/schema.ts';
import { buildConfig } from './build.ts';
import type { Config, ConfigProblem, Issue } from './config.ts';
import { LIMITS } from './limits.ts';
import type { RawConfig } from './raw.ts';
import { PLACE_OF_KEY, SCHEMA } from './schema.ts';

export type ReadConfig =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] };

/**
 * Remembers, also across starts, which texts their schema admits: loading and compiling the validator takes longer than all
 * the rest. By digests alone, since settings may hold what is private.
 */
export interface Admitted {
  get(digest: string): boolean | undefined;
  set(digest: string, isAdmitted: boolean): void;
}

type Path = readonly (string | number)[];

const SECRET_NAME = /key|token|secret|passw|credential/i;
const NO_KEYS_HERE =
  'A key is never written in mezz.yaml: write key: { env: NAME } or key: { file: PATH } and keep it there';

const load = createRequire(import.meta.url);
/** One a schema, compiled when it is first needed. */
const validators = new Map<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const known = validators.get(schema);
  if (known) return known;
  const { Ajv2020 } = load('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
  const validate = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(schema);
  validators.set(schema, validate);
  return validate;
}

type Checked =
  | { readonly raw: unknown; readonly locate: (issue: Issue) => ConfigProblem }
  | { readonly problems: readonly ConfigProblem[] };

/** Reads the text of `file`; relative paths in it start at `directory`, `~/` at `home`. */
export function readConfig(
  file: string,
  text: string,
  directory: string,
  home: string,
  admitted?: Admitted,
): ReadConfig {
  const checked = readChecked(file, text, SCHEMA, admitted);
  if ('problems' in checked) return { config: undefined, problems: checked.problems };
  const built = buildConfig(checked.raw as RawConfig, directory, home);
  return built.issues.length > 0
    ? { config: undefined, problems: sorted(built.issues.map(checked.locate)) }
    : { config: built.config, problems: [] };
}

/** What a manifest says, or what is wrong with its text. */
export function readManifest(file: string, text: string): ManifestFile | readonly ConfigProblem[] {
  const checked = readChecked(file, text, MANIFEST_SCHEMA);
  return 'problems' in checked ? checked.problems : (checked.raw as ManifestFile);
}

function readChecked(file: string, text: string, schema: object, admitted?: Admitted): Checked {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const fail = (problems: readonly ConfigProblem[]) => ({ problems: sorted(problems) });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      ...place(error.pos[0]),
      at: '',
      message: `this is not YAML: ${error.message.replace(/\.$/, '')}`,
      remedy: 'Correct the line; settings are written as name: value',
    }));
    return fail(problems);
  }
  const locate = (issue: Issue): ConfigProblem => ({
    ...place(offsetOf(document, issue.at, issue.atName ?? false)),
    at: issue.at.join('.'),
    message: issue.message,
    remedy: issue.remedy,
  });
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: LIMITS.aliases.value }) ?? {};
  } catch {
    return fail([
      locate({ at: [], message: 'it repeats itself by too many aliases', remedy: 'Write the settings out' }),
    ]);
  }
  const digest = admitted && sha256Hex(JSON.stringify([schema, text]));
  if (digest !== undefined && admitted?.get(digest)) return { raw, locate };
  const validate = validatorOf(schema);
  let valid: unknown;
  try {
    valid = validate(raw);
  } catch {
    // Comparing list items, the validator calls these two by their names.
    return fail([
      locate({ at: [], message: 'something is named toString or valueOf', remedy: 'Give it another name' }),
    ]);
  }
  if (!valid) return fail(describe(validate.errors ?? []).map(locate));
  if (digest !== undefined) admitted?.set(digest, true);
  return { raw, locate };
}

const sorted = (problems: readonly ConfigProblem[]): readonly ConfigProblem[] =>
  [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, LIMITS.problems.value);

/** Where the setting at `path` stands in the text: its name, or its value; the nearest parent if it is not there. */
function offsetOf(document: Document, path: Path, atName: boolean): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    let next: Node | null | undefined;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String((key as { value?: unknown }).value) === String(step));
      const key = pair?.key as Node | undefined;
      if (key?.range) offset = key.range[0];
      next = pair?.value as Node | null | undefined;
      if (index === path.length - 1 && atName) return offset;
    } else if (isSeq(node)) next = node.items[Number(step)] as Node | undefined;
    if (!next?.range) return offset;
    node = next;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}

/** One issue a place: the validator's own words are about schemas, these are about settings. */
function describe(errors: readonly ErrorObject[]): Issue[] {
  const choices = errors
    .filter(({ keyword }) => keyword === 'oneOf')
    .map(({ schemaPath }) => `${schemaPath}/`);
  const issues = new Map<string, Issue>();
  for (const error of errors) {
    const inner = error.propertyName !== undefined && error.keyword !== 'propertyNames';
    if (inner || choices.some((choice) => error.schemaPath.startsWith(choice))) continue;
    const issue = describeOne(error);
    const id = issue.at.join('\0');
    if (!issues.has(id)) issues.set(id, issue);
  }
  return [...issues.values()];
}

function describeOne(error: ErrorObject): Issue {
  const at = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const schema = error.parentSchema as SchemaNode;
  if (error.keyword === 'additionalProperties')
    return unknownSetting(at, String(error.params.additionalProperty), schema);
  if (error.keyword === 'required') {
    const name = String(error.params.missingProperty);
    const remedy = `Add ${name}: ${exampleOf(schema.properties?.[name])}`;
    return { at, message: `${name} is missing`, remedy };
  }
  if (error.keyword === 'propertyNames') {
    const names = schema.propertyNames;
    return {
      at: [...at, String(error.params.propertyName)],
      atName: true,
      message: `this name must be ${names?.title}`,
      remedy: 'Write another name',
    };
  }
  const last = at.at(-1);
  if (schema.title === PLACE_OF_KEY)
    return { at, message: `must be ${PLACE_OF_KEY}, not a key`, remedy: NO_KEYS_HERE };
  const name = last === undefined || /^\d+$/.test(last) ? '' : `${last}: `;
  return { at, message: `must be ${schema.title}`, remedy: `Write ${name}${exampleOf(schema)}` };
}

interface SchemaNode {
  readonly title?: string;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly propertyNames?: SchemaNode;
}

function exampleOf(schema: SchemaNode | undefined): string {
  const example = schema?.examples?.[0];
  if (example === undefined) return '...';
  if (typeof example !== 'object') return String(example);
  // As YAML's short form is usually typed.
  return JSON.stringify(example).replaceAll('"', '').replaceAll(/[:,{]/g, '$& ').replaceAll('}', ' }');
}

function unknownSetting(at: Path, name: string, schema: SchemaNode): Issue {
  const known = Object.keys(schema.properties ?? {});
  const near = known.find((one) => isNear(one, name));
  let remedy = near ? `Did you mean ${near}?` : `Known here: ${known.join(', ')}`;
  if (SECRET_NAME.test(name) && near !== 'key' && !known.some((one) => isNear(one, name)))
    remedy = NO_KEYS_HERE;
  return { at: [...at, name], atName: true, message: 'there is no such setting', remedy };
}

/** The same but for case, separators, the order of letters, or one letter more, less or other. */
function isNear(a: string, b: string): boolean {
  const [x, y] = [a, b].map((word) => word.toLowerCase().replaceAll(/[-_]/g, ''));
  if (x === undefined || y === undefined) return false;
  if ([...x].sort().join('') === [...y].sort().join('')) return true;
  if (Math.abs(x.length - y.length) > 1) return false;
  let start = 0;
  while (start < x.length && x[start] === y[start]) start++;
  const rest = (word: string, skip: number) => word.slice(start + skip);
  return rest(x, 1) === rest(y, 1) || rest(x, 0) === rest(y, 1) || rest(x, 1) === rest(y, 0);
}

/**
 * Are a call's arguments what the tool's definition says? Invariant: nothing is fetched, nothing of a definition runs,
 * no check takes longer than its bound, and a definition that cannot be understood lets nothing pass. Compiled when first
 * needed, once for each definition.
 */
import { createContext, Script } from 'node:vm';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { type Refusal, refusal } from '../base/errors.ts';
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';

/** What a tool says its arguments are, by the digest of its definition. */
export interface Definition {
  readonly name: string;
  readonly digest?: string;
  /** Nothing says what may be asked where there is none. */
  readonly definition?: JsonRecord;
}

interface Checked {
  /** What is wrong with an input; `late` where that takes longer than it may. */
  finds(input: JsonRecord): readonly ErrorObject[] | 'late';
}

type Check = Checked | string;

export class Arguments {
  readonly #checks = new Recent<string, Check>(LIMITS.schemas.value);

  /** Why the tool may not be called with these arguments, by the path of each mistake. */
  async check({ name, digest, definition }: Definition, input: JsonRecord): Promise<Refusal | undefined> {
    if (!definition || digest === undefined) return undefined;
    if (depthOf(input, LIMITS.argumentDepth.value) === 0)
      return refusal('bad_request', `The arguments of ${name} are nested too deep.`, {
        rule: 'limit:tools.argumentDepth',
      });
    const check = this.#checks.get(digest) ?? (await compile(definition.inputSchema ?? {}));
    this.#checks.set(digest, check);
    if (typeof check === 'string')
      return refusal('bad_request', `The definition of ${name} cannot be checked: ${check}.`, {
        remedy: 'whoever made the tool server mends its inputSchema',
      });
    const found = check.finds(input);
    if (found === 'late')
      return refusal('bad_request', `The arguments of ${name} take too long to check by its definition.`, {
        rule: 'limit:tools.checkMs',
        remedy: 'call it with less, or whoever made the tool server makes its inputSchema simpler',
      });
    if (found.length === 0) return undefined;
    const mistakes = found.slice(0, LIMITS.mistakes.value).map(mistakeOf);
    if (check.finds(withoutNulls(input)).length === 0) return undefined;
    return refusal('bad_request', `The arguments of ${name} are not what it takes: ${mistakes.join('; ')}.`, {
      remedy: 'look at its definition (tools/list), and call it again',
    });
  }
}

/** Many clients say null for an argument that they leave out: where it is needed, it is missing. */
const withoutNulls = (input: JsonRecord): JsonRecord =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));

/** A function that checks, or why there is none. The library loads with the first. */
async function compile(schema: Json): Promise<Check> {
  if (!isRecord(schema)) return 'its inputSchema is no object';
  const text = JSON.stringify(schema);
  if (text.length > LIMITS.schemaCharacters.value) return 'its inputSchema is too large';
  if (depthOf(schema, LIMITS.schemaDepth.value) === 0) return 'its inputSchema is nested too deep';
  const { $schema: dialect, ...rest } = schema;
  const isOld = typeof dialect === 'string' && /draft-0[4-7]/.test(dialect);
  // Formats are hints to the model; what is no schema at all still does not compile.
  const options = { strict: false, validateFormats: false, validateSchema: false, logger: false } as const;
  try {
    const { Ajv } = isOld ? await import('ajv') : { Ajv: (await import('ajv/dist/2020.js')).Ajv2020 };
    const check = new Ajv(options).compile(rest);
    return { finds: (input) => (SLOW.test(text) ? findsInTime(check, input) : finds(check, input)) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const finds = (check: ValidateFunction, input: JsonRecord): readonly ErrorObject[] =>
  check(input) ? [] : (check.errors ?? []);

/** Words of a schema that a few characters of input may keep busy for years: patterns, equal items, recursion. */
const SLOW = /"(?:pattern|patternProperties|uniqueItems|\$ref|\$dynamicRef)":/;

const STEP = new Script('run()');
const room = createContext({});

/** The same, for no longer than a check may take: a definition is a stranger's word, and the kernel waits. */
function findsInTime(check: ValidateFunction, input: JsonRecord): readonly ErrorObject[] | 'late' {
  room.run = () => finds(check, input);
  try {
    return STEP.runInContext(room, { timeout: LIMITS.checkMs.value }) as readonly ErrorObject[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'late';
    throw error;
  } finally {
    room.run = undefined;
  }
}

/** `most` less the levels of a value, 0 where it has as many or more. */
function depthOf(value: Json | undefined, most: number): number {
  if (most === 0 || typeof value !== 'object' || value === null) return most;
  let least = most - 1;
  for (const one of Object.values(value)) {
    least = Math.min(least, depthOf(one, most - 1));
    if (least === 0) return 0;
  }
  return least;
}

function mistakeOf({ instancePath, message, params, keyword }: ErrorObject): string {
  const at = instancePath === '' ? 'they' : instancePath;
  const named = keyword === 'additionalProperties' ? ` ("${String(params.additionalProperty)}")` : '';
  const values = Array.isArray(params.allowedValues)
    ? ` (${params.allowedValues.map(String).join(', ')})`
    : '';
  return `${at} ${message ?? 'are wrong'}${named}${values}`;
}

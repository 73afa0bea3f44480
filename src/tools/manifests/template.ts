/**
 * Templates of manifests over a call's arguments: `{path}`, `{edits.0.file}`, `{entities.*.name}` (one for each
 * element), `{path|default}`, and `{force?--force}` (the text where the argument is true). Nothing else is evaluated.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { Recent } from '../../base/recent.ts';
import { LIMITS } from '../limits.ts';

const PLACE = /\{([\w*-]+(?:\.[\w*-]+)*)(?:([|?])([^{}]*))?\}/g;
const WHOLE = new RegExp(`^${PLACE.source}$`);

interface Place {
  /** The text between the place before and this one. */
  readonly before: string;
  readonly path: readonly string[];
  readonly how: string | undefined;
  readonly more: string;
}
interface Template {
  readonly places: readonly Place[];
  readonly end: string;
}
/** Templates are few, and filled with each call. */
const READ = new Recent<string, Template>(LIMITS.templates.value);

function read(template: string): Template {
  const known = READ.get(template);
  if (known) return known;
  let from = 0;
  const places = [...template.matchAll(PLACE)].map(
    ({ 0: whole, 1: path = '', 2: how, 3: more = '', index }) => {
      const before = template.slice(from, index);
      from = index + whole.length;
      return { before, path: path.split('.'), how, more };
    },
  );
  const found = { places, end: template.slice(from) };
  READ.set(template, found);
  return found;
}

/** What stands at a dotted path; a list at its end stands for its elements. */
function valuesAt(value: Json | undefined, path: readonly string[], from = 0): Json[] {
  const step = path[from];
  if (step === undefined) return value === undefined || value === null ? [] : [value].flat();
  if (Array.isArray(value))
    return step === '*'
      ? value.flatMap((one) => valuesAt(one, path, from + 1))
      : valuesAt(value[Number(step)], path, from + 1);
  return isRecord(value) ? valuesAt(value[step], path, from + 1) : [];
}

const isPlain = (value: Json): value is string | number =>
  typeof value === 'number' || typeof value === 'string';

/** The texts that a place stands for; undefined when an argument that it needs is missing or no text. */
function textsOf({ path, how, more }: Place, input: JsonRecord): readonly string[] | undefined {
  const values = valuesAt(input, path);
  if (how === '?') return [values.some((value) => value !== false && value !== '') ? more : ''];
  if (values.length === 0) return how === '|' ? [more] : undefined;
  return values.every((value) => isPlain(value) && value !== '') ? values.map(String) : undefined;
}

/** One key, or one for each element of the lists in it; undefined when an argument that it needs is missing. */
export function fillKey(template: string, input: JsonRecord): readonly string[] | undefined {
  const { places, end } = read(template);
  let filled: readonly string[] = [''];
  for (const place of places) {
    const texts = textsOf(place, input);
    if (!texts) return undefined;
    filled = filled.flatMap((start) => texts.map((text) => start + place.before + text));
  }
  return filled.map((start) => start + end);
}

/** A command line whose values are quoted, so that none of them is read as more than a word. */
export function fillCommand(template: string, input: JsonRecord): string | undefined {
  const { places, end } = read(template);
  let filled = '';
  for (const place of places) {
    const texts = textsOf(place, input);
    if (!texts) return undefined;
    filled += place.before + texts.map((text) => (place.how === '?' ? text : quoteWord(text))).join(' ');
  }
  return filled + end;
}

export const quoteWord = (text: string): string =>
  /^[\w./:=@-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Arguments of another call: a text that is one placeholder is the value itself. undefined where one is missing. */
export function fillValue(template: Json, input: JsonRecord): Json | undefined {
  if (Array.isArray(template)) {
    const filled = template.map((one) => fillValue(one, input));
    return filled.every((one) => one !== undefined) ? (filled as Json[]) : undefined;
  }
  if (isRecord(template)) {
    const members = Object.entries(template).map(([name, one]) => [name, fillValue(one, input)] as const);
    return members.every(([, one]) => one !== undefined) ? (Object.fromEntries(members) as Json) : undefined;
  }
  if (typeof template !== 'string') return template;
  const [, path = '', how] = WHOLE.exec(template) ?? [];
  if (path !== '' && how === undefined) return rawAt(input, path.split('.'));
  return fillKey(template, input)?.[0];
}

function rawAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (step === '*') return valuesAt(value, path);
  if (Array.isArray(value)) return rawAt(value[Number(step)], rest);
  return isRecord(value) ? rawAt(value[step], rest) : undefined;
}

/** The arguments that a template names, each by its first step. */
export const argumentsOf = (template: string): string[] =>
  read(template).places.map(({ path }) => path[0] as string);

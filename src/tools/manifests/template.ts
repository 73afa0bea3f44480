/**
 * Templates of manifests over a call's arguments: `{path}`, `{edits.0.file}`, `{entities.*.name}` (one for each
 * element), `{path|default}`, and `{force?--force}` (the text where the argument is true). Nothing else is evaluated.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { Recent } from '../../base/recent.ts';
import { LIMITS } from '../limits.ts';

const PLACE = /\{([\w*-]+(?:\.[\w*-]+)*)(?:([|?])([^{}]*))?\}/g;
const WHOLE = new RegExp(`^${PLACE.source}$`);
/** What stands in templates of keys, which are few and filled with each call. */
const FOUND = new Recent<string, readonly RegExpExecArray[]>(LIMITS.templates.value);

function placesIn(template: string): readonly RegExpExecArray[] {
  const known = FOUND.get(template);
  if (known) return known;
  const found = [...template.matchAll(PLACE)];
  FOUND.set(template, found);
  return found;
}

/** What stands at a dotted path; a list at its end stands for its elements. */
function valuesAt(value: Json | undefined, path: readonly string[]): Json[] {
  const [step, ...rest] = path;
  if (step === undefined) return value === undefined || value === null ? [] : [value].flat();
  if (Array.isArray(value))
    return step === '*' ? value.flatMap((one) => valuesAt(one, rest)) : valuesAt(value[Number(step)], rest);
  return isRecord(value) ? valuesAt(value[step], rest) : [];
}

const isPlain = (value: Json): value is string | number =>
  typeof value === 'number' || typeof value === 'string';

/** The texts that a placeholder stands for; undefined when an argument that it needs is missing or no text. */
function textsOf(match: RegExpMatchArray, input: JsonRecord): readonly string[] | undefined {
  const [, path = '', how, more = ''] = match;
  const values = valuesAt(input, path.split('.'));
  if (how === '?') return [values.some((value) => value !== false && value !== '') ? more : ''];
  if (values.length === 0) return how === '|' ? [more] : undefined;
  return values.every((value) => isPlain(value) && value !== '') ? values.map(String) : undefined;
}

/** One key, or one for each element of the lists in it; undefined when an argument that it needs is missing. */
export function fillKey(template: string, input: JsonRecord): readonly string[] | undefined {
  let filled: readonly string[] | undefined = [''];
  let from = 0;
  for (const match of placesIn(template)) {
    const before = template.slice(from, match.index);
    from = match.index + match[0].length;
    const texts = textsOf(match, input);
    filled = texts && filled?.flatMap((start) => texts.map((text) => start + before + text));
  }
  return filled?.map((start) => start + template.slice(from));
}

/** A command line whose values are quoted, so that none of them is read as more than a word. */
export function fillCommand(template: string, input: JsonRecord): string | undefined {
  let isWhole = true;
  const filled = template.replace(PLACE, (...match) => {
    const texts = textsOf(match as unknown as RegExpMatchArray, input);
    if (!texts) isWhole = false;
    return (texts ?? []).map((text) => (match[2] === '?' ? text : quoteWord(text))).join(' ');
  });
  return isWhole ? filled : undefined;
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
  placesIn(template).map(([, path = '']) => path.split('.', 1)[0] as string);

/** Holds promises and documents to the tests: what is claimed has a promise, what is promised has a test. */
import type { Promised } from './promise.ts';

/** A claim in a document is marked with the promise it rests on: `<!-- g:tokens-never-stored -->`. */
const MARK = /<!--\s*g:([\w-]+)\s*-->/g;
/** Below these headings every point is a claim. */
const CLAIMS = /^## What (?:holds today|mezz does about it)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm;

/** Promises that are malformed, and tests they name that are not there. `read` gives a file's text or undefined. */
export function checkPromises(
  promises: readonly Promised[],
  read: (file: string) => string | undefined,
): string[] {
  const ids = promises.map(({ id }) => id);
  const twice = ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id}: two promises`);
  return [...twice, ...promises.flatMap((promise) => checkPromise(promise, read))];
}

function checkPromise(
  { id, text, restsOn, bypassedBy, tests }: Promised,
  read: (file: string) => string | undefined,
) {
  const problems: string[] = [];
  if (!/^[a-z][a-z0-9-]+$/.test(id)) problems.push('the id is not in lower-case-with-hyphens');
  if (!/^(?:[A-Z]|mezz ).*\.$/.test(text)) problems.push('the text is no sentence');
  if (restsOn === '' || bypassedBy === '') problems.push('says not what it rests on or how it is got round');
  if (tests.length === 0) problems.push('no test');
  for (const [file, name] of tests) {
    const source = read(file);
    if (source === undefined) problems.push(`no file ${file}`);
    else if (!hasTest(source, name)) problems.push(`no test "${name}" in ${file}`);
  }
  return problems.map((problem) => `${id}: ${problem}`);
}

/** Is there a test of this name, and is it one that runs? */
function hasTest(source: string, name: string): boolean {
  const quoted = name
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll("'", "\\\\?'")
    .replaceAll('…', '\\$\\{[^}]*\\}');
  return new RegExp(`\\b(?:test|it)\\(\\s*(['"\`])${quoted}\\1`).test(source);
}

/** Claims of a document without a promise: marks that name none, and unmarked points where every point is a claim. */
export function checkClaims(path: string, text: string, promises: readonly Promised[]): string[] {
  const known = new Set(promises.map(({ id }) => id));
  const marks = [...text.matchAll(MARK)].map(([, id]) => id as string);
  const claims = [...text.matchAll(CLAIMS)].map(([, below]) => below as string);
  const points = claims.flatMap((below) => below.split(/^(?=- )/m)).filter((point) => point.startsWith('- '));
  return [
    ...marks.filter((id) => !known.has(id)).map((id) => `${path}: g:${id}: there is no such promise`),
    ...points
      .filter((point) => !point.match(MARK))
      .map((point) => `${path}: a claim without a promise: ${point.trim().split('\n')[0]}`),
  ];
}

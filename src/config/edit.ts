/** A change of mezz.yaml's text that an operator asked for: lines are put in, and every byte that is there stays. */

import { Document, isMap, type Node, type Pair, parseDocument, stringify, type YAMLMap } from 'yaml';
import { assert } from '../base/assert.ts';
import type { BackendDraft, SettingsChange } from '../base/sheets.ts';
import type { ToolDraft } from '../base/tools.ts';

export interface Edited extends Pick<SettingsChange, 'added' | 'kept'> {
  readonly text: string;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** Adds tool servers under their names. undefined where the text is no mapping over lines of its own. */
export function addTools(text: string, drafts: readonly ToolDraft[]): Edited | undefined {
  return addEntries(text, { tools: drafts.map(entryOf) });
}

/** As mezz.yaml would hold them, one a line. */
export const toolLines = (drafts: readonly ToolDraft[]): string[] => drafts.map(entryOf).map(entryText);

const entryOf = ({ id, command, cwd, url, env, headers }: ToolDraft): [string, object] => [
  id,
  {
    ...(command ? { command } : {}),
    ...(cwd ? { cwd } : {}),
    ...(url ? { url } : {}),
    ...(env ? { env } : {}),
    ...(headers ? { headers } : {}),
  },
];

/** Adds a local backend and its models, free of charge. undefined where the text is no mapping over lines of its own. */
export function addBackend(text: string, backend: BackendDraft): Edited | undefined {
  const { id, url, dialects, slots, hints, models } = backend;
  const wanted = {
    backends: [[id, { url, dialects, credential: 'local', slots, ...(hints ? { hints } : {}) }]],
    models: models.map(({ name, window }) => [
      name,
      { backends: [id], price: 'free', ...(window === undefined ? {} : { window }) },
    ]),
  } as Record<string, [string, object][]>;
  return addEntries(text, wanted);
}

function addEntries(
  text: string,
  wanted: Readonly<Record<string, readonly [string, object][]>>,
): Edited | undefined {
  const document = parseDocument(text);
  const root = document.contents;
  if (document.errors.length > 0 || (root !== null && (!isMap(root) || root.flow))) return undefined;
  const added: string[] = [];
  const kept: string[] = [];
  const insertions = Object.entries(wanted).flatMap(([part, entries]) => {
    const fresh = entries.filter(([name]) => !document.hasIn([part, name]));
    added.push(...fresh.map(([name]) => name));
    kept.push(...entries.filter((entry) => !fresh.includes(entry)).map(([name]) => name));
    return fresh.length > 0 ? [insertionOf(text, root, part, fresh.map(entryText))] : [];
  });
  return { text: putIn(text, insertions), added, kept };
}

/** `name: { ... }` on one line. */
function entryText([name, value]: [string, object]): string {
  const flow = new Document();
  const text = stringify(flow.createNode(value, { flow: true }), { lineWidth: 0 });
  return `${stringify(name, { lineWidth: 0 }).trim()}: ${text.trim()}`;
}

function insertionOf(
  text: string,
  root: YAMLMap | null,
  part: string,
  entries: readonly string[],
): Insertion {
  const pair = root?.items.find(({ key }) => String((key as { value?: unknown }).value) === part);
  const lines = (indent: string) => entries.map((entry) => `${indent}${entry}\n`).join('');
  if (!pair) return { at: text.length, text: `${part}:\n${lines('  ')}` };
  const { value } = pair as { value: Node | null };
  if (!isMap(value)) return { at: endOfLine(text, endOf(pair)), text: lines('  ') };
  const [first, last] = [value.items[0], value.items.at(-1)];
  if (value.flow)
    return { at: (value.range?.[1] ?? 0) - 1, text: `${last ? ', ' : ' '}${entries.join(', ')} ` };
  assert(first && last, 'a mapping over lines of its own has an item');
  const start = (first.key as Node).range?.[0] ?? 0;
  const indent = ' '.repeat(start - (text.lastIndexOf('\n', start - 1) + 1));
  return { at: endOfLine(text, endOf(last)), text: lines(indent) };
}

/** Where a setting's text ends, be it its value's or, without one, its name's. */
function endOf({ key, value }: Pair): number {
  const range = (value as Node | null)?.range ?? (key as Node).range;
  return range?.[1] ?? 0;
}

/** Behind the line in which a text ends, a comment at its end included. */
function endOfLine(text: string, at: number): number {
  if (text[at - 1] === '\n') return at;
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}

/** From the last to the first, so that no offset moves; what comes at the end comes on a line of its own. */
function putIn(text: string, insertions: readonly Insertion[]): string {
  let result = text;
  for (const { at, text: more } of [...insertions].reverse().sort((a, b) => b.at - a.at)) {
    const before = result.slice(0, at);
    const isOpen = before !== '' && !before.endsWith('\n') && more.endsWith('\n');
    result = `${before}${isOpen ? '\n' : ''}${more}${result.slice(at)}`;
  }
  return result;
}

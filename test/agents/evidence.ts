/** What is left after a run: the journal, the agents, the bytes on disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallView } from '../../src/base/control.ts';
import type { JsonRecord } from '../../src/base/json.ts';
import type { ControlClient } from '../../src/sdk/client.ts';

export interface Journaled extends CallView {
  readonly start: JsonRecord | undefined;
  readonly end: JsonRecord | undefined;
  /** How many entries of each kind it has. */
  readonly kinds: readonly string[];
}

/** Every call of the journal with its entries, oldest first. */
export async function readCalls(control: ControlClient): Promise<Journaled[]> {
  const { calls } = await control.call('calls', { limit: 1000 });
  const read = calls.map(async ({ id }) => {
    const { call, entries } = await control.call('trace', { call: id });
    const find = (kind: string) => entries.find((entry) => entry.kind === kind);
    return {
      ...call,
      start: find('call.start'),
      end: find('call.end'),
      kinds: entries.map((entry) => String(entry.kind)),
    };
  });
  return (await Promise.all(read)).reverse();
}

/** The files below `folder` that hold these bytes. */
export function filesWith(folder: string, needle: string): string[] {
  const bytes = Buffer.from(needle);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(bytes));
}

/** The names of the files below `folder`, from there. */
export const fileNames = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

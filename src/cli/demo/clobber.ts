/**
 * demo/ owns what mezz shows on real tool servers. Invariant: what is told was counted just now, in files, by the same
 * calls with and without mezz. It must not know how the kernel does it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import type { JsonRecord } from '../../base/json.ts';
import { openProcess } from '../checklist/mcp.ts';
import type { Room } from '../checklist/room.ts';
import { UsageFailure } from '../exit.ts';

/** How many of the changes that were answered "done" are there afterwards. */
export interface Counted {
  readonly done: number;
  readonly kept: number;
}
export interface Clobbered {
  readonly server: string;
  readonly version: string;
  readonly tool: string;
  readonly agents: number;
  readonly calls: number;
  readonly direct: Counted;
  readonly mezz: Counted;
  /** Calls that waited for locks. */
  readonly waited: number;
  /** The latest of the calls through mezz, if any. */
  readonly last: readonly string[];
}

export interface Part {
  readonly server: 'memory' | 'filesystem';
  readonly package: string;
  readonly tool: string;
  readonly calls: number;
  args(directory: string): readonly string[];
  env(directory: string): Readonly<Record<string, string>>;
  prepare(directory: string): void;
  input(directory: string, call: number): JsonRecord;
  /** Changes that are in the file. */
  kept(directory: string): number;
}

const AGENTS = 8;
const LINES = 20;

const MEMORY: Part = {
  server: 'memory',
  package: '@modelcontextprotocol/server-memory',
  tool: 'create_entities',
  calls: 40,
  args: () => [],
  env: (directory) => ({ MEMORY_FILE_PATH: join(directory, 'memory.jsonl') }),
  prepare: () => {},
  input: (_directory, call) => ({
    entities: [{ name: `entity ${call}`, entityType: 'fact', observations: [`seen by call ${call}`] }],
  }),
  kept: (directory) =>
    linesOf(join(directory, 'memory.jsonl')).filter((line) => line.includes('"entity ')).length,
};

const FILESYSTEM: Part = {
  server: 'filesystem',
  package: '@modelcontextprotocol/server-filesystem',
  tool: 'edit_file',
  calls: LINES,
  args: (directory) => [directory],
  env: () => ({}),
  prepare: (directory) => {
    const lines = Array.from({ length: LINES }, (_, line) => `line ${line}: old.`);
    writeFileSync(join(directory, 'shared.txt'), `${lines.join('\n')}\n`);
  },
  input: (directory, call) => ({
    path: join(directory, 'shared.txt'),
    edits: [{ oldText: `line ${call}: old.`, newText: `line ${call}: new.` }],
  }),
  kept: (directory) => linesOf(join(directory, 'shared.txt')).filter((line) => line.endsWith('new.')).length,
};

export const PARTS: readonly Part[] = [MEMORY, FILESYSTEM];

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];

interface Installed {
  readonly command: readonly string[];
  readonly version: string;
}

/** Where a server is installed; it is no part of mezz. */
function find(part: Part): Installed {
  try {
    const path = createRequire(import.meta.url).resolve(`${part.package}/package.json`);
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
    return { command: [process.execPath, join(dirname(path), 'dist', 'index.js')], version };
  } catch {
    throw new UsageFailure(
      `${part.package} is not installed: this shows the official tool servers as they are`,
      `npm install --no-save ${PARTS.map((one) => one.package).join(' ')}`,
    );
  }
}

function directoryOf(part: Part, root: string, how: 'direct' | 'mezz'): string {
  const directory = join(root, `${part.server}-${how}`);
  mkdirSync(directory, { recursive: true });
  part.prepare(directory);
  return directory;
}

/** What the room's kernel is told to start. */
export function toolsConfig(root: string, parts = PARTS): string[] {
  const servers = parts.map((part) => {
    const directory = directoryOf(part, root, 'mezz');
    const command = [...find(part).command, ...part.args(directory)];
    return `  ${part.server}: ${JSON.stringify({ command, env: part.env(directory), cwd: directory })}`;
  });
  return ['tools:', ...servers];
}

/** All calls at once, from so many agents in turn. */
async function race(
  part: Part,
  directory: string,
  call: (agent: number, input: JsonRecord) => Promise<JsonRecord>,
): Promise<Counted> {
  const answers = await Promise.all(
    Array.from({ length: part.calls }, (_, n) => call(n % AGENTS, part.input(directory, n))),
  );
  return { done: answers.filter(({ isError }) => isError !== true).length, kept: part.kept(directory) };
}

export async function clobber(part: Part, room: Room): Promise<Clobbered> {
  const { command, version } = find(part);
  const alone = directoryOf(part, room.directory, 'direct');
  const server = await openProcess([...command, ...part.args(alone)], part.env(alone));
  const direct = await race(part, alone, (_, input) => server.call(part.tool, input));
  await server.close();
  const agents: Launch[] = [];
  for (let n = 0; n < AGENTS; n++) agents.push(await room.agent(`${part.server}-${n + 1}`));
  const before = (await room.control.call('locks', {})).counts.waits;
  const brokered = await race(part, join(room.directory, `${part.server}-mezz`), (n, input) =>
    room.callTool(agents[n] as Launch, `${part.server}__${part.tool}`, input),
  );
  const waited = (await room.control.call('locks', {})).counts.waits - before;
  const made = await room.control.call('calls', { agent: String(agents[0]?.pid) });
  const last = made.calls.slice(0, 1).map(({ id }) => id);
  const { server: name, tool, calls } = part;
  return { server: name, version, tool, agents: AGENTS, calls, direct, mezz: brokered, waited, last };
}

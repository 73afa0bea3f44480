/** Products as somebody would describe them to `mezz checklist --against`, and what it answers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Answered {
  readonly id: string;
  readonly verdict: string;
  readonly saw: string;
}

const here = dirname(fileURLToPath(import.meta.url));
const MEZZ = join(here, '..', '..', 'bin', 'mezz.js');
export const NODE = process.execPath;
export const programOf = (name: string): string => join(here, `${name}.ts`);

/** Where an official tool server is installed. */
export function installedServer(name: string): string {
  const path = createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`);
  return join(dirname(path), 'dist', 'index.js');
}

/** The checklist with a home of its own. */
export function checklist(
  home: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, MEZZ_HOME: join(home, 'state'), TMPDIR: home };
  return new Promise((resolve) => {
    execFile(NODE, [MEZZ, 'checklist', ...args], { env, maxBuffer: 1 << 24 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

/** The answers by their condition; nothing of what was started for them is left. */
export async function answersOf(
  home: string,
  description: object,
  ...questions: string[]
): Promise<Map<string, Answered>> {
  const file = join(home, 'product.yaml');
  writeFileSync(file, JSON.stringify(description));
  const { code, out, err } = await checklist(home, ...questions, '--json', '--against', file);
  assert.equal(code, 0, err);
  rmSync(file);
  assert.deepEqual(readdirSync(home), []);
  const { answers } = JSON.parse(out) as { answers: Answered[] };
  return new Map(answers.map((answered) => [answered.id, answered]));
}

export function check(answers: Map<string, Answered>, id: string, verdict: string, saw: RegExp): void {
  const answered = answers.get(id);
  assert.equal(answered?.verdict, verdict, `${id}: ${answered?.saw}`);
  assert.match(answered?.saw ?? '', saw, id);
}

const EDITS = [{ oldText: 'line {n}: old.', newText: 'line {n}: new.' }];

/** mezz as a stranger would describe it: an address, a few commands, a tool server. */
export function describeMezz(port: number): object {
  const mezz = (words: string) => `MEZZ_HOME={directory}/state ${NODE} ${MEZZ} ${words}`;
  const shell = (...lines: string[]) => ({ run: ['sh', '-c', lines.join(' && ')] });
  const file = '{directory}/shared.txt';
  return {
    name: 'a mezz of somebody',
    start: {
      run: [NODE, programOf('mezz'), '{upstream}', String(port), '{directory}'],
      ready: `http://127.0.0.1:${port}/`,
    },
    agent: shell(
      mezz(`env --name {agent} | sed -n "s/^export ANTHROPIC_BASE_URL='*\\([^']*\\)'*/\\1/p"`),
      mezz('nice -- {nice} {agent} > {directory}/said'),
    ),
    models: { url: '{key}/v1', dialect: 'anthropic', id: 'x-mezz-call' },
    policies: [
      { name: 'fifo', text: 'first come, first served', set: shell(mezz('sched set fifo')) },
      { name: 'priority', set: shell(mezz('sched set priority')) },
    ],
    prefer: shell(mezz('nice -- -10 {agent}')),
    demote: shell(mezz('nice 5 {agent}')),
    waits: shell(mezz('why {agent} | grep -A 9 waits')),
    pause: shell(mezz('pause {agent}')),
    resume: shell(mezz('resume {agent}')),
    tools: {
      mcp: { url: '{key}/mcp' },
      file,
      begin: 'line {n}: old.',
      kept: 'line {n}: new.',
      change: { tool: 'filesystem__edit_file', input: { path: file, edits: EDITS } },
      read: { tool: 'filesystem__read_text_file', input: { path: file } },
      replace: { tool: 'filesystem__write_file', input: { path: file, content: '{text}' } },
    },
    says: {
      unasked: { 'mezz status': shell(mezz('status')) },
      help: { 'mezz --help': shell(mezz('--help')) },
    },
  };
}

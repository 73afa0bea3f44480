/** One person at a machine with nothing on it but a shell, a Node with npm, and what they have. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MEZZ } from '../../src/cli/fixture.test.ts';
import { type Script, startUpstream } from '../upstream/upstream.ts';
import { openScreen, type Screen, stableText } from './screen.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
export const ALIAS = `alias mezz=${join(ROOT, 'bin', 'mezz.js')}`;

export interface Person {
  /** Programs on the PATH that agent.js stands for. */
  readonly programs?: readonly string[];
  /** Folders on the PATH with real ones. */
  readonly path?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** In their home, by path: a login, say. */
  readonly files?: Readonly<Record<string, string>>;
  readonly script?: Script;
}

export interface Walk extends Screen {
  /** What was seen is what was seen when somebody last looked, and kept it. */
  check(name: string): void;
}

/** The person arrives, does what they do, and leaves nothing behind. */
export async function walk(person: Person, visit: (walk: Walk) => Promise<void>): Promise<void> {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'mezz-people-')));
  const upstream = await startUpstream(person.script);
  const env = prepare(directory, upstream.origin, person);
  const screen = await openScreen(directory, ROOT, env);
  const check = (name: string) => {
    const file = new URL(`${name}.txt`, import.meta.url);
    const seen = `${stableText(screen.text(), { [directory]: '<home>', [ROOT]: '<mezz>' })}\n`;
    if (process.env.MEZZ_KEEP) writeFileSync(file, seen);
    assert.equal(seen, readFileSync(file, 'utf8'));
  };
  try {
    await visit({ ...screen, check });
  } finally {
    const [node = '', ...mezz] = MEZZ;
    spawnSync(node, [...mezz, 'down'], { env });
    screen.close();
    await upstream.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Lays out the machine; gives the shell's environment. */
function prepare(directory: string, origin: string, person: Person): Record<string, string> {
  const at = (name: string) => join(directory, name);
  for (const name of ['state', 'bin', 'tmp']) mkdirSync(at(name));
  const url = `${origin}/v1`;
  const settings = `port: 0
backends:
  anthropic: { url: '${url}' }
  openai: { url: '${url}' }
  chatgpt: { url: '${origin}/backend-api/codex' }
`;
  writeFileSync(join(at('state'), 'mezz.yaml'), settings);
  for (const [path, text] of Object.entries(person.files ?? {})) {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text, { mode: 0o600 });
  }
  for (const name of person.programs ?? []) {
    const line = `exec '${process.execPath}' '${join(ROOT, 'test', 'people', 'agent.js')}' "$@"`;
    writeFileSync(join(at('bin'), name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
  const system = [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'];
  return {
    PATH: [at('bin'), ...(person.path ?? []), ...system].join(delimiter),
    HOME: directory,
    TMPDIR: at('tmp'),
    MEZZ_HOME: at('state'),
    XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    npm_config_update_notifier: 'false',
    ...person.env,
  };
}

/**
 * One small world for a real client: a home of its own, a project to work in, the scripted upstream, and a kernel
 * started as a user starts it. Nothing of the machine's user is read: the environment is made here.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { ControlClient } from '../../src/sdk/client.ts';
import { type Script, startUpstream, type Upstream } from '../upstream/upstream.ts';
import { findClients } from './clients.ts';

const BIN = new URL('../../bin/mezz.js', import.meta.url).pathname;
/** A client that hangs ends its test; none of these runs takes a quarter of it. */
const COMMAND_TIMEOUT_MS = 100_000;
/** The network namespace is ours alone: ports are taken one after the other, and a kernel comes back on its own. */
let nextPort = 7800;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface World {
  readonly upstream: Upstream;
  readonly control: ControlClient;
  readonly origin: string;
  readonly folder: string;
  readonly project: string;
  readonly stateDir: string;
  /** `mezz up`: the kernel as a process of its own, on the port it always has here. */
  up(): Promise<void>;
  /** kill -9 of the kernel, and its end. */
  kill(): Promise<void>;
  /** Runs `mezz <args>` to its end, in the project, with nothing on standard input. */
  mezz(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  close(): Promise<void>;
}

/** The kernel's settings, with the upstream at this origin and the client at work in this folder. */
export type Config = (origin: string, port: number, project: string) => string;

export const nativeConfig: Config = (origin, port) => `
port: ${port}
backends:
  anthropic: { url: '${origin}/v1' }
  openai: { url: '${origin}/v1' }
  chatgpt: { url: '${origin}/backend-api/codex' }
models:
  'claude-*': { backends: [anthropic], price: { input: 3, output: 15 } }
  'gpt-*': { backends: [chatgpt, openai], price: { input: 1, output: 2 } }
`;

/** `homeFiles` are what the client finds in its home, by path: a login, say. */
export async function openWorld(
  script: (project: string) => Script,
  homeFiles: Readonly<Record<string, string>> = {},
  config: Config = nativeConfig,
): Promise<World> {
  const clients = findClients();
  if (!clients) throw new Error('the clients are not installed');
  const folder = mkdtempSync(join(tmpdir(), 'mezz-agents-'));
  const at = (name: string) => join(folder, name);
  for (const name of ['home', 'project', 'state', 'tmp']) mkdirSync(at(name), { mode: 0o700 });
  for (const [path, text] of Object.entries(homeFiles)) {
    mkdirSync(dirname(join(at('home'), path)), { recursive: true });
    writeFileSync(join(at('home'), path), text, { mode: 0o600 });
  }
  const upstream = await startUpstream(script(at('project')));
  const port = nextPort++;
  writeFileSync(at('state/mezz.yaml'), config(upstream.origin, port, at('project')), { mode: 0o600 });
  const control = new ControlClient(at('state'));
  const env = {
    HOME: at('home'),
    MEZZ_HOME: at('state'),
    PATH: [...clients.path, '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    LANG: 'C.UTF-8',
    TMPDIR: at('tmp'),
  };
  const running = new Map<Promise<Ended>, ChildProcess>();
  const mezz = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: at('project'),
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = collectEnd(child).finally(() => running.delete(ended));
    running.set(ended, child);
    return ended;
  };
  return {
    upstream,
    control,
    origin: `http://127.0.0.1:${port}`,
    folder,
    project: at('project'),
    stateDir: at('state'),
    mezz,
    async up() {
      const done = await mezz(['up']);
      if (done.code !== 0) throw new Error(`the kernel did not start: ${done.out}${done.err}`);
    },
    kill: () => killKernel(control),
    async close() {
      // A test that failed has left its client running; it would write into what is removed below.
      for (const child of running.values()) child.kill('SIGTERM');
      await Promise.all(running.keys());
      await mezz(['down']);
      await upstream.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function killKernel(control: ControlClient): Promise<void> {
  const { pid } = await control.call('status', {});
  process.kill(pid, 'SIGKILL');
  for (;;) {
    const up = await control.isUp();
    if (!up) return;
  }
}

async function collectEnd(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  const timer = setTimeout(() => child.kill('SIGTERM'), COMMAND_TIMEOUT_MS);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    err += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, out, err };
}

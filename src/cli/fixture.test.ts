import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VerbName } from '../base/control.ts';
import type { Refusal } from '../base/errors.ts';
import type { JsonRecord } from '../base/json.ts';
import { ControlClient } from '../sdk/client.ts';
import { controlSocketPath } from '../sdk/home.ts';
import { main } from './main.ts';
import type { Session } from './session.ts';
import { Terminal } from './terminal.ts';

/** The tests' own kernel: answers verbs on a control socket as it is told, and remembers what it was asked. */
export interface FakeKernel {
  readonly stateDir: string;
  readonly asked: { readonly verb: string; readonly request: JsonRecord }[];
  /** Resolves when a verb is asked for the first time. */
  until(verb: VerbName): Promise<JsonRecord>;
  close(): Promise<void>;
}
type Answers = { readonly [V in VerbName]?: (request: JsonRecord) => unknown };

/** Answered with its status; anything else is the answer itself. */
export class Refused {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    this.refusal = refusal;
  }
}

export const MEZZ = [process.execPath, fileURLToPath(new URL('../../bin/mezz.js', import.meta.url))];

const STATUS = {
  version: '0.1.0',
  pid: 1,
  origin: 'http://127.0.0.1:9',
  stateDir: '/state',
  startedAt: 0,
  agents: 0,
  waiting: 0,
  running: 0,
  profile: 'default',
  warnings: [],
};

const standard: Answers = {
  status: () => STATUS,
  'agent.open': ({ count, hooks, cwd }) => ({
    launches: Array.from({ length: Number(count ?? 1) }, (_, at) => ({
      pid: 7 + at,
      name: `quick-fox-${at}`,
      token: `tok${at}`,
      origin: 'http://127.0.0.1:9',
      hooks,
      cwd,
    })),
  }),
  'agent.started': () => ({}),
  'agent.exited': () => ({}),
};

export async function startFakeKernel(more: Answers = {}): Promise<FakeKernel> {
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-cli-'));
  const answers: Answers = { ...standard, ...more };
  const asked: { verb: string; request: JsonRecord }[] = [];
  const waiting: { verb: string; found: (request: JsonRecord) => void }[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const verb = (incoming.url ?? '').replace('/v1/', '');
      const request = JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonRecord;
      asked.push({ verb, request });
      for (const one of waiting) if (one.verb === verb) one.found(request);
      const answer = answers[verb as VerbName]?.(request);
      const refused = answer instanceof Refused;
      outgoing.writeHead(refused ? 403 : 200, { 'content-type': 'application/json' });
      outgoing.end(
        JSON.stringify(
          refused ? { error: answer.refusal } : { schema: `mezz.${verb}/1`, ...(answer as object) },
        ),
      );
    });
  });
  await new Promise<void>((done) => server.listen(controlSocketPath(stateDir), done));
  return {
    stateDir,
    asked,
    until: (verb) =>
      new Promise((found) => {
        const before = asked.find((one) => one.verb === verb);
        if (before) found(before.request);
        else waiting.push({ verb, found });
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Runs one command line in this process against a state directory. */
export async function runHere(stateDir: string, ...argv: string[]) {
  const written = { out: '', err: '' };
  const sink = (name: 'out' | 'err') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const session: Session = {
    env: {},
    cwd: stateDir,
    stateDir,
    control: new ControlClient(stateDir),
    terminal: new Terminal(sink('out'), sink('err'), {}),
    mezz: MEZZ,
    now: () => 1_700_000_000_000,
    exit: 0,
  };
  const code = await main(argv, session);
  return { code, ...written };
}

/** Starts the real command in a process of its own. */
export function startMezz(
  stateDir: string,
  argv: readonly string[],
  env: Record<string, string> = {},
  cwd = stateDir,
) {
  const [node = '', ...mezz] = MEZZ;
  const { MEZZ_AGENT: _agent, MEZZ_HOOK_URL: _url, ...own } = process.env;
  const child = spawn(node, [...mezz, ...argv], {
    cwd,
    env: { ...own, ...env, MEZZ_HOME: stateDir },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((done) =>
    child.once('close', (code) => done({ code, out, err })),
  );
  assert.ok(child.pid);
  return { child, ended };
}

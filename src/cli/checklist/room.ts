/** A kernel of the checklist's own: a state directory of its own, a lab and a recorder as its only backends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../base/control.ts';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { ControlClient } from '../../sdk/client.ts';
import { UsageFailure } from '../exit.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';
import { openRecorder, type Recorder } from './recorder.ts';

/** An answer of the agents' port. */
export interface Reply {
  readonly status: number;
  /** The id of the call in the journal. */
  readonly call: string;
  readonly json: JsonRecord;
}

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The gate's answer to a hook. */
export interface Hooked {
  readonly allowed: boolean;
  readonly reason: string;
}

export class Room {
  readonly #session: Session;
  readonly #directory: string;
  readonly recorder: Recorder;
  readonly control: ControlClient;
  #starting: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  /** Lines of mezz.yaml beside what every room has. */
  #settings: readonly string[] = [];

  private constructor(session: Session, directory: string, recorder: Recorder) {
    const stateDir = join(directory, 'state');
    this.#directory = directory;
    this.recorder = recorder;
    this.control = new ControlClient(stateDir);
    const { MEZZ_CONFIG: _config, ...env } = session.env;
    this.#session = { ...session, env, stateDir, control: this.control };
  }

  /** A room for one piece of work. It is gone afterwards, also when this process is told to end meanwhile. */
  static async use<T>(
    session: Session,
    work: (room: Room) => Promise<T>,
    settings: (directory: string) => readonly string[] = () => [],
  ): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'mezz-checklist-'));
    const room = new Room(session, directory, await openRecorder());
    const end = (signal: NodeJS.Signals) =>
      void room.close().finally(() => process.exit(128 + constants.signals[signal]));
    for (const signal of ENDINGS) process.once(signal, end);
    try {
      room.#settings = settings(directory);
      room.configure('fifo');
      await room.start();
      return await work(room);
    } finally {
      for (const signal of ENDINGS) process.off(signal, end);
      await room.close();
    }
  }

  /** What the user's own command line has: where mezz is, and its terminal. */
  get session(): Session {
    return this.#session;
  }

  /** Its own, gone after it. */
  get directory(): string {
    return this.#directory;
  }

  get #configPath(): string {
    return join(this.#directory, 'mezz.yaml');
  }

  /** Writes the settings; a running kernel reads them when it is told to. One slot: two calls cannot both run. */
  configure(policy: 'fifo' | 'priority'): void {
    const lab = '{ slots: 1, decodeRate: 400, prefillRate: 100000 }';
    const lines = [
      'port: 0',
      'backends:',
      '  anthropic: null',
      '  openai: null',
      '  chatgpt: null',
      `  lab: { dialects: [anthropic], credential: local, slots: 1, lab: ${lab} }`,
      `  recorder: { url: '${this.recorder.origin}/v1', dialects: [anthropic], credential: local }`,
      'models:',
      '  recorder: { backends: [recorder], price: free }',
      `scheduling: { policy: ${policy} }`,
      'ask: { hold: 1s }',
      ...this.#settings,
      '',
    ];
    writeFileSync(this.#configPath, lines.join('\n'), { mode: 0o600 });
  }

  /** A file of the experiment's own; its path. */
  file(name: string, text: string): string {
    const path = join(this.#directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  async start(): Promise<void> {
    if (this.#closing) throw new UsageFailure('The kernel of the experiments is being ended');
    this.#starting = ensureKernel(this.#session, ['--config', this.#configPath]);
    await this.#starting;
  }

  /** Ends the kernel as a crash does. */
  async crash(): Promise<void> {
    const { pid } = await this.control.call('status', {});
    process.kill(pid, 'SIGKILL');
    await this.until('the kernel is gone', async () => !(await this.control.isUp()));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // An experiment that was left in the middle may just be starting the kernel again.
    await this.#starting?.catch(() => {});
    if (await this.control.isUp()) {
      const { pid } = await this.control.call('status', {});
      await this.control.call('down', { graceMs: 0 });
      await this.until('the kernel has ended', async () => !isAlive(pid));
    }
    await this.recorder.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Waits for what must become true; the experiment fails when it does not. */
  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + LIMITS.experimentMs.value;
    while (!(await holds())) {
      if (performance.now() > end)
        throw new UsageFailure(`The experiment waited ${LIMITS.experimentMs.value / 1000} s until ${what}`);
      await sleep(LIMITS.kernelPollMs.value);
    }
  }

  async agent(name: string, nice = 0): Promise<Launch> {
    const { launches } = await this.control.call('agent.open', {
      name,
      nice,
      client: 'generic',
      cwd: '/',
      hooks: false,
    });
    return launches[0] as Launch;
  }

  /** The address may have changed: a kernel that was started again has a port of its own. */
  async url(agent: Launch, path: string): Promise<string> {
    const { origin } = await this.control.call('status', {});
    return `${origin}/a/${agent.token}${path}`;
  }

  /** One model call. Text for the lab may hold its directives (`@lab say 80`). */
  ask(agent: Launch, text: string, more: JsonRecord = {}): Promise<Reply> {
    const body = JSON.stringify(messageOf(text, more));
    const reply = this.url(agent, '/v1/messages').then((url) => post(url, body));
    // An experiment that is broken off awaits none of its calls any more: their failing must not end this process.
    reply.catch(() => {});
    return reply;
  }

  /** What a client's hook asks before one of its own tools runs; `allowed` is the gate's answer. */
  async before(agent: Launch, tool: string, input: JsonRecord, toolUseId: string): Promise<Hooked> {
    const json = await this.#hook(agent, 'PreToolUse', tool, input, toolUseId);
    const output = isRecord(json.hookSpecificOutput) ? json.hookSpecificOutput : {};
    return {
      allowed: output.permissionDecision !== 'deny',
      reason: String(output.permissionDecisionReason ?? ''),
    };
  }

  /** What the client's hook tells when the tool has run. */
  async tell(agent: Launch, tool: string, input: JsonRecord, toolUseId: string): Promise<void> {
    await this.#hook(agent, 'PostToolUse', tool, input, toolUseId);
  }

  /** As a client does it: asks, acts when it may, and tells. */
  async use(
    agent: Launch,
    tool: string,
    input: JsonRecord,
    toolUseId: string,
    act: () => void | Promise<void> = () => {},
  ): Promise<Hooked> {
    const answer = await this.before(agent, tool, input, toolUseId);
    if (!answer.allowed) return answer;
    await act();
    await this.tell(agent, tool, input, toolUseId);
    return answer;
  }

  /** A tool that mezz offers, called by MCP. */
  async callTool(agent: Launch, name: string, input: JsonRecord): Promise<JsonRecord> {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } };
    const { json } = await post(await this.url(agent, '/mcp'), JSON.stringify(message));
    return isRecord(json.result) ? json.result : { isError: true };
  }

  hook(agent: Launch, toolUseId: string, command: string): Promise<Hooked> {
    return this.before(agent, 'Bash', { command }, toolUseId);
  }

  async #hook(
    agent: Launch,
    event: string,
    tool: string,
    input: JsonRecord,
    id: string,
  ): Promise<JsonRecord> {
    const message = {
      ...{ hook_event_name: event, session_id: 'checklist', cwd: this.#directory },
      ...{ tool_name: tool, tool_use_id: id, tool_input: input },
    };
    return (await post(await this.url(agent, '/hooks/claude'), JSON.stringify(message))).json;
  }

  /** What the call of an agent waits for, once it waits. */
  async waits(agent: Launch) {
    const found = async () => (await this.control.call('why', { subject: String(agent.pid) })).waits[0];
    await this.until(`${agent.name} waits`, async () => (await found()) !== undefined);
    return await found();
  }

  /** The place of a call's START in the journal: the order in which calls were let go. */
  async startOf(call: string): Promise<number> {
    const { entries } = await this.control.call('trace', { call });
    return Number(entries.find((entry) => entry.kind === 'call.start')?.seq ?? Number.NaN);
  }

  /** Occupies the one slot, lets the others arrive in this order, and gives their calls' ids in order of START. */
  async race(occupant: Launch, rivals: readonly Launch[], before: () => Promise<void> = async () => {}) {
    const first = this.ask(occupant, '@lab say 150');
    await this.until('the slot is taken', async () => (await this.control.call('status', {})).running === 1);
    const asked: Promise<Reply>[] = [];
    for (const rival of rivals) {
      asked.push(this.ask(rival, '@lab say 3'));
      await this.waits(rival);
    }
    await before();
    const calls = await Promise.all(asked);
    const starts = await Promise.all(
      calls.map(async ({ call }, index) => ({
        call,
        name: rivals[index]?.name ?? '',
        seq: await this.startOf(call),
      })),
    );
    await first;
    return starts.sort((a, b) => a.seq - b.seq);
  }
}

export const messageOf = (text: string, more: JsonRecord = {}): JsonRecord => ({
  model: 'lab',
  max_tokens: 500,
  messages: [{ role: 'user', content: text }],
  ...more,
});

function post(url: string, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json' } });
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const json = parseJson(Buffer.concat(chunks).toString('utf8'));
        resolve({
          status: response.statusCode ?? 0,
          call: String(response.headers['x-mezz-call'] ?? ''),
          json: isRecord(json) ? json : {},
        });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A kernel of the checklist's own: a state directory of its own, one upstream behind it, with one slot. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import { isRecord, type JsonRecord } from '../../base/json.ts';
import { ControlClient } from '../../sdk/client.ts';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';
import { type HttpReply, send } from './http.ts';
import { until } from './race.ts';
import { type Model, openUpstream, type Upstream } from './upstream.ts';

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The gate's answer to a hook. */
export interface Hooked {
  readonly allowed: boolean;
  readonly reason: string;
}

/** What a room has that is not in every one. */
export interface Furniture {
  /** Lines of mezz.yaml. */
  settings?(directory: string): readonly string[];
  /** A model of its own, which real clients ask under the names that they know, so many at once. */
  readonly model?: { readonly says: Model; readonly slots: number };
}

export class Room {
  readonly #session: Session;
  readonly #directory: string;
  readonly upstream: Upstream;
  readonly control: ControlClient;
  #starting: Promise<unknown> | undefined;
  #closing: Promise<void> | undefined;
  readonly #furniture: Furniture;

  private constructor(session: Session, directory: string, upstream: Upstream, furniture: Furniture) {
    this.#furniture = furniture;
    const stateDir = join(directory, 'state');
    this.#directory = directory;
    this.upstream = upstream;
    this.control = new ControlClient(stateDir);
    const { MEZZ_CONFIG: _config, ...env } = session.env;
    this.#session = { ...session, env, stateDir, control: this.control };
  }

  /** A room for one piece of work. It is gone afterwards, also when this process is told to end meanwhile. */
  static async use<T>(
    session: Session,
    work: (room: Room) => Promise<T>,
    furniture: Furniture = {},
  ): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'mezz-checklist-'));
    const room = new Room(session, directory, await openUpstream(furniture.model?.says), furniture);
    const end = (signal: NodeJS.Signals) =>
      void room.close().finally(() => process.exit(128 + constants.signals[signal]));
    for (const signal of ENDINGS) process.once(signal, end);
    try {
      room.#configure();
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

  /** One slot, unless real clients ask: two calls cannot both run. */
  #configure(): void {
    const { model, settings } = this.#furniture;
    const { slots = 1 } = model ?? {};
    const clients = model ? ['claude-*', 'gpt-*'] : [];
    const lines = [
      'port: 0',
      'backends:',
      '  anthropic: null',
      '  openai: null',
      '  chatgpt: null',
      '  lab: null',
      `  upstream: { url: '${this.upstream.origin}/v1', dialects: [anthropic${model ? ', openai-responses' : ''}], credential: local, slots: ${slots} }`,
      'models:',
      '  lab: { backends: [upstream], price: free }',
      ...clients.map((name) => `  '${name}': { backends: [upstream], price: free }`),
      'scheduling: { policy: fifo }',
      'ask: { hold: 1s }',
      ...(settings?.(this.#directory) ?? []),
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
    this.#starting = ensureKernel(this.#session, ['--config', this.#configPath, '--no-try']);
    await this.#starting;
  }

  /** Ends the kernel as a crash does. */
  async crash(): Promise<void> {
    const { pid } = await this.control.call('status', {});
    process.kill(pid, 'SIGKILL');
    await until('the kernel is gone', async () => !(await this.control.isUp()));
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
      await until('the kernel has ended', async () => !isAlive(pid));
    }
    await this.upstream.close();
    rmSync(this.#directory, { recursive: true, force: true });
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
}

const post = (url: string, body: string): Promise<HttpReply> => send({ url, headers: {}, body });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * A tool server that mezz starts as a process and speaks MCP with over its standard input and output (the protocol's
 * era up to 2025-11-25, which every such server speaks). It is started when it is first needed and again when it has
 * ended. Invariant: a call without an answer is in doubt, never repeated here.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import type { Described, ToolAnswer, ToolServer, ToolServerSpec } from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { LIMITS } from '../limits.ts';

type Reply = { readonly result: JsonRecord } | { readonly error: string } | 'gone' | 'late' | 'left';
type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const PROTOCOL = '2025-11-25';
/** What a tool server gets of the kernel's environment; the rest is its own `env`. */
const PASSED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER'];

export class StdioToolServer implements ToolServer {
  readonly spec: ToolServerSpec;
  readonly #clock: Clock;
  #child: Child | undefined;
  #described: Promise<Described | Refusal> | undefined;
  #next = 1;
  #rest = '';
  #said = '';
  readonly #waiting = new Map<number, (reply: Reply) => void>();

  constructor(spec: ToolServerSpec, clock: Clock) {
    this.spec = spec;
    this.#clock = clock;
  }

  get osPid(): number | undefined {
    return this.#child?.pid;
  }

  /** The last it wrote to its error stream. */
  get said(): string {
    return this.#said;
  }

  describe(): Promise<Described | Refusal> {
    this.#described ??= this.#introduce();
    return this.#described;
  }

  async call(ticket: Ticket, tool: string, input: JsonRecord, signal: AbortSignal): Promise<ToolAnswer> {
    ticket.use();
    const described = await this.describe();
    if ('code' in described) return { kind: 'broken', refusal: described };
    if (signal.aborted)
      return {
        kind: 'broken',
        refusal: refusal('cancelled', `${tool} was told to stop before it was sent.`),
      };
    // The same for every sending of the call: a server that knows keys makes it once.
    const params = { name: tool, arguments: input, _meta: { idempotencyKey: ticket.call } };
    const reply = await this.#ask('tools/call', params, LIMITS.toolMs.value, signal);
    if (typeof reply === 'string') return { kind: 'broken', refusal: this.#inDoubt(reply, tool) };
    if ('error' in reply)
      return { kind: 'broken', refusal: refusal('failed', `${this.spec.id}: ${reply.error}`) };
    return { kind: 'called', result: reply.result, isError: reply.result.isError === true };
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    child.kill('SIGTERM');
    const stop = this.#clock.after(LIMITS.toolEndMs.value, () => child.kill('SIGKILL'));
    await gone;
    stop();
  }

  async #introduce(): Promise<Described | Refusal> {
    const hello = { protocolVersion: PROTOCOL, capabilities: {}, clientInfo: { name: 'mezz', version: '0' } };
    const greeting = await this.#ask('initialize', hello, LIMITS.toolStartMs.value);
    if (typeof greeting === 'string' || 'error' in greeting) return this.#notStarted(greeting);
    this.#send({ method: 'notifications/initialized' });
    const info = greeting.result.serverInfo;
    const tools: JsonRecord[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < LIMITS.toolPages.value; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const listed = await this.#ask('tools/list', params, LIMITS.toolStartMs.value);
      if (typeof listed === 'string' || 'error' in listed) return this.#notStarted(listed);
      if (Array.isArray(listed.result.tools)) tools.push(...listed.result.tools.filter(isRecord));
      if (typeof listed.result.nextCursor !== 'string') break;
      cursor = listed.result.nextCursor;
    }
    return { software: isRecord(info) ? String(info.name ?? '') : '', tools };
  }

  #notStarted(reply: Reply): Refusal {
    this.#described = undefined;
    const why =
      typeof reply === 'object' && 'error' in reply
        ? reply.error
        : (this.#said.trim().split('\n').at(-1) ?? '');
    return refusal('unreachable', `The tool server ${this.spec.id} does not start: ${why || String(reply)}`, {
      remedy: `try its command in a terminal: ${this.spec.command.join(' ')}`,
    });
  }

  #inDoubt(reply: 'gone' | 'late' | 'left', tool: string): Refusal {
    const what = {
      gone: 'ended',
      late: `did not answer in ${LIMITS.toolMs.value / 1000} s`,
      left: 'was told to stop',
    };
    return refusal(
      'in_doubt',
      `${this.spec.id} ${what[reply]} while ${tool} ran: it may or may not have taken effect.`,
      { remedy: 'look what is there before doing it again' },
    );
  }

  #ask(method: string, params: JsonRecord, timeoutMs: number, signal?: AbortSignal): Promise<Reply> {
    if (signal?.aborted) return Promise.resolve('left');
    return new Promise((resolve) => {
      const id = this.#next++;
      const leave = () => {
        this.#send({ method: 'notifications/cancelled', params: { requestId: id } });
        end('left');
      };
      const end = (reply: Reply) => {
        if (!this.#waiting.delete(id)) return;
        cancel();
        signal?.removeEventListener('abort', leave);
        resolve(reply);
      };
      const cancel = this.#clock.after(timeoutMs, () => end('late'));
      this.#waiting.set(id, end);
      signal?.addEventListener('abort', leave, { once: true });
      this.#send({ id, method, params });
    });
  }

  #send(message: JsonRecord): void {
    this.#child ??= this.#start();
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  #start(): Child {
    const [program, ...args] = this.spec.command;
    assert(program !== undefined, 'a tool server has a command');
    const passed = PASSED.flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    );
    const child = spawn(program, args, {
      cwd: this.spec.cwd,
      env: { ...Object.fromEntries(passed), ...this.spec.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const gone = (why: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#described = undefined;
      this.#rest = '';
      if (why !== '') this.#said += `${why}\n`;
      for (const end of [...this.#waiting.values()]) end('gone');
    };
    child.on('error', (error) => gone(error.message));
    child.on('close', () => gone(''));
    // What it was sent when it had just ended is told by its end.
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text, child));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-LIMITS.toolSaid.value);
    });
    return child;
  }

  #read(text: string, child: Child): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LIMITS.toolLine.value) child.kill('SIGKILL');
    for (const line of lines) {
      const message = parseJson(line);
      if (isRecord(message)) this.#hear(message);
    }
  }

  #hear(message: JsonRecord): void {
    if (typeof message.method === 'string') {
      if (message.method === 'notifications/tools/list_changed') this.#described = undefined;
      // It may ask for what mezz did not offer.
      if (message.id !== undefined)
        this.#send(
          message.method === 'ping'
            ? { id: message.id, result: {} }
            : { id: message.id, error: { code: -32601, message: 'not offered' } },
        );
      return;
    }
    const end = this.#waiting.get(Number(message.id));
    if (isRecord(message.error)) end?.({ error: String(message.error.message ?? 'an error') });
    else end?.({ result: isRecord(message.result) ? message.result : {} });
  }
}

/**
 * A tool server that mezz starts as a process and speaks MCP with over its standard input and output (the protocol's
 * era up to 2025-11-25, which every such server speaks). It is started when it is first needed and again when it has
 * ended; how many of them there are, and whose, is instances.ts. Invariant: a call without an answer is in doubt, never repeated here.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { isRecord, type JsonRecord, parseJson, stringOf } from '../../base/json.ts';
import type {
  Described,
  ServerChange,
  ServerRequest,
  ToolAnswer,
  ToolServer,
  ToolServerSpec,
} from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import type { Guard } from '../guard.ts';
import { LIMITS } from '../limits.ts';
import { Lines } from './lines.ts';
import { describeServer, inDoubt, keyed } from './lists.ts';
import { Peer, type Reply } from './peer.ts';
import { Watched } from './watched.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** What a tool server gets of the kernel's environment; the rest is its own `env`. */
const PASSED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'USER'];

const LATE = `it did not say in ${LIMITS.toolStartMs.value / 1000} s what it offers`;

export class StdioToolServer implements ToolServer {
  readonly spec: ToolServerSpec;
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #died: () => void;
  #isClosed = false;
  #child: Child | undefined;
  #described: Promise<Described | Refusal> | undefined;
  #said = '';
  readonly #lines = new Lines();
  readonly #peer: Peer;
  readonly #watched = new Watched();

  /** `died`: the process ended by itself. */
  constructor(spec: ToolServerSpec, clock: Clock, guard: Guard, died: () => void) {
    this.spec = spec;
    this.#clock = clock;
    this.#guard = guard;
    this.#died = died;
    this.#peer = new Peer(
      clock,
      (message) => this.#send(message),
      (change) => this.#changed(change),
    );
  }

  get osPid(): number | undefined {
    return this.#child?.pid;
  }

  /** Does anybody want to hear when one of its resources changes? */
  get isWatched(): boolean {
    return this.#watched.uris.length > 0;
  }

  /** The last it wrote to its error stream. */
  get said(): string {
    return this.#said;
  }

  describe(): Promise<Described | Refusal> {
    this.#described ??= this.#introduce();
    return this.#described;
  }

  call(
    ticket: Ticket,
    tool: string,
    input: JsonRecord,
    signal: AbortSignal,
    request?: ServerRequest,
  ): Promise<ToolAnswer> {
    return this.#perform(
      ticket,
      'tools/call',
      { ...request?.params, name: tool, arguments: input },
      signal,
      request,
    );
  }

  ask(ticket: Ticket, request: ServerRequest, signal: AbortSignal): Promise<ToolAnswer> {
    return this.#perform(ticket, request.method, request.params, signal, request);
  }

  unwatch(uri: string): void {
    if (this.#watched.leave(uri) && this.#child)
      void this.#peer.ask('resources/unsubscribe', { uri }, { timeoutMs: LIMITS.toolStartMs.value });
  }

  onChange(listener: (change: ServerChange) => void): () => void {
    return this.#watched.listen(listener);
  }

  async #perform(
    ticket: Ticket,
    method: string,
    params: JsonRecord,
    signal: AbortSignal,
    request: ServerRequest | undefined,
  ): Promise<ToolAnswer> {
    ticket.use();
    const described = await this.describe();
    if ('code' in described) return { kind: 'broken', refusal: described };
    const what = method === 'tools/call' ? stringOf(params.name) : method;
    if (signal.aborted)
      return {
        kind: 'broken',
        refusal: refusal('cancelled', `${what} was told to stop before it was sent.`),
      };
    const asking = request?.asking;
    if (described.capabilities?.logging !== undefined) this.#peer.wantLogs(asking?.logLevel);
    const timeoutMs = LIMITS.toolMs.value;
    const sent = keyed(method, params, ticket);
    const reply = await this.#peer.ask(method, sent, { timeoutMs, signal, ...(asking ? { asking } : {}) });
    if (typeof reply === 'string') return { kind: 'broken', refusal: inDoubt(this.spec.id, what, reply) };
    if ('error' in reply) return { kind: 'called', result: {}, isError: true, error: reply.error };
    if (method === 'resources/subscribe') this.#watched.enter(stringOf(params.uri));
    return { kind: 'called', result: reply.result, isError: reply.result.isError === true };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    child.kill('SIGTERM');
    const stop = this.#clock.after(LIMITS.toolEndMs.value, () => this.#guard.kill(child.pid));
    await gone;
    stop();
  }

  async #introduce(): Promise<Described | Refusal> {
    const greeting = await this.#peer.greet(this.spec.protocol);
    if (typeof greeting === 'string' || 'error' in greeting) return this.#notStarted(greeting);
    const timeoutMs = LIMITS.toolStartMs.value;
    const described = await describeServer(greeting.result, (method, params) =>
      this.#peer.ask(method, params, { timeoutMs }),
    );
    if (typeof described === 'string' || 'error' in described) return this.#notStarted(described);
    // A server that was started again has forgotten them, and they may have changed meanwhile.
    for (const uri of this.#watched.uris) {
      void this.#peer.ask('resources/subscribe', { uri }, { timeoutMs });
      this.#watched.tell({ kind: 'updated', uri });
    }
    return described;
  }

  #changed(change: ServerChange): void {
    if (change.kind !== 'updated') this.#described = undefined;
    this.#watched.tell(change);
  }

  #notStarted(reply: Reply): Refusal {
    this.#described = undefined;
    const last = this.#said.trim().split('\n').at(-1) ?? '';
    const why =
      typeof reply === 'object' && 'error' in reply
        ? reply.error.message
        : [reply === 'late' ? LATE : '', last].filter((part) => part !== '').join('; it wrote: ');
    return refusal('unreachable', `The tool server ${this.spec.id} does not start: ${why || 'it ended'}`, {
      remedy: `try its command in a terminal: ${this.spec.command.join(' ')}`,
    });
  }

  #send(message: JsonRecord): void {
    this.#child ??= this.#start();
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
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
      // A group of its own, so that what it starts ends with it.
      detached: true,
    });
    if (child.pid !== undefined) this.#guard.watch(child.pid);
    const gone = (why: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#described = undefined;
      this.#lines.clear();
      if (why !== '') this.#say(why);
      this.#peer.end('gone');
      if (!this.#isClosed) this.#died();
    };
    child.on('exit', () => this.#guard.ended(child.pid));
    child.on('error', (error) => gone(error.message));
    child.on('close', () => gone(''));
    // What it was sent when it had just ended is told by its end.
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text, child));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#hearSaid(text));
    return child;
  }

  #hearSaid(text: string): void {
    this.#said = (this.#said + text).slice(-LIMITS.toolSaid.value);
  }

  /** What became of it, where its own words stand. */
  #say(line: string): void {
    this.#hearSaid(`${line}\n`);
  }

  #read(text: string, child: Child): void {
    for (const line of this.#lines.push(text)) {
      const message = parseJson(line);
      if (isRecord(message)) this.#peer.hear(message);
    }
    if (this.#lines.rest <= LIMITS.toolLine.value) return;
    this.#lines.clear();
    this.#say(`mezz ended it: a message of more than ${LIMITS.toolLine.value} characters`);
    child.kill('SIGKILL');
  }
}

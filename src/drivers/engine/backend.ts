/** The engine as a backend: every dialect answered by the model on the shelf that the request names. */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Clock } from '../../base/clock.ts';
import type { CallId } from '../../base/ids.ts';
import { isRecord, type Json, type JsonRecord, parseJson, tableOf } from '../../base/json.ts';
import type { ModelCall, ModelOutcome, NeutralDialect } from '../../base/model.ts';
import type { BackendSpec, ModelBackend, Suspendable } from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { collectAnswer } from '../../wire/collect.ts';
import type { NeutralEvent } from '../../wire/neutral.ts';
import { record, text } from '../../wire/read.ts';
import { CODECS } from '../../wire/translate.ts';
import { LIMITS } from '../limits.ts';
import { Exchange } from '../models/exchange.ts';
import { InsideUpstream } from '../models/inside.ts';
import { findComponent } from './component.ts';
import { encodeEmbeddings, inputTexts } from './embeddings.ts';
import { readGguf } from './gguf.ts';
import { EngineHost, type EngineJob, type JobEnd } from './host.ts';
import type { EngineOptions } from './options.ts';
import type { Embedded, Job, Sampling } from './protocol.ts';
import type { Shelf } from './shelf.ts';

/** Where the engine's files are on this machine. */
export interface EnginePlaces {
  readonly shelf: Shelf;
  /** Where this user's own copy of the library is. */
  readonly component: string;
}

interface Fault {
  readonly status: number;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const COUNTS = tableOf<NeutralDialect>({
  '/messages/count_tokens': 'anthropic',
  '/responses/input_tokens': 'openai-responses',
});

export class EngineBackend implements ModelBackend {
  readonly spec: BackendSpec;
  readonly #options: EngineOptions;
  readonly #places: EnginePlaces;
  readonly #clock: Clock;
  readonly #hosts = new Map<string, EngineHost>();
  readonly #answers = new Map<CallId, Answering>();
  #cancelSweep: () => void = () => {};

  constructor(spec: BackendSpec, options: EngineOptions, places: EnginePlaces, clock: Clock) {
    this.spec = spec;
    this.#options = options;
    this.#places = places;
    this.#clock = clock;
  }

  perform(ticket: Ticket, call: ModelCall): Promise<ModelOutcome> {
    ticket.use();
    return new Promise((resolve) => {
      const exchange = new Exchange(call, this.#clock, this.spec.idleTimeoutMs, resolve);
      void this.#serve(ticket.call, call, new InsideUpstream(exchange));
    });
  }

  suspendable(call: CallId): Suspendable | undefined {
    return this.#answers.get(call);
  }

  models(): readonly string[] {
    return this.#places.shelf.ids().map((id) => `engine/${id}`);
  }

  /** Process ids of the models in memory, by model. */
  loaded(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#hosts].flatMap(([key, { osPid }]) => (osPid === undefined ? [] : [[nameOf(key), osPid]])),
    );
  }

  async retire(): Promise<void> {
    // Each model leaves with its last job.
    this.#sweep(0);
  }

  async close(): Promise<void> {
    this.#cancelSweep();
    for (const host of this.#hosts.values()) host.close();
  }

  async #serve(id: CallId, call: ModelCall, upstream: InsideUpstream): Promise<void> {
    const body = parseJson(Buffer.from(call.decoded).toString('utf8'));
    const path = call.path.split('?', 1)[0] as string;
    const dialect = call.dialect === 'openai-embeddings' ? 'openai-chat' : call.dialect;
    const fail = ({ status, message, retryAfterMs }: Fault) =>
      upstream.json(
        status,
        CODECS[dialect].encodeFailure(status, message),
        retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) },
      );
    const counted = COUNTS[path];
    if (!isRecord(body) || (path !== CODECS[dialect].path && path !== '/embeddings' && !counted))
      return fail({ status: 404, message: `The engine has no ${path}.` });
    const host = this.#hostOf(text(body, 'model'));
    if (!(host instanceof EngineHost)) return fail(host);
    if (path === '/embeddings') return this.#embed(host, body, upstream, fail);
    if (!counted) {
      const answering = new Answering(call, dialect, body, upstream, this.#clock, fail);
      this.#answers.set(id, answering);
      return answering.run(host).finally(() => this.#answers.delete(id));
    }
    const job: Job = { kind: 'count', request: CODECS[counted].decodeRequest(body) };
    finish(await host.run(job, () => {}, upstream.signal).ended, upstream, fail, ({ tokens }) => ({
      input_tokens: tokens ?? 0,
      ...(counted === 'anthropic' ? {} : { object: 'response.input_tokens' }),
    }));
  }

  async #embed(
    host: EngineHost,
    body: JsonRecord,
    upstream: InsideUpstream,
    fail: (fault: Fault) => void,
  ): Promise<void> {
    const texts = inputTexts(body.input);
    if (texts === undefined)
      return fail({
        status: 400,
        message: `input must be a text or at most ${LIMITS.engineInputs.value} texts; the engine takes no tokens.`,
      });
    const end = await host.run({ kind: 'embed', texts }, () => {}, upstream.signal).ended;
    finish(end, upstream, fail, (result) => encodeEmbeddings(result as unknown as Embedded, body));
  }

  /** The host of a model, or why there is none. */
  #hostOf(model: string): EngineHost | Fault {
    const id = model.replace(/^engine\//, '');
    const { shelf } = this.#places;
    const path = shelf.locate(id);
    if (path === undefined)
      return {
        status: 404,
        message: notThere(model, shelf.ids()),
      };
    const { ino, mtimeMs, size } = statSync(path);
    // Another file of the same name is another model.
    const key = `${id} ${ino} ${mtimeMs}`;
    const known = this.#hosts.get(key);
    if (known) return known;
    const component = findComponent(this.#places.component);
    if (component === undefined)
      return { status: 422, message: 'The engine is not installed here. Type: mezz model engine install' };
    const facts = readGguf(path);
    if ('problem' in facts)
      return {
        status: 422,
        message: `The file of ${model} is damaged: ${facts.problem}. Type: mezz model rm ${id}`,
      };
    const short = memoryShort(size, process.availableMemory());
    if (short) return { status: 422, message: `${model} does not fit: ${short}` };
    if (!this.#makeRoom()) return { status: 429, message: this.#allBusy(), retryAfterMs: 1000 };
    const { kept, windowTokens } = this.#options;
    const sequences = this.#options.sequences + kept;
    const threads = this.#options.threads ?? defaultThreads(availableParallelism());
    const host = new EngineHost(
      { component, modelPath: path, threads, sequences, windowTokens },
      this.#clock,
    );
    this.#hosts.set(key, host);
    this.#cancelSweep();
    this.#cancelSweep = this.#clock.after(LIMITS.engineIdleMs.value, () =>
      this.#sweep(LIMITS.engineIdleMs.value),
    );
    return host;
  }

  /** Lets go of the model that was idle for longest, where there are as many as may be. */
  #makeRoom(): boolean {
    if (this.#hosts.size < LIMITS.engineModels.value) return true;
    const idle = [...this.#hosts].filter(([, { busy }]) => !busy);
    // One that died holds nothing and goes before any that works.
    const age = ({ osPid, usedAt }: EngineHost) => (osPid === undefined ? -1 : usedAt);
    const oldest = idle.sort(([, a], [, b]) => age(a) - age(b))[0];
    if (!oldest) return false;
    this.#release(...oldest);
    return true;
  }

  #allBusy(): string {
    return `The engine holds ${[...this.#hosts.keys()].map(nameOf).join(' and ')}, and all of them are at work.`;
  }

  #release(key: string, host: EngineHost): void {
    this.#hosts.delete(key);
    host.close();
  }

  /** Lets go of the models that nobody asked for so long; looks again while there are some. */
  #sweep(idleMs: number): void {
    const now = this.#clock.now();
    for (const [key, host] of this.#hosts)
      if (!host.busy && now - host.usedAt >= idleMs) this.#release(key, host);
    if (this.#hosts.size === 0) return;
    const nextMs = Math.max(1000, idleMs);
    this.#cancelSweep = this.#clock.after(nextMs, () => this.#sweep(idleMs));
  }
}

/** The model's own name in the key of its host. */
const nameOf = (key: string): string => key.split(' ', 1)[0] as string;

const notThere = (model: string, ids: readonly string[]): string =>
  ids.length === 0
    ? `There is no model ${model}: none is here yet. Type: mezz model pull smollm2`
    : `There is no model ${model}; here are ${ids.map((id) => `engine/${id}`).join(', ')}.`;

/**
 * One less than the machine gives this process (its affinity and its cgroup's share), at least one: the engine's threads
 * wait for each other by spinning, so one that has to wait for a core holds up all of them.
 */
export const defaultThreads = (available: number): number => Math.max(1, available - 1);

/** Why a model of this size cannot be held; undefined where it may. */
export function memoryShort(bytes: number, available: number): string | undefined {
  const gb = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  return bytes < available
    ? undefined
    : `it needs ${gb(bytes)} of memory and more for its window, and ${gb(available)} are free.`;
}

/** Ends an answer that is one JSON object. */
function finish(
  end: JobEnd,
  upstream: InsideUpstream,
  fail: (fault: Fault) => void,
  encode: (result: JsonRecord) => JsonRecord,
): void {
  if (end.kind === 'done') upstream.json(200, encode(end.result));
  else if (end.kind === 'refused') fail(faultOf(end));
  else upstream.fail(end.message);
}

const faultOf = ({ refusal, retryAfterMs }: Extract<JobEnd, { kind: 'refused' }>): Fault => ({
  ...refusal,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});

/** One generated answer on its way out. */
class Answering implements Suspendable {
  readonly #dialect: NeutralDialect;
  readonly #body: JsonRecord;
  readonly #upstream: InsideUpstream;
  readonly #createdAt: number;
  readonly #model: string;
  readonly #fail: (fault: Fault) => void;
  readonly #written: (tokens: number) => void;
  #job: EngineJob | undefined;

  constructor(
    call: ModelCall,
    dialect: NeutralDialect,
    body: JsonRecord,
    upstream: InsideUpstream,
    clock: Clock,
    fail: (fault: Fault) => void,
  ) {
    this.#dialect = dialect;
    this.#body = body;
    this.#upstream = upstream;
    this.#createdAt = Math.floor(clock.now() / 1000);
    this.#model = call.facts.model;
    this.#fail = fail;
    this.#written = call.written ?? (() => {});
  }

  async suspend(): Promise<boolean> {
    const job = this.#job;
    if (!job) return false;
    const isStopped = await Promise.race([job.suspend().then(() => true), job.ended.then(() => false)]);
    if (isStopped) this.#upstream.suspend(true);
    return isStopped;
  }

  proceed(): void {
    this.#upstream.suspend(false);
    this.#job?.proceed();
  }

  async run(host: EngineHost): Promise<void> {
    const codec = CODECS[this.#dialect];
    const upstream = this.#upstream;
    const request = codec.decodeRequest(this.#body);
    const includeUsage = record(this.#body.stream_options).include_usage === true;
    const at = { createdAt: this.#createdAt, model: this.#model, includeUsage };
    const encoder = codec.newEncoder(at);
    const events: NeutralEvent[] = [];
    let tokens = 0;
    const emit = (more: readonly NeutralEvent[]): void => {
      for (const { kind } of more)
        if (kind === 'delta' && ++tokens % LIMITS.engineToldTokens.value === 0) this.#written(tokens);
      if (!request.stream) return void events.push(...more);
      for (const event of more) {
        if (event.kind === 'start') upstream.head(200, { 'content-type': 'text/event-stream' });
        for (const bytes of encoder.event(event)) upstream.write(bytes);
      }
    };
    const generate = { kind: 'generate', request, sampling: samplingOf(request.extras) } as const;
    this.#job = host.run(generate, emit, upstream.signal);
    const end = await this.#job.ended;
    if (end.kind === 'done' && request.stream) return upstream.end();
    finish(end, upstream, this.#fail, () => codec.encodeAnswer(collectAnswer(events), at));
  }
}

/** What no two dialects share, by the names it has in one of them. */
function samplingOf(extras: JsonRecord): Sampling {
  const whole = (value: Json | undefined) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const [topK, seed] = [whole(extras.top_k), whole(extras.seed)];
  return { ...(topK === undefined ? {} : { topK }), ...(seed === undefined ? {} : { seed }) };
}

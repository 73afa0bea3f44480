/**
 * The trace through the real kernel: programs are played over loopback against the lab with a script, which is the
 * engine of engine.ts (the same cache of prefixes, the same seconds for the same tokens) in scaled time. How many calls
 * run at once is the kernel's word. Bodies are as long as their tokens, 16 tokens a byte: content is made up.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { systemClock } from '../../src/drivers/clock.ts';
import { LAB_DEFAULTS } from '../../src/drivers/lab/options.ts';
import type { LabReply, LabRequest } from '../../src/drivers/lab/script.ts';
import { type Lab, openLab } from '../../src/drivers/lab/server.ts';
import { startSubject } from '../lab/subject.ts';
import { type Job, newJob, PrefixCache, stepOf } from './engine.ts';
import { PREFILL } from './trace.ts';

const TOKENS_PER_BYTE = 16;

/** Who plays: an agent of the kernel. */
export interface Hired {
  readonly name: string;
  readonly nice: number;
  readonly owner: string;
}
/** What a call is, and was. */
export interface Played {
  readonly job: Job;
  readonly hired: Hired;
  readonly sentS: number;
  /** When the engine began it, how long it took there, and when the client had its answer. */
  readonly startedS: number;
  readonly tookS: number;
  readonly endedS: number;
  readonly fresh: number;
  readonly output: number;
}

/** A limit in front of the engine: turns a call away, or lets it pass and says what is left. */
export interface Limiter {
  take(fresh: number, output: number, nowS: number): LabReply;
}

/** The slots of an engine that queues by itself. */
class Line {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  async take(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

/** The engine as a script of the lab. */
class StubEngine {
  readonly #cache: PrefixCache;
  readonly #scale: number;
  readonly #nowS: () => number;
  readonly #limiter: Limiter | undefined;
  readonly #line: Line | undefined;
  readonly jobs = new Map<string, Job>();
  readonly runs = new Map<string, { startedS: number; tookS: number }>();
  busyS = 0;
  recomputed = 0;
  /** Calls that were turned away. */
  refused = 0;

  constructor({ cacheTokens, scale, limiter, isDirect, slots }: LiveOptions, nowS: () => number) {
    this.#cache = new PrefixCache(cacheTokens);
    this.#scale = scale;
    this.#nowS = nowS;
    this.#limiter = limiter;
    this.#line = isDirect ? new Line(slots) : undefined;
  }

  answer(request: LabRequest): LabReply | undefined {
    const messages = request.json()?.messages as { content: string }[] | undefined;
    const [name = ''] = messages?.[0]?.content.split(' ', 1) ?? [];
    const job = this.jobs.get(name);
    if (!job) return undefined;
    const { input, fresh, output, serviceS } = stepOf(job);
    const isCold = job.at > 0 && !this.#cache.has(job);
    const again = isCold ? input - fresh : 0;
    const limit = this.#limiter?.take(fresh + again, output, this.#nowS()) ?? {};
    if (limit.status !== undefined) {
      this.refused++;
      return limit;
    }
    this.recomputed += again;
    const tookS = serviceS + again / PREFILL;
    this.runs.set(name, { startedS: this.#nowS(), tookS });
    this.busyS += tookS;
    this.#cache.running.add(job.id);
    this.#cache.put(job, input + output);
    const isLast = job.at === job.program.steps.length - 1;
    const hold = this.#hold(tookS).then(() => {
      this.#cache.running.delete(job.id);
      if (isLast) this.#cache.drop(job);
    });
    const computed = fresh + again;
    const usage = { input: computed, cacheRead: input - computed, cacheWrite: 0, output, reasoning: 0 };
    const call = {
      kind: 'call',
      id: `c${job.at}`,
      name: 'go',
      input: '{}',
      custom: false,
      extras: {},
    } as const;
    const text = { kind: 'text', text: 'Done.', extras: {} } as const;
    const parts = isLast ? [text] : [call];
    const id = `${name}.${job.at}`;
    return { ...limit, hold, answer: { id, parts, stop: isLast ? 'end' : 'calls', usage } };
  }

  async #hold(tookS: number): Promise<void> {
    await this.#line?.take();
    await sleep((1000 * tookS) / this.#scale);
    this.#line?.give();
  }
}

export interface LiveOptions {
  readonly scale: number;
  readonly cacheTokens: number;
  readonly slots: number;
  readonly hired: readonly Hired[];
  readonly limiter?: Limiter;
  /** No kernel: the agents speak to the engine, which queues what finds no slot. */
  readonly isDirect?: boolean;
  /** More settings of the backend, and of mezz.yaml. */
  readonly backend?: string;
  readonly more?: string;
}

export class Live {
  readonly #options: LiveOptions;
  readonly #engine: StubEngine;
  readonly #pool: Pool;
  readonly #keys: readonly string[];
  readonly #close: () => Promise<void>;
  #from = performance.now();
  readonly played: Played[] = [];

  private constructor(
    options: LiveOptions,
    engine: StubEngine,
    origin: string,
    keys: readonly string[],
    close: () => Promise<void>,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#pool = new Pool(origin, { connections: 512, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
    this.#keys = keys;
    this.#close = close;
  }

  static async open(options: LiveOptions): Promise<Live> {
    const { scale, slots, hired, isDirect, backend = 'credential: local', more = '' } = options;
    const clock: { live?: Live } = {};
    const engine = new StubEngine(options, () => clock.live?.nowS ?? 0);
    const lab: Lab = await openLab(LAB_DEFAULTS, systemClock, (request) => engine.answer(request));
    if (isDirect) {
      const keys = hired.map(({ name }) => name);
      clock.live = new Live(options, engine, lab.origin, keys, () => lab.close());
      return clock.live;
    }
    const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
    const config = `
backends:
  stub: { url: '${lab.origin}/v1', dialects: [openai-chat], slots: ${slots}, ${backend} }
models:
  stub: { backends: [stub], price: free }
journal: { bodies: 'off' }
loop: { repeats: 100000 }
${more}`;
    const subject = await startSubject('mezz', {
      file: 'live.ts',
      args: [scratch, config, JSON.stringify(hired)],
      node: ['--import', new URL('../lab/scaled.ts', import.meta.url).href],
      env: { MEZZ_BENCH_SCALE: String(scale), MEZZ_BENCH_KEY: 'sk-bench' },
    });
    const { origin = '', keys = '' } = subject.said;
    clock.live = new Live(options, engine, origin, keys.split(' '), async () => {
      await subject.stop();
      await lab.close();
      rmSync(scratch, { recursive: true, force: true });
    });
    return clock.live;
  }

  /** Seconds of the benchmark since it began. */
  get nowS(): number {
    return ((performance.now() - this.#from) * this.#options.scale) / 1000;
  }

  /** Opens connections and warms the code up: a hundred calls that take no time of the engine. */
  async warm(): Promise<void> {
    const step = { input: 2_000, fresh: 0, output: 0, serviceS: 0, gapS: 0 };
    const program = { steps: Array.from({ length: 12 }, () => step), serviceS: 0, aloneS: 0 };
    const jobs = Array.from({ length: 8 }, (_, i) => newJob(-1 - i, 'me', program, 0));
    await Promise.all(jobs.map((job, i) => this.play(job, i % this.#keys.length)));
    this.played.length = 0;
  }

  /**
   * What a call took beyond the engine's time, mean of all, in seconds of the benchmark: the kernel, sockets and this
   * process, stretched as all is. Its way there is that of calls that found a free slot.
   */
  get overheadS(): number {
    const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const { slots } = this.#options;
    const isFree = ({ sentS }: Played) => {
      const others = this.played.filter((one) => one.sentS < sentS && sentS < one.endedS);
      return others.length < slots;
    };
    const there = this.played.filter(isFree).map(({ sentS, startedS }) => startedS - sentS);
    const back = this.played.map(({ startedS, tookS, endedS }) => endedS - startedS - tookS);
    return mean(there) + mean(back);
  }

  /** From now on it is second 0. */
  begin(): void {
    this.#from = performance.now();
  }

  get figures() {
    const { recomputed, busyS, refused } = this.#engine;
    return { recomputed, busyS, refused };
  }

  sleep(seconds: number): Promise<void> {
    return sleep((1000 * Math.max(0, seconds)) / this.#options.scale);
  }

  /** All calls of a program, one after the other, as this agent; `until`: no call is sent after. */
  async play(job: Job, who: number, until = Number.POSITIVE_INFINITY): Promise<void> {
    const name = `job${job.id}`;
    this.#engine.jobs.set(name, job);
    const messages: object[] = [];
    let bytes = 0;
    for (job.at = 0; job.at < job.program.steps.length; job.at++) {
      const { input, output, fresh, gapS } = stepOf(job);
      await this.sleep(gapS);
      if (this.nowS > until) return;
      const pad = '.'.repeat(Math.max(1, Math.floor(input / TOKENS_PER_BYTE) - bytes));
      const id = `c${job.at - 1}`;
      const call = { id, type: 'function', function: { name: 'go', arguments: '{}' } };
      if (job.at === 0) messages.push({ role: 'user', content: `${name} ${pad}` });
      else
        messages.push(
          { role: 'assistant', content: null, tool_calls: [call] },
          { role: 'tool', tool_call_id: id, content: pad },
        );
      const body = JSON.stringify({ model: 'stub', messages });
      bytes = body.length;
      const sentS = this.nowS;
      await this.#send(body, who);
      const endedS = this.nowS;
      const { startedS, tookS } = this.#engine.runs.get(name) ?? { startedS: sentS, tookS: 0 };
      const hired = this.#options.hired[who] as Hired;
      this.played.push({ job, hired, sentS, startedS, tookS, endedS, fresh, output });
    }
    job.doneS = this.nowS;
  }

  async #send(body: string, who: number): Promise<void> {
    const answer = await this.#pool.request({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${this.#keys[who]}`,
        'x-stainless-timeout': '86000',
      },
      body,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${text.slice(0, 300)}`);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
    await this.#close();
  }
}

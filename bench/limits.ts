/**
 * A rate limit under load, through the real kernel: agents that ask one after the other, 1.3 times as much as the limit,
 * of a model API whose limit brings 20 requests a second (two seconds' worth can be saved up). The API says so in 429s
 * alone, or enforces and tells it as Anthropic or as OpenAI does. Compared: agents that go there directly and retry as the
 * official SDKs do (two retries, retry-after honoured), the same eight at a time, and agents without any retry through
 * mezz. Then through mezz while the limit is halved, is whole again, and another client takes a third of it. Counted: turns
 * that failed, 429s the agents saw and the API sent, the share of the limit that was used while all agents asked, and how
 * long a turn took over its service time. The policies under a limit are compared by bench/hosted.ts.
 * Usage: node scripts/with-node.js bench/limits.ts [--api anthropic|openai|plain] [--agents 12] [--turns 30] [--json]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { small } from './lab/bodies.ts';
import { note, option, print, text } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const PER_SECOND = 20;
const SERVICE_MS = 200;
const OVERLOAD = 1.3;
const RETRIES = 2;
/** What was saved up is gone by then. */
const FROM_MS = 8000;

const agents = option('agents', 12);
const turns = option('turns', 30);
/** Each agent's pause after an answer: together they would ask OVERLOAD times the limit. */
const thinkMs = (1000 * agents) / (OVERLOAD * PER_SECOND) - SERVICE_MS;

interface Turn {
  readonly tookMs: number;
  readonly limited: number;
  readonly failed: boolean;
}

/** So many at a time; the others wait in turn. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(free: number) {
    this.#free = free;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

async function turn(pool: Pool, key: string, body: Buffer, retries: number): Promise<Omit<Turn, 'tookMs'>> {
  let limited = 0;
  for (let tries = 0; ; tries++) {
    const {
      statusCode,
      headers,
      body: answer,
    } = await pool.request({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body,
    });
    await answer.dump();
    if (statusCode === 429) limited++;
    const failed = statusCode !== 200;
    if (!failed || tries === retries) return { limited, failed };
    const ms = Number(headers['retry-after-ms'] ?? 1000 * Number(headers['retry-after'] ?? 0.5 * 2 ** tries));
    await sleep(ms);
  }
}

interface Counts {
  readonly taken: number;
  readonly refused: number;
  readonly others: number;
}
interface Run {
  readonly all: readonly Turn[];
  /** While all agents asked: how long that was, and what the API took then. */
  readonly spanMs: number;
  readonly taken: number;
  readonly refused: number;
  readonly others: number;
}

class Api {
  readonly #child: ChildProcess;
  readonly origin: string;

  private constructor(child: ChildProcess, origin: string) {
    this.#child = child;
    this.origin = origin;
  }

  static async open(kind: string): Promise<Api> {
    const file = fileURLToPath(new URL('./lab/limited.ts', import.meta.url));
    const child = fork(file, [kind, String(PER_SECOND), String(SERVICE_MS)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [{ origin }] = (await once(child, 'message')) as [{ origin: string }];
    return new Api(child, origin);
  }

  tell(what: 'half' | 'whole' | 'other'): void {
    this.#child.send(what);
  }

  async counts(): Promise<Counts> {
    this.#child.send('counts');
    const [{ counts }] = (await once(this.#child, 'message')) as [{ counts: Counts }];
    return counts;
  }

  close(): void {
    this.#child.kill();
  }
}

async function run(
  api: Api,
  origin: string,
  keys: readonly string[],
  retries: number,
  atOnce: number,
): Promise<Run> {
  const pool = new Pool(origin, { connections: agents, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const gate = new Gate(atOnce);
  const all: Turn[] = [];
  let firstDone: (counts: Promise<Counts>) => void = () => {};
  const done = new Promise<Counts>((resolve) => {
    firstDone = resolve;
  });
  const startedAt = performance.now();
  let doneAt = 0;
  const agent = async (who: number) => {
    await sleep((who * thinkMs) / agents);
    for (let i = 0; i < turns; i++) {
      const at = performance.now();
      const key = keys[who % keys.length] as string;
      const one = await gate.pass(() => turn(pool, key, small(1000 * who + i), retries));
      all.push({ ...one, tookMs: performance.now() - at });
      await sleep(thinkMs);
    }
    if (doneAt === 0) {
      doneAt = performance.now();
      firstDone(api.counts());
    }
  };
  await api.counts();
  const warm = sleep(FROM_MS).then(() => (doneAt === 0 ? api.counts() : undefined));
  await Promise.all(Array.from({ length: agents }, (_, who) => agent(who)));
  const [before, inside, after] = [await warm, await done, await api.counts()];
  await pool.destroy();
  return {
    all,
    spanMs: doneAt - startedAt - (before ? FROM_MS : 0),
    taken: inside.taken,
    others: inside.others,
    refused: (before?.refused ?? 0) + inside.refused + after.refused,
  };
}

interface Row {
  readonly api: string;
  readonly name: string;
  readonly turns: number;
  readonly failed: number;
  readonly seen429: number;
  readonly sent429: number;
  readonly usedShare: number;
  readonly meanSlowdown: number;
}

function rowOf(api: string, name: string, { all, spanMs, taken, others, refused }: Run): Row {
  const slowdowns = all.filter(({ failed }) => !failed).map(({ tookMs }) => tookMs / SERVICE_MS);
  return {
    api,
    name,
    turns: all.length,
    failed: all.filter(({ failed }) => failed).length,
    seen429: all.reduce((sum, { limited }) => sum + limited, 0),
    sent429: refused,
    usedShare: (taken + others) / ((PER_SECOND * spanMs) / 1000),
    meanSlowdown: slowdowns.reduce((sum, one) => sum + one, 0) / slowdowns.length,
  };
}

async function measure(kind: string): Promise<Row[]> {
  const api = await Api.open(kind);
  const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
  const mezz = await startSubject('mezz', { file: 'kernel.ts', args: [api.origin, scratch, String(agents)] });
  const rows: Row[] = [];
  const at = mezz.said.origin as string;
  const keys = (mezz.said.keys as string).split(' ');
  const one = async (
    name: string,
    origin: string,
    names: readonly string[],
    retries: number,
    atOnce = 1e9,
  ) => {
    note(`${kind}: ${name}`);
    await sleep(2500);
    rows.push(rowOf(kind, name, await run(api, origin, names, retries, atOnce)));
  };
  try {
    await one('direct, SDK retries', api.origin, ['sk-none'], RETRIES);
    await one('direct, 8 at once', api.origin, ['sk-none'], RETRIES, 8);
    await one('through mezz, no retries', at, keys, 0);
    if (kind === 'plain') return rows;
    api.tell('half');
    await one('through mezz, limit halved', at, keys, 0);
    api.tell('whole');
    await one('through mezz, whole again', at, keys, 0);
    api.tell('other');
    await one('through mezz, another client', at, keys, 0);
    return rows;
  } finally {
    await mezz.stop();
    api.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const rows: Row[] = [];
const apis = text('api') === '' ? ['anthropic', 'openai', 'plain'] : [text('api')];
for (const kind of apis) rows.push(...(await measure(kind)));
print({ rows }, [
  ['API', 'agents', 'turns', 'failed', '429s seen', '429s sent', 'limit used', 'mean slowdown'],
  ...rows.map((row) => [
    row.api,
    row.name,
    String(row.turns),
    String(row.failed),
    String(row.seen429),
    String(row.sent429),
    `${(100 * row.usedShare).toFixed(1)} %`,
    row.meanSlowdown.toFixed(2),
  ]),
]);

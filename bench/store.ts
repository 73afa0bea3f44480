/**
 * The store alone: durable appends (one journal entry and its row each) with 1 to 1,024 callers that each wait for
 * theirs, how long the main thread's event loop is held up meanwhile, and syncs per commit. Then the flat cost law: what
 * call 10,000 of an agent costs against call 10, at equal size, in time, bytes written and rows read.
 * Usage: node scripts/with-node.js bench/store.ts [--ms 1500] [--json]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { newCallId } from '../src/base/ids.ts';
import { TABLES } from '../src/db/schema/index.ts';
import { META } from '../src/db/schema/meta.ts';
import { openSqliteStore } from '../src/db/sqlite/store.ts';
import type { Store, Table } from '../src/db/store.ts';
import { systemClock as clock } from '../src/drivers/clock.ts';
import { systemRandom } from '../src/drivers/random.ts';
import { type Journal, openJournal } from '../src/journal/journal.ts';
import { option, print } from './lab/report.ts';
import { countSyncs } from './lab/syncs.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));

/** An entry and a row of the size that START of a call has. */
async function append(journal: Journal): Promise<void> {
  const call = newCallId(clock.now(), systemRandom);
  const body = { owner: 'me', kind: 'model.generate', args: 'x'.repeat(450) };
  await journal.append({
    entries: [{ kind: 'call.start', agent: 1, call, body }],
    puts: [{ table: META as unknown as Table, row: { k: call, v: 'x'.repeat(250) } }],
  });
}

interface Load {
  readonly waiters: number;
  readonly appendsPerSecond: number;
  readonly appendsPerCommit: number;
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
}

async function load(store: Store, journal: Journal, waiters: number, forMs: number): Promise<Load> {
  const before = await store.stats();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const startedAt = performance.now();
  let appends = 0;
  const loop = async () => {
    while (performance.now() - startedAt < forMs) {
      await append(journal);
      appends++;
    }
  };
  delay.enable();
  await Promise.all(Array.from({ length: waiters }, loop));
  delay.disable();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await store.stats();
  return {
    waiters,
    appendsPerSecond: appends / seconds,
    appendsPerCommit: (after.batches - before.batches) / (after.commits - before.commits),
    // The timer itself is 1 ms long.
    lagP99Ms: delay.percentile(99) / 1e6 - 1,
    lagMaxMs: delay.max / 1e6 - 1,
  };
}

interface Cost {
  readonly ms: number;
  readonly bytesWritten: number;
}

/** Median time and mean bytes of `count` calls in a row; bytes are those this process hands to the kernel (Linux). */
async function cost(store: Store, journal: Journal, count: number): Promise<Cost> {
  const times: number[] = [];
  // Whoever asks waits until the database holds all that was appended: what was before is not written in this window.
  await store.stats();
  const before = bytesWritten();
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    await append(journal);
    times.push(performance.now() - startedAt);
  }
  await store.stats();
  const bytes = bytesWritten() - before;
  return { ms: times.sort((a, b) => a - b)[count >> 1] as number, bytesWritten: bytes / count };
}

function bytesWritten(): number {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
}

/** The store, and how many reads were asked of it. */
function counting(store: Store): { store: Store; reads: () => number } {
  let reads = 0;
  const READS: readonly unknown[] = ['get', 'range', 'entries', 'blob'];
  const counted = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (READS.includes(name)) reads++;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store: counted, reads: () => reads };
}

/** Calls in one window: enough for several checkpoints of the log, whose writes belong to the calls before them. */
const WINDOW = 1500;

/** Early and late windows of one fresh store, several times; a window is long enough to hold the same share of checkpoints. */
async function flatness(rounds: number) {
  const early: Cost[] = [];
  const late: Cost[] = [];
  let readInAll = 0;
  for (let round = 0; round < rounds; round++) {
    const directory = join(scratch, `flat-${round}`);
    const { store, reads } = counting(await openSqliteStore({ directory, tables: TABLES }));
    const journal = await openJournal({ store, clock });
    const readsBefore = reads();
    for (let i = 0; i < 9; i++) await append(journal);
    early.push(await cost(store, journal, WINDOW));
    await Promise.all(
      Array.from({ length: 64 }, () => repeat(Math.ceil((10_000 - WINDOW) / 64), () => append(journal))),
    );
    late.push(await cost(store, journal, WINDOW));
    readInAll += reads() - readsBefore;
    await store.close();
  }
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] as number;
  return {
    timeRatio: median(late.map(({ ms }, i) => ms / (early[i] as Cost).ms)),
    bytesRatio: median(late.map(({ bytesWritten: bytes }, i) => bytes / (early[i] as Cost).bytesWritten)),
    readInAll,
    earlyMs: median(early.map(({ ms }) => ms)),
    earlyBytes: median(early.map(({ bytesWritten: bytes }) => bytes)),
  };
}

async function repeat(count: number, work: () => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i++) await work();
}

const store = await openSqliteStore({ directory: join(scratch, 'load'), tables: TABLES });
const journal = await openJournal({ store, clock });
const loads: Load[] = [];
try {
  await load(store, journal, 16, 500);
  for (const waiters of [1, 16, 128, 1024])
    loads.push(await load(store, journal, waiters, option('ms', 1500)));
  const before = await store.stats();
  const syncs = await countSyncs(() => repeat(50, () => append(journal)));
  const commits = (await store.stats()).commits - before.commits;
  const flat = await flatness(3);
  print({ loads, syncs: { ...syncs, commits }, flat }, [
    ['callers', 'appends/s', 'per commit', 'loop lag p99 ms', 'max ms'],
    ...loads.map((one) => [
      String(one.waiters),
      one.appendsPerSecond.toFixed(0),
      one.appendsPerCommit.toFixed(1),
      one.lagP99Ms.toFixed(1),
      one.lagMaxMs.toFixed(1),
    ]),
    [`syncs in ${commits} commits (${syncs?.how ?? 'cannot be counted here'})`, String(syncs?.count ?? '-')],
    ['call 10,000 / call 10: time', flat.timeRatio.toFixed(2)],
    ['call 10,000 / call 10: bytes written', flat.bytesRatio.toFixed(2)],
    ['call 10,000 / call 10: rows read', `${flat.readInAll} in all`],
  ]);
} finally {
  await store.close();
  rmSync(scratch, { recursive: true, force: true });
}

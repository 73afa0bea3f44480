/**
 * What conflict control costs and saves, in this process: lock acquire and release, alone and in a crowd, and lost updates and time of agents
 * that read, think for a moment and write, with no broker, one global lock, and mezz's keys.
 *   node scripts/with-node.js bench/locks.ts
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/drivers/clock.ts';
import { fifo } from '../src/scheduler/policies/fifo.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import type { Effect } from '../src/tools/effects.ts';
import { Locks } from '../src/tools/locks.ts';

const AGENTS = 8;
const CALLS = 10;
const TOOL_MS = 50;
const ROUNDS = 20_000;
const TURNS = 50;

function newLocks() {
  const locks = new Locks();
  const options = { clock: systemClock, resources: [locks], policy: fifo, maxWaitMs: 1e9, queue: 100_000 };
  const scheduler = new Scheduler(options);
  let next = 0;
  const acquire = (agent: number, effects: readonly Effect[]): Promise<() => void> =>
    new Promise((resolve) => {
      const call = `c${next++}`;
      locks.declare({ call, agent, effects, ordered: false });
      scheduler.submit({
        ...{ call, agent, owner: 'me', nice: 0, arrivedAt: Date.now(), deadlineAt: Number.POSITIVE_INFINITY },
        ...{ inTokens: 0, outTokens: 0, image: 'bench', resources: [locks.name] },
        onGrant: () =>
          resolve(() => {
            scheduler.release(call, locks.name);
            locks.forget(call);
          }),
        onRefuse: (why) => {
          throw new Error(why.message);
        },
      });
    });
  return acquire;
}

type Acquire = ReturnType<typeof newLocks>;

async function cost(): Promise<number> {
  const acquire = newLocks();
  const round = async (n: number) => {
    const release = await acquire(n % AGENTS, [{ key: `file:/repo/${n % AGENTS}`, access: 'delta' }]);
    release();
  };
  for (let n = 0; n < 2000; n++) await round(n);
  const from = process.hrtime.bigint();
  for (let n = 0; n < ROUNDS; n++) await round(n);
  return Number(process.hrtime.bigint() - from) / ROUNDS / 1000;
}

/** One gives back what so many wait for, and the first of them takes it: µs. */
async function costInCrowd(waiting: number): Promise<number> {
  const acquire = newLocks();
  const taken = Array.from({ length: waiting + TURNS }, (_, n) =>
    acquire(n % AGENTS, [{ key: 'file:/repo/hot', access: 'delta' }]),
  );
  let us = 0;
  for (const next of taken.slice(0, TURNS)) {
    const release = await next;
    const from = process.hrtime.bigint();
    release();
    us += Number(process.hrtime.bigint() - from) / 1000;
  }
  return us / TURNS;
}

/** Every fifth call changes one hot value, the others the agent's own: read, work, write back. */
async function contend(keyOf: (value: string) => string | undefined): Promise<{ lost: number; ms: number }> {
  const acquire: Acquire = newLocks();
  const values = new Map<string, number>();
  const change = async (agent: number, value: string) => {
    const key = keyOf(value);
    const release = key === undefined ? () => {} : await acquire(agent, [{ key, access: 'delta' }]);
    const read = values.get(value) ?? 0;
    await sleep(TOOL_MS);
    values.set(value, read + 1);
    release();
  };
  const from = performance.now();
  await Promise.all(
    Array.from({ length: AGENTS }, async (_, agent) => {
      for (let n = 0; n < CALLS; n++) await change(agent, n % 5 === 0 ? 'hot' : `own ${agent}`);
    }),
  );
  const kept = [...values.values()].reduce((sum, value) => sum + value, 0);
  return { lost: AGENTS * CALLS - kept, ms: Math.round(performance.now() - from) };
}

process.stdout.write(`acquire and release, uncontended: ${(await cost()).toFixed(1)} us\n`);
for (const waiting of [100, 900])
  process.stdout.write(
    `given back and taken by the next while ${waiting} wait for it: ${(await costInCrowd(waiting)).toFixed(0)} us\n`,
  );
for (const [name, keyOf] of [
  ['no broker', () => undefined],
  ['one global lock', () => 'file:/'],
  ['mezz', (value: string) => `file:/${value}`],
] as const) {
  const { lost, ms } = await contend(keyOf);
  process.stdout.write(`${name}: ${lost} of ${AGENTS * CALLS} updates lost, ${ms} ms\n`);
}

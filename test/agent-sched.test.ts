/** The scheduling benchmark runs the kernel's own code: what must be equal is equal, and the order of figures holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programs as fives, SLOTS } from '../bench/sched/aios.ts';
import { newJob, type Orderer, simulate } from '../bench/sched/engine.ts';
import { KernelOrderer, train } from '../bench/sched/kernel.ts';
import { AiosFifo, clairvoyant, fifo } from '../bench/sched/peers.ts';
import { type Program, readTrace } from '../bench/sched/trace.ts';
import { seededRandom } from '../src/base/random.ts';
import { History } from '../src/scheduler/history.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';

const { train: trained, test: programs } = readTrace();
const history = train(trained);
const CACHE = 1.5e6;

function jobs(count: number) {
  const random = seededRandom(5);
  return Array.from({ length: count }, (_, id) =>
    newJob(id, 'me', programs[Math.floor(random.unit() * programs.length)] as Program, 12 * id),
  );
}
const kernel = (name: string, cacheTokens?: number): Orderer => {
  const policy = POLICIES.get(name) as Policy<unknown>;
  return new KernelOrderer({ policy, history, maxWaitS: 1e9, ...(cacheTokens ? { cacheTokens } : {}) });
};
const ends = (orderer: Orderer) =>
  simulate(jobs(1000), CACHE, orderer).jobs.map(({ doneS, arrivedS }) => doneS - arrivedS);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('the kernel under fifo is first come, first served to the instant, and the same again', () => {
  assert.deepEqual(ends(kernel('fifo')), ends(fifo()));
  assert.deepEqual(ends(kernel('mezz', CACHE)), ends(kernel('mezz', CACHE)));
});

test('programs take less time under the default than under fifo, and no less than who knows the future lets them', () => {
  const [ours, first, best] = [kernel('mezz', CACHE), fifo(), clairvoyant(3)()].map((one) => mean(ends(one)));
  assert.ok((ours as number) < 0.8 * (first as number), `${ours} of ${first}`);
  assert.ok((best as number) < (ours as number), `${best} and ${ours}`);
});

test('on the workload of AIOS the default is 1.8 times as fast as its FIFO, and turns end sooner than without a kernel', () => {
  const run = (orderer: Orderer, seed: number) => {
    const jobs = fives(100, seed).map((program, id) => newJob(id, 'me', program, 0));
    const ends = simulate(jobs, Number.POSITIVE_INFINITY, orderer, SLOTS).jobs.map(({ doneS }) => doneS);
    return { last: Math.max(...ends), mean: mean(ends) };
  };
  const over = (make: () => Orderer) => {
    const runs = [1, 2, 3, 4, 5].map((seed) => run(make(), seed));
    return { last: mean(runs.map(({ last }) => last)), mean: mean(runs.map((one) => one.mean)) };
  };
  const policy = POLICIES.get('mezz') as Policy<unknown>;
  const ours = over(() => new KernelOrderer({ policy, history: new History(), maxWaitS: 600, slots: SLOTS }));
  const [aios, direct] = [over(() => new AiosFifo()), over(fifo)];
  assert.ok(aios.last > 1.8 * ours.last, `${aios.last} and ${ours.last}`);
  assert.ok(ours.mean < 0.95 * direct.mean, `${ours.mean} and ${direct.mean}`);
});

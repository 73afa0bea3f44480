import assert from 'node:assert/strict';
import test from 'node:test';
import { tokenSeed } from './seeds.ts';
import { type Latch, Steps } from './steps.ts';

/** Answers whose steps are played by hand; `log` says whose each step was. */
function play() {
  const steps = new Steps();
  const log: string[] = [];
  let running: (() => void) | undefined;
  /** Until nothing happens by itself any more. */
  const quiet = async () => {
    for (let i = 0; i < 50; i++) await Promise.resolve();
  };
  const write = async (name: string, latch: Latch, count: number, signal = new AbortController().signal) => {
    const work = () =>
      new Promise<void>((resolve) => {
        assert.equal(running, undefined, 'two steps at once');
        log.push(name);
        running = resolve;
      });
    for (let i = 0; i < count; i++) if (!(await latch.step(signal, work))) return false;
    return true;
  };
  /** Lets the step that runs end, and the next begin. */
  const pass = async () => {
    const end = running;
    running = undefined;
    end?.();
    await quiet();
  };
  return { steps, log, write, pass, quiet };
}

test('a step is of one answer alone, and answers take turns', async () => {
  const { steps, log, write, pass, quiet } = play();
  void write('a', steps.newLatch(), 3);
  void write('b', steps.newLatch(), 1);
  void write('c', steps.newLatch(), 2);
  await quiet();
  for (let i = 0; i < 8; i++) await pass();
  assert.equal(log.join(' '), 'a b c a c a');
  assert.equal(steps.ended, 6);
});

test('a closed latch stops at once what waits, and what computes after that step; the rest goes on', async () => {
  const { steps, log, write, pass, quiet } = play();
  const [a, b] = [steps.newLatch(), steps.newLatch()];
  const told: string[] = [];
  void write('a', a, 9);
  void write('b', b, 9);
  await quiet();
  a.close(() => told.push('a'));
  assert.equal(told.length, 0);
  await pass();
  assert.equal(told.join(), 'a');
  await pass();
  assert.equal(log.join(' '), 'a b b');
  b.close(() => told.push('b'));
  await pass();
  assert.deepEqual([told.join(), steps.ended, log.length], ['a,b', 3, 3]);
  a.open();
  a.close(() => told.push('again'));
  assert.equal(told.join(), 'a,b');
  await quiet();
  await pass();
  assert.deepEqual([told.join(), log.join(' ')], ['a,b,again', 'a b b a']);
});

test('who leaves while it is stopped is gone, and who never began is stopped at once', async () => {
  const { steps, log, write, pass, quiet } = play();
  const latch = steps.newLatch();
  const left = new AbortController();
  let told = 0;
  latch.close(() => told++);
  assert.equal(told, 1);
  const went = write('a', latch, 2, left.signal);
  await quiet();
  await pass();
  assert.equal(log.length, 0);
  left.abort();
  assert.equal(await went, false);
  assert.equal(await write('a', latch, 1, left.signal), false);
});

test('the seed of a token depends on its position alone, and no two are alike', () => {
  const seeds = Array.from({ length: 10_000 }, (_, at) => tokenSeed(7, at));
  assert.equal(new Set(seeds).size, 10_000);
  assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32));
  assert.deepEqual([tokenSeed(7, 4000), tokenSeed(8, 4000) === seeds[4000]], [seeds[4000], false]);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { tokenSeed } from './seeds.ts';
import { type Latch, type StepKind, Steps } from './steps.ts';

/** Answers whose steps are played by hand; `log` says what each step computed. */
function play() {
  const due: (() => void)[] = [];
  const steps = new Steps((task) => due.push(task));
  const log: string[][] = [];
  const open = new Map<string, () => void>();
  /** Until nothing happens by itself any more. */
  const quiet = async () => {
    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      due.shift()?.();
    }
  };
  const ask = (name: string, kind: StepKind, latch: Latch, signal = new AbortController().signal) =>
    latch.step(kind, signal, () => new Promise<void>((resolve) => open.set(name, resolve)));
  /** Lets the step that runs end, and the next begin. */
  const pass = async () => {
    log.push([...open.keys()]);
    for (const end of open.values()) end();
    open.clear();
    await quiet();
  };
  return { steps, log, ask, pass, quiet };
}

test('a step is one chunk of one prompt, or a token of each that writes; they take turns', async () => {
  const { steps, log, ask, pass, quiet } = play();
  const [a, b, c, d] = [steps.newLatch(), steps.newLatch(), steps.newLatch(), steps.newLatch()];
  void ask('a', 'write', a).then(() => ask('a', 'write', a));
  void ask('b', 'write', b).then(() => ask('b', 'write', b));
  void ask('c', 'read', c).then(() => ask('c', 'read', c));
  void ask('d', 'read', d);
  await quiet();
  for (let i = 0; i < 6; i++) await pass();
  assert.deepEqual(log, [['c'], ['a', 'b'], ['d'], ['a', 'b'], ['c'], []]);
  assert.equal(steps.ended, 5);
});

test('a closed latch stops at once what waits, and what computes after that step; the rest goes on', async () => {
  const { steps, log, ask, pass, quiet } = play();
  const [a, b] = [steps.newLatch(), steps.newLatch()];
  const told: string[] = [];
  const write = async (name: string, latch: Latch) => {
    for (let i = 0; i < 9; i++) await ask(name, 'write', latch);
  };
  void write('a', a);
  void write('b', b);
  await quiet();
  a.close(() => told.push('a'));
  assert.equal(told.length, 0);
  await pass();
  assert.equal(told.join(), 'a');
  await pass();
  assert.deepEqual(log, [['a', 'b'], ['b']]);
  b.close(() => told.push('b'));
  await pass();
  assert.deepEqual([told.join(), steps.ended], ['a,b', 3]);
  a.open();
  await quiet();
  await pass();
  assert.deepEqual(log.slice(2), [['b'], ['a']]);
});

test('who leaves while it is stopped is gone, and who never began is stopped at once', async () => {
  const { steps, log, ask, pass, quiet } = play();
  const latch = steps.newLatch();
  const left = new AbortController();
  let told = 0;
  latch.close(() => told++);
  assert.equal(told, 1);
  const went = ask('a', 'write', latch, left.signal);
  await quiet();
  await pass();
  assert.deepEqual(log, [[]]);
  left.abort();
  assert.equal(await went, false);
  assert.equal(await ask('a', 'write', latch, left.signal), false);
});

test('the seed of a token depends on its position alone, and no two are alike', () => {
  const seeds = Array.from({ length: 10_000 }, (_, at) => tokenSeed(7, at));
  assert.equal(new Set(seeds).size, 10_000);
  assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32));
  assert.deepEqual([tokenSeed(7, 4000), tokenSeed(8, 4000) === seeds[4000]], [seeds[4000], false]);
});

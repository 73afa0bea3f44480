/** The host's promises under random traffic in virtual time: no idle slot, no leak, no starvation, the same order twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { aWaiting } from './fixture.test.ts';
import { POLICIES } from './policies/all.ts';
import { fifo } from './policies/fifo.ts';
import { priority } from './policies/priority.ts';
import type { Policy } from './policy.ts';
import type { Waiting } from './queue.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

const MAX_WAIT_MS = 1_000;
const QUEUE = 20;
const SIZES = { a: 1, b: 3 } as const;
const EITHER = [['a'], ['b'], ['a', 'b'], ['b', 'a']] as const;

class World {
  readonly clock = new VirtualClock(1_000_000);
  readonly slots = [new Slots('a', SIZES.a), new Slots('b', SIZES.b)];
  readonly scheduler: Scheduler;
  readonly log: string[] = [];
  readonly running = new Map<string, string>();
  readonly waiting = new Map<string, readonly string[]>();

  constructor(policy: Policy<unknown>, onFault: (why: string) => void = () => {}) {
    this.scheduler = new Scheduler({
      onFault,
      clock: this.clock,
      resources: this.slots,
      policy,
      maxWaitMs: MAX_WAIT_MS,
      queue: QUEUE,
    });
  }

  submit(call: string, nice: number, resources: readonly string[], more: Partial<Waiting> = {}): void {
    this.waiting.set(call, resources);
    this.scheduler.submit({
      ...aWaiting(call),
      ...more,
      nice,
      arrivedAt: this.clock.now(),
      resources,
      onGrant: (resource) => {
        assert.ok(this.waiting.delete(call), `${call} granted once, while it waits`);
        this.running.set(call, resource);
        this.log.push(`${call}@${resource}`);
      },
      onRefuse: (why) => {
        assert.ok(this.waiting.delete(call));
        this.log.push(`${call}:${why.code}`);
      },
    });
  }

  cancel(call: string): void {
    this.waiting.delete(call);
    this.scheduler.cancel(call);
  }

  release(call: string, output = 10): void {
    const resource = this.running.get(call);
    if (resource === undefined) return;
    this.running.delete(call);
    this.scheduler.used(call, { input: 50, cached: 100, output, endsTurn: output % 3 === 0 });
    this.scheduler.release(call, resource);
  }

  check(): void {
    for (const { name, busy, size } of this.slots) {
      const held = [...this.running.values()].filter((resource) => resource === name).length;
      assert.equal(busy, held, `${name}: every taken slot has a call`);
      const wanted = [...this.waiting.values()].some((resources) => resources.includes(name));
      assert.ok(!wanted || busy === size, `${name} is free while a call waits for it`);
    }
    assert.equal(this.scheduler.waiting(), this.waiting.size);
    assert.ok(this.waiting.size <= QUEUE, 'the queue is bounded');
  }
}

const step = fc.record({
  kind: fc.constantFrom('submit', 'submit', 'submit', 'release', 'cancel', 'pass'),
  which: fc.nat(1_000),
  nice: fc.integer({ min: -20, max: 19 }),
  who: fc.nat(3),
  resources: fc.constantFrom(...EITHER),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(steps: readonly Step[], policy: Policy<unknown>): World {
  const world = new World(policy);
  steps.forEach(({ kind, which, nice, who, resources }, index) => {
    const known = [...(kind === 'cancel' ? world.waiting : world.running).keys()];
    const call = known[which % Math.max(1, known.length)];
    const more = { owner: `o${who}`, agent: who, turn: `t${which % 7}`, image: `i${who % 2}` };
    if (kind === 'submit') world.submit(`c${index}`, nice, resources, more);
    else if (kind === 'pass') world.clock.advanceTo(world.clock.now() + which);
    else if (kind === 'release' && call !== undefined) world.release(call, which);
    else if (call !== undefined) world.cancel(call);
    world.check();
  });
  return world;
}

test('no slot idles while a call wants it, none leaks, the queue is bounded', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.constantFrom(...POLICIES.values()),
      (steps, policy) => {
        const world = play(steps, policy);
        for (const call of [...world.waiting.keys()]) world.cancel(call);
        for (const call of [...world.running.keys()]) world.release(call);
        assert.deepEqual(
          world.slots.map(({ busy }) => busy),
          [0, 0],
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('the same events give the same order', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.constantFrom(...POLICIES.values()),
      (steps, policy) => {
        assert.deepEqual(play(steps, policy).log, play(steps, policy).log);
      },
    ),
    { numRuns: 200 },
  );
});

for (const policy of POLICIES.values())
  test(`${policy.name}: a call is not starved beyond the maximum wait by a stream the policy prefers`, () => {
    const world = new World(policy);
    // What each of the policies puts last: nice, of an owner, agent and turn that were served a lot, with no deadline.
    const last = { owner: 'patient', agent: 7, turn: 'long' };
    world.submit('first', -20, ['a'], last);
    world.release('first', 100_000);
    world.submit('busy', -20, ['a'], { owner: 'rush', agent: 8 });
    world.submit('patient', 19, ['a'], last);
    const arrivedAt = world.clock.now();
    for (let i = 0; world.waiting.has('patient'); i++) {
      world.submit(`urgent${i}`, -20, ['a'], { owner: 'rush', agent: 9 + i, deadlineAt: 2_000_000 });
      world.clock.advanceTo(world.clock.now() + 100);
      for (const call of [...world.running.keys()]) world.release(call, 1);
      assert.ok(
        world.clock.now() - arrivedAt <= MAX_WAIT_MS + 100,
        'served at the first end after the maximum',
      );
    }
    const isRuled = policy !== fifo;
    if (isRuled)
      assert.ok(world.clock.now() - arrivedAt >= MAX_WAIT_MS, 'and not before: the policy rules until then');
  });

test('a policy that throws is replaced by first come, first served, and nothing is lost', () => {
  for (const where of ['key', 'event', 'reasons'] as const) {
    const fail = () => {
      throw new Error('broken');
    };
    const world = new World({ ...priority, name: 'broken', [where]: fail });
    for (let i = 0; i < 6; i++) world.submit(`c${i}`, -i, ['a']);
    world.scheduler.explain('c3');
    assert.equal(world.scheduler.policy, 'fifo');
    for (let i = 0; i < 6; i++) world.release(`c${i}`);
    assert.deepEqual(
      world.log,
      [0, 1, 2, 3, 4, 5].map((i) => `c${i}@a`),
      where,
    );
  }
});

test('a live swap keeps arrivals and changes the order of those that wait', () => {
  const world = new World(fifo);
  for (const [call, nice] of [
    ['run', 0],
    ['late', 5],
    ['soon', -5],
  ] as const)
    world.submit(call, nice, ['a']);
  world.scheduler.setPolicy(priority);
  world.release('run');
  world.scheduler.setPolicy(fifo);
  world.release('soon');
  assert.deepEqual(world.log, ['run@a', 'soon@a', 'late@a']);
});

test('a policy that breaks its contract gives way to the one before it, and that to first come, first served', () => {
  for (const key of [[Number.NaN], [], 'first', undefined] as unknown as number[][]) {
    const faults: string[] = [];
    const world = new World(priority, (why) => faults.push(why));
    for (const [call, nice] of [
      ['run', 0],
      ['late', 5],
      ['soon', -5],
    ] as const)
      world.submit(call, nice, ['a']);
    world.scheduler.setPolicy({ ...fifo, name: 'theirs', fixed: true, key: () => key });
    world.release('run');
    assert.deepEqual([world.log, world.scheduler.policy], [['run@a', 'soon@a'], 'priority']);
    assert.match(faults.join(), /^the policy theirs failed and was replaced by priority/);
    assert.equal(faults.length, 1);
  }
});

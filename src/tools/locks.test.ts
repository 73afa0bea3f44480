import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { fifo } from '../scheduler/policies/fifo.ts';
import { priority } from '../scheduler/policies/priority.ts';
import type { Policy } from '../scheduler/policy.ts';
import { Slots } from '../scheduler/resource.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { conflict, type Effect } from './effects.ts';
import { Locks } from './locks.ts';

const KEYS = ['file:/a', 'file:/a/b', 'file:/a/b/c', 'file:/a/bc', 'file:/d', 'git:/a'];

const effect = fc
  .record({
    key: fc.constantFrom(...KEYS),
    access: fc.constantFrom('read', 'append', 'delta', 'replace'),
    guessed: fc.boolean(),
  })
  .map(
    ({ key, access, guessed }): Effect => ({
      key,
      access,
      ...(guessed && access === 'delta' ? { guessed } : {}),
    }),
  );

const step = fc.record({
  kind: fc.constantFrom('submit', 'submit', 'submit', 'release', 'cancel'),
  which: fc.nat(1000),
  nice: fc.integer({ min: -20, max: 19 }),
  effects: fc.array(effect, { minLength: 1, maxLength: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Call {
  readonly id: string;
  readonly nice: number;
  readonly order: number;
  readonly effects: readonly Effect[];
}
const meet = (a: Call, b: Call): boolean =>
  a.effects.some((one) => b.effects.some((other) => conflict(one, other)));

class World {
  readonly clock = new VirtualClock(1_000);
  readonly locks = new Locks();
  readonly scheduler: Scheduler;
  readonly waiting = new Map<string, Call>();
  readonly running = new Map<string, Call>();
  readonly #policy: Policy<unknown>;

  constructor(policy: Policy<unknown>) {
    this.#policy = policy;
    this.scheduler = new Scheduler({
      ...{ clock: this.clock, policy, maxWaitMs: 1e9, queue: 1000 },
      resources: [new Slots('other', 1), this.locks],
    });
  }

  submit(call: Call): void {
    this.waiting.set(call.id, call);
    // Every call is an agent's of its own: calls of one agent's client never meet.
    this.locks.declare({ call: call.id, agent: call.order, effects: call.effects, ordered: true });
    this.scheduler.submit({
      ...{ owner: 'me', inTokens: 0, outTokens: 0, image: 'claude-code' },
      ...{ call: call.id, agent: call.order, nice: call.nice, arrivedAt: this.clock.now() },
      deadlineAt: Number.POSITIVE_INFINITY,
      resources: [this.locks.name],
      onGrant: () => {
        assert.ok(this.waiting.delete(call.id), `${call.id} is granted once`);
        this.running.set(call.id, call);
      },
      onRefuse: (why) => assert.fail(why.message),
    });
  }

  end(id: string): void {
    if (this.waiting.delete(id)) this.scheduler.cancel(id);
    else if (this.running.delete(id)) this.scheduler.release(id, this.locks.name);
    this.locks.forget(id);
  }

  /** Where the policy puts one call before another. */
  before(a: Call, b: Call): boolean {
    return this.#policy === priority && a.nice !== b.nice ? a.nice < b.nice : a.order < b.order;
  }

  check(): void {
    const running = [...this.running.values()];
    const waiting = [...this.waiting.values()];
    for (const [i, a] of running.entries())
      for (const b of running.slice(i + 1)) assert.ok(!meet(a, b), `${a.id} and ${b.id} hold what conflicts`);
    for (const call of waiting) {
      const blocked =
        running.some((other) => meet(call, other)) ||
        waiting.some((other) => other !== call && this.before(other, call) && meet(call, other));
      assert.ok(blocked, `${call.id} waits though nothing before it is in its way`);
      const told = this.locks.obstacles(call.id);
      assert.notEqual(told.length, 0, 'and who is in its way can be told');
      for (const { claim, held } of told) {
        const other = this.waiting.get(claim.call);
        assert.ok(held || (other && this.before(other, call)), `${claim.call} comes before ${call.id}`);
      }
    }
    assert.equal(this.locks.busy, running.length);
    assert.equal(this.scheduler.waiting(), waiting.length);
  }
}

function play(steps: readonly Step[], policy: Policy<unknown>): World {
  const world = new World(policy);
  steps.forEach(({ kind, which, nice, effects }, order) => {
    world.clock.advanceTo(world.clock.now() + 1);
    const known = [...(kind === 'cancel' ? world.waiting : world.running).keys()];
    if (kind === 'submit') world.submit({ id: `c${order}`, nice, order, effects });
    else if (known.length > 0) world.end(known[which % known.length] as string);
    world.check();
  });
  return world;
}

test('conflicting calls never run at once, disjoint ones never wait, and nobody is passed by one that it is in the way of', () => {
  const property = fc.property(
    fc.array(step, { maxLength: 80 }),
    fc.constantFrom(fifo, priority),
    (steps, policy) => {
      play(steps, policy);
    },
  );
  fc.assert(property, { numRuns: 400 });
});

test('no deadlock: when the running calls end, every waiting one runs, whatever keys it takes', () => {
  const property = fc.property(
    fc.array(step, { maxLength: 80 }),
    fc.constantFrom(fifo, priority),
    (steps, policy) => {
      const world = play(steps, policy);
      while (world.running.size > 0) {
        world.end([...world.running.keys()][0] as string);
        world.check();
      }
      assert.equal(world.waiting.size, 0);
      assert.equal(world.locks.busy, 0);
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test('a writer is not starved by readers that come after it', () => {
  const world = new World(fifo);
  const one = (id: string, order: number, access: 'read' | 'replace') =>
    world.submit({ id, nice: 0, order, effects: [{ key: 'file:/a', access }] });
  one('reader', 0, 'read');
  one('writer', 1, 'replace');
  for (let i = 2; i < 50; i++) one(`late${i}`, i, 'read');
  assert.deepEqual([...world.running.keys()], ['reader']);
  world.end('reader');
  assert.deepEqual([...world.running.keys()], ['writer']);
  world.end('writer');
  assert.equal(world.running.size, 48, 'and the readers then run together');
});

test('what a release costs grows with those that wait, and not with their square', () => {
  /** How often who waits is looked at when one gives a key back that all want. */
  const looks = (count: number): number => {
    const { scheduler, locks, clock } = new World(priority);
    const running: string[] = [];
    let looked = 0;
    for (let n = 0; n < count; n++) {
      const id = `c${n}`;
      locks.declare({ call: id, agent: n, effects: [{ key: 'file:/a', access: 'delta' }], ordered: false });
      scheduler.submit({
        ...{ owner: 'me', inTokens: 0, outTokens: 0, image: 'claude-code', agent: n, nice: n % 5 },
        ...{ arrivedAt: clock.now(), deadlineAt: Number.POSITIVE_INFINITY, resources: [locks.name] },
        get call() {
          looked++;
          return id;
        },
        onGrant: () => running.push(id),
        onRefuse: (why) => assert.fail(why.message),
      });
    }
    looked = 0;
    scheduler.release(running[0] as string, locks.name);
    assert.equal(running.length, 2, 'the next has it');
    return looked;
  };
  assert.ok(looks(400) < 3 * looks(200), `${looks(200)} for 200, ${looks(400)} for 400`);
});

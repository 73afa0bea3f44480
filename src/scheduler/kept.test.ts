/** What of a rate limit is kept for calls that go first: only that, only while they come, and never at the price of inflow. */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import type { Need } from './charging.ts';
import { aWaiting } from './fixture.test.ts';
import { Governor } from './governor.ts';
import { LIMITS } from './limits.ts';
import { priority } from './policies/priority.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

const NOW = 1_000_000;
const SIZE = 60_000;
const FIRST = -5;
const LAST = 0;
const need = (input: number): Need => ({ input, cached: 0, output: 0, bound: 0 });

/** A limit of 60,000 tokens of input a minute, whose provider says what is left with every answer. */
class Limit {
  readonly governor = new Governor();
  now = NOW;
  left = SIZE;
  #calls = 0;

  constructor() {
    this.#served(0, undefined);
  }

  pass(ms: number): void {
    this.now += ms;
    this.left = Math.min(SIZE, this.left + ms);
  }
  isOpen(input: number, nice?: number): boolean {
    return this.governor.isOpen(this.toll(input, nice), this.now);
  }
  opensAfter(input: number, nice: number): number {
    return this.governor.opensAt(this.toll(input, nice), this.now) - this.now;
  }
  /** Takes it and has its answer at once, if there is room. */
  serve(input: number, nice: number): boolean {
    if (!this.isOpen(input, nice)) return false;
    this.#served(input, nice);
    return true;
  }
  toll = (input: number, nice?: number) => ({ limit: 'a m', need: need(input), nice });

  #served(input: number, nice: number | undefined): void {
    const call = `c${this.#calls++}`;
    const { governor, now } = this;
    governor.take(this.toll(input, nice), call, now);
    this.left -= input;
    const remaining = Math.max(0, this.left);
    const told = { limit: SIZE, remaining, slack: 0, fullAt: now + SIZE - this.left, fullWithinMs: 1 };
    governor.heard('a m', call, [{ dimension: 'input', ...told }], now);
    governor.leave('a m', call, 'served', { input, cached: 0, output: 0 }, now);
  }
}

describe('what is kept of a bucket for calls that go first', () => {
  test('is how far they have drawn it down of late: a large call of the others leaves that, and they find it', () => {
    const limit = new Limit();
    assert.ok(limit.serve(6_000, FIRST) && limit.serve(4_000, FIRST), 'ten thousand in a row');
    assert.ok(limit.serve(25_000, LAST));
    assert.ok(limit.isOpen(24_000, LAST), 'what was drawn just now is not kept once more');
    limit.pass(10_000);
    // 35,000 are left by now.
    assert.ok(!limit.isOpen(26_000, LAST));
    assert.match(limit.governor.reason(limit.toll(26_000, LAST), limit.now), /10000 that are kept for calls/);
    assert.equal(limit.opensAfter(26_000, LAST), 1_000);
    assert.ok(limit.serve(25_000, LAST));
    assert.ok(limit.isOpen(10_000, FIRST));
    assert.ok(!limit.isOpen(1, LAST));
  });
  test('is kept from nobody who goes as early or earlier, nor from a call without a class', () => {
    const limit = new Limit();
    limit.serve(10_000, FIRST);
    limit.serve(20_000, LAST);
    limit.pass(10_000);
    for (const nice of [FIRST, FIRST - 1, undefined]) assert.ok(limit.isOpen(40_000, nice), `${nice}`);
    assert.ok(!limit.isOpen(31_000, LAST));
    assert.ok(!limit.isOpen(31_000, LAST + 5));
  });
  test('is nothing any more once they have not come for a while, and shrinks when they need less', () => {
    const limit = new Limit();
    limit.serve(10_000, FIRST);
    for (let i = 0; i < 100; i++) {
      limit.pass(1_000);
      limit.serve(1_000, FIRST);
    }
    limit.pass(1_000);
    const left = Math.floor(limit.left);
    assert.ok(limit.isOpen(left - 2_500, LAST), 'a tenth and some: two per cent less with each call');
    assert.ok(!limit.isOpen(left - 900, LAST));
    limit.pass(LIMITS.keptMs.value + 1);
    limit.serve(20_000, LAST);
    assert.ok(limit.isOpen(40_000, LAST));
  });
  test('ends at a share of the bucket', () => {
    const limit = new Limit();
    limit.serve(55_000, FIRST);
    limit.pass(50_000);
    // 55,000 are left; of the half of 60,000 that is kept, 5,000 are still drawn.
    assert.ok(limit.isOpen(30_000, LAST));
    assert.ok(!limit.isOpen(30_001, LAST));
  });
  test('loses no inflow and starves nobody: a full bucket is kept from nobody, and a call waits no longer than to there', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 20_000 }),
      first: fc.option(fc.integer({ min: 1, max: 70_000 }), { nil: undefined, freq: 2 }),
      last: fc.integer({ min: 1, max: 70_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limit = new Limit();
        for (const { ms, first, last } of steps) {
          limit.pass(ms);
          if (first !== undefined) limit.serve(first, FIRST);
          if (limit.serve(last, LAST)) continue;
          assert.ok(!limit.isOpen(SIZE), 'it is not full');
          const waitMs = limit.opensAfter(last, LAST);
          assert.ok(waitMs >= limit.opensAfter(last, FIRST), 'who goes first waits no longer');
          assert.ok(waitMs <= limit.opensAfter(SIZE, FIRST), 'not longer than until it is full');
          limit.pass(waitMs);
          assert.ok(limit.serve(last, LAST), 'and then it goes');
        }
      }),
    );
  });
});

test('nothing is kept from a call that has waited the maximum', () => {
  const clock = new VirtualClock(NOW);
  const limit = new Limit();
  limit.serve(10_000, FIRST);
  limit.serve(45_000, LAST);
  const granted: string[] = [];
  const [meter, resources] = [limit.governor, [new Slots('x', 4)]];
  const scheduler = new Scheduler({
    clock,
    resources,
    policy: priority,
    maxWaitMs: 15_000,
    queue: 10,
    meter,
  });
  const tolls = new Map([['x', limit.toll(15_000, LAST)]]);
  const waiting = aWaiting('last', { nice: LAST });
  scheduler.submit({ ...waiting, arrivedAt: NOW, tolls, onGrant: () => granted.push('last') });
  clock.advanceTo(NOW + 14_000);
  scheduler.look('a m', ['x']);
  assert.deepEqual(granted, [], 'there would be enough, but for what is kept');
  clock.advanceTo(NOW + 15_000);
  scheduler.look('a m', ['x']);
  assert.deepEqual(granted, ['last']);
});

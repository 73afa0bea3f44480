/** Rate limits in the scheduler: a limit that is used up holds its own line back, in its order, and nobody else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { aWaiting } from './fixture.test.ts';
import type { Meter, Toll } from './meter.ts';
import { priority } from './policies/priority.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

/** So many units of each limit, that come back when a call gives up what it took, or when the clock says so. */
class Units implements Meter {
  readonly left = new Map<string, number>();
  readonly taken = new Map<string, Toll>();
  opens = Number.POSITIVE_INFINITY;

  tryTake(toll: Toll, call: string): boolean {
    const left = this.left.get(toll.limit) ?? 0;
    if (left < toll.need.input) return false;
    this.left.set(toll.limit, left - toll.need.input);
    this.taken.set(call, toll);
    return true;
  }
  opensAt(): number {
    return this.opens;
  }
  giveUp({ limit, need }: Toll, call: string): void {
    assert.ok(this.taken.delete(call), `${call} gives back once what it took`);
    this.left.set(limit, (this.left.get(limit) ?? 0) + need.input);
  }
}

function world(slots: number) {
  const clock = new VirtualClock(0);
  const meter = new Units();
  const granted: string[] = [];
  const resources = [new Slots('x', slots)];
  const scheduler = new Scheduler({ clock, resources, policy: priority, maxWaitMs: 1e9, queue: 1000, meter });
  const submit = (call: string, nice: number, limit: string, input: number) =>
    scheduler.submit({
      ...aWaiting(call, { nice }),
      tolls: new Map([['x', { limit, need: { input, cached: 0, output: 0, bound: 0 } }]]),
      onGrant: () => granted.push(call),
    });
  return { clock, meter, granted, scheduler, submit };
}

test('the first of a line that its limit does not cover keeps those behind it back, and no other line', () => {
  const { clock, meter, granted, scheduler, submit } = world(10);
  meter.left.set('a', 5).set('b', 5);
  meter.opens = 100;
  submit('a-large', 0, 'a', 8);
  submit('a-small', 5, 'a', 1);
  submit('b', 5, 'b', 1);
  assert.deepEqual(granted, ['b']);
  submit('a-urgent', -5, 'a', 1);
  assert.deepEqual(granted, ['b', 'a-urgent'], 'who goes first in the order goes first');
  meter.left.set('a', 9);
  clock.advanceTo(99);
  assert.equal(granted.length, 2);
  clock.advanceTo(100);
  assert.deepEqual(granted.slice(2), ['a-large', 'a-small'], 'looked at when it may have opened');
  assert.equal(scheduler.waiting('x'), 0);
});

test('what was taken for a call comes back when it gives its slot back, and opens its line', () => {
  const { meter, granted, scheduler, submit } = world(10);
  meter.left.set('a', 1);
  for (const call of ['1', '2', '3']) submit(call, 0, 'a', 1);
  assert.deepEqual(granted, ['1']);
  scheduler.release('1', 'x');
  scheduler.release('2', 'x');
  assert.deepEqual(granted, ['1', '2', '3']);
  meter.left.set('a', 1);
  submit('4', 0, 'a', 1);
  submit('5', 0, 'a', 1);
  scheduler.cancel('5');
  assert.equal(scheduler.waiting(), 0);
  assert.deepEqual([...meter.taken.keys()], ['3', '4']);
});

test('no call waits that its slot and its limit would take, but behind one whose turn it is', () => {
  const step = fc.record({
    kind: fc.constantFrom('submit', 'submit', 'submit', 'release', 'fill'),
    limit: fc.constantFrom('a', 'b', 'c'),
    nice: fc.integer({ min: -3, max: 3 }),
    input: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { meter, granted, scheduler, submit } = world(3);
      const asked = new Map<string, { limit: string; nice: number; input: number; order: number }>();
      const ended = new Set<string>();
      steps.forEach(({ kind, limit, nice, input }, order) => {
        if (kind === 'submit') {
          asked.set(`c${order}`, { limit, nice, input, order });
          submit(`c${order}`, nice, limit, input);
        } else if (kind === 'fill') {
          meter.left.set(limit, (meter.left.get(limit) ?? 0) + input);
          scheduler.look(limit, ['x']);
        } else {
          const first = granted.find((call) => !ended.has(call));
          if (first === undefined) return;
          ended.add(first);
          scheduler.release(first, 'x');
        }
        if (granted.length - ended.size === 3) return;
        for (const name of ['a', 'b', 'c']) {
          const line = [...asked].filter(([call, one]) => one.limit === name && !granted.includes(call));
          const [head] = line.sort(([, a], [, b]) => a.nice - b.nice || a.order - b.order);
          assert.ok(!head || head[1].input > (meter.left.get(name) ?? 0), `${head?.[0]} waits in vain`);
        }
      });
    }),
    { numRuns: 300 },
  );
});

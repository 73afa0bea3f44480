import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { ENGINE } from './cost.ts';
import { aCall, aWaiting } from './fixture.test.ts';
import { LIMITS } from './limits.ts';
import { fifo } from './policies/fifo.ts';
import { las } from './policies/las.ts';
import { priority } from './policies/priority.ts';
import type { Policy } from './policy.ts';
import { newRunning, type Running, victimFor } from './preemption.ts';
import type { Waiting } from './queue.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

const NOTHING = { suspend: () => {}, proceed: () => {} };

describe('which running call stops for the next', () => {
  const slots = new Slots('x', 2, { ...ENGINE, keeps: 1 });
  const running = (call: string, nice: number, more: Partial<Running> = {}): Running => ({
    ...newRunning(aWaiting(call, { nice, preemptible: NOTHING }), slots, 0),
    ...more,
  });
  const niceOf = ({ nice }: { nice: number }) => [nice];
  const free = () => 0;
  const choose = (
    nice: number,
    all: Running[],
    isOverdue = false,
    costOf: (one: Running) => number | undefined = free,
  ) => victimFor({ key: [nice], isOverdue }, all, niceOf, costOf)?.waiting.call;

  test('the last in the order that stands behind the next; none that stands level or before', () => {
    assert.equal(choose(0, [running('a', 5), running('b', 10)]), 'b');
    assert.equal(choose(10, [running('a', 5), running('b', 10)]), undefined);
    assert.equal(choose(19, [running('a', 5), running('b', 10)], true), 'b');
  });

  test('none where a slot becomes free about as soon by itself', () => {
    const { outTokens } = aCall('a');
    const nearly = { tokens: outTokens - LIMITS.switchTokens.value };
    assert.equal(choose(0, [running('a', 5, nearly), running('b', 10)]), undefined);
    assert.equal(choose(0, [running('a', 5, { tokens: outTokens }), running('b', 10)]), 'b');
  });

  test('none whose going on costs as much as the next is spared, or nobody knows how much', () => {
    const gain = aCall('a').outTokens;
    const cost = (value: number | undefined) =>
      choose(0, [running('a', 5, { tokens: 1 })], false, () => value);
    assert.deepEqual([cost(gain / 2), cost(gain), cost(undefined)], ['a', undefined, undefined]);
  });

  test('none that cannot be stopped, is being stopped, or has not had its slice since it went on', () => {
    assert.equal(choose(0, [running('a', 5, { state: 'stopping' })]), undefined);
    const fresh = { since: 40, tokens: 40 + LIMITS.sliceTokens.value - 1 };
    assert.equal(choose(0, [running('a', 5), running('b', 10, fresh)]), 'a');
    assert.equal(choose(0, [running('a', 5), running('b', 10, { ...fresh, tokens: 72 })]), 'b');
    const { preemptible: _none, ...waiting } = aWaiting('b', { nice: 10 });
    assert.equal(choose(0, [running('a', 5), { ...running('b', 10), waiting }]), 'a');
  });
});

/** A scheduler over one engine, whose calls stop as soon as they are told to; `log` says what happened in order. */
function engine(policy: Policy<unknown>, size = 1, keeps = 1) {
  const clock = new VirtualClock(0);
  const log: string[] = [];
  const resources = [new Slots('x', size, { ...ENGINE, keeps })];
  const scheduler = new Scheduler({ clock, resources, policy, maxWaitMs: 1_000, queue: 100 });
  const submit = (call: string, more: Partial<Waiting> = {}, stops = true) =>
    scheduler.submit(
      aWaiting(call, {
        arrivedAt: clock.now(),
        onGrant: (_resource, { reasons }) =>
          log.push(`${call} starts${reasons[0]?.includes('stopped') ? '!' : ''}`),
        preemptible: {
          suspend: (why) => {
            log.push(`${call} stops ${why}`);
            if (stops) scheduler.preemption.park(call, true);
            else scheduler.preemption.resisted(call);
          },
          proceed: () => log.push(`${call} goes on`),
        },
        ...more,
      }),
    );
  const end = (call: string) => scheduler.release(call, 'x');
  return { clock, log, scheduler, submit, end };
}

describe('a call that stops for another', () => {
  test('waits for its turn and goes on; the other says for whom', () => {
    const { log, submit, end, scheduler } = engine(priority);
    submit('batch', { nice: 10 });
    submit('urgent', { nice: -5 });
    assert.deepEqual(log, ['batch starts', 'batch stops for call urgent', 'urgent starts!']);
    assert.match(scheduler.explain('batch')?.reasons[0] ?? '', /1 of 1 slots of x/);
    end('urgent');
    assert.equal(log.at(-1), 'batch goes on');
    end('batch');
    assert.deepEqual([scheduler.busy('x'), scheduler.waiting()], [0, 0]);
  });

  test('no more stop than the engine keeps, and none for a call of the same order', () => {
    const { log, submit, end } = engine(priority);
    submit('a', { nice: 10 });
    submit('b', { nice: 5 });
    submit('c', { nice: 5 });
    submit('d', { nice: -5 });
    assert.deepEqual(log, ['a starts', 'a stops for call b', 'b starts!']);
    end('b');
    assert.deepEqual(log.slice(3), ['d starts']);
    const level = engine(fifo);
    for (const call of ['a', 'b']) level.submit(call);
    assert.deepEqual(level.log, ['a starts']);
  });

  test('one that stood still for the maximum wait goes on before whatever comes', () => {
    const { log, submit, end, clock } = engine(priority);
    submit('patient', { nice: 19 });
    for (let i = 0; i < 200; i++) {
      submit(`rush${i}`, { nice: -20 });
      if (i > 0) end(`rush${i - 1}`);
      clock.advanceTo(clock.now() + 10);
    }
    const waited = log.indexOf('patient goes on');
    assert.ok(waited > 50, `${waited} of ${log.length}`);
  });

  test('one that cannot stop runs on', () => {
    const { log, submit, end, scheduler } = engine(priority);
    submit('a', { nice: 10 }, false);
    submit('b', { nice: 0 });
    assert.deepEqual(log, ['a starts', 'a stops for call b']);
    end('a');
    assert.equal(log.at(-1), 'b starts');
    assert.equal(scheduler.busy('x'), 1);
  });

  test('one that cannot stop is in nobody’s way: the next behind it is asked, and itself after a slice', () => {
    const { log, submit, scheduler } = engine(priority, 2, 2);
    submit('a', { nice: 10 }, false);
    submit('b', { nice: 5 });
    submit('c', { nice: 0 });
    assert.deepEqual(log.slice(2), ['a stops for call c', 'b stops for call c', 'c starts!']);
    submit('d', { nice: -5 });
    assert.deepEqual(log.slice(5), ['c stops for call d', 'd starts!']);
    scheduler.served('a', LIMITS.sliceTokens.value);
    assert.equal(log.length, 7);
    scheduler.served('a', LIMITS.sliceTokens.value + 1);
    assert.equal(log[7], 'a stops for call c');
  });

  test('one that ends while it is stopped leaves nothing behind; one whose engine is gone goes on', () => {
    const { log, submit, end, scheduler } = engine(priority);
    submit('a', { nice: 10 });
    submit('b', { nice: 0 });
    end('a');
    assert.equal(scheduler.waiting(), 0);
    submit('c', { nice: -1 });
    assert.deepEqual(log.slice(3), ['b stops for call c', 'c starts!']);
    scheduler.setResources([]);
    assert.equal(log.at(-1), 'b goes on');
    for (const call of ['b', 'c']) end(call);
    assert.equal(scheduler.busy('x'), 0);
  });

  test('slices: turns that were served less take over while others are written, and all of them end', () => {
    const { log, submit, end, scheduler } = engine(las);
    submit('a', { owner: 'ann', turn: 'a', outTokens: 100 });
    submit('b', { owner: 'bob', turn: 'b', outTokens: 400 });
    const had = { a: 0, b: 0 };
    for (let i = 0; i < 400 && had.a + had.b < 600; i++) {
      const now = log.findLast((line) => /starts|goes on/.test(line))?.[0] as 'a' | 'b';
      had[now] += 16;
      scheduler.served(now, had[now]);
      if (had[now] >= 400) end(now);
    }
    const stops = log.filter((line) => line.includes('stops'));
    assert.ok(stops.length >= 3, log.join('; '));
    assert.ok(new Set(stops).size === 2, 'each of them stopped for the other');
  });

  test('whatever comes: no slot is issued twice or idles, no more are kept than may be, and all end', () => {
    const calls = fc.array(
      fc.record({
        nice: fc.integer({ min: -20, max: 19 }),
        afterMs: fc.nat({ max: 40 }),
        serviceMs: fc.integer({ min: 1, max: 200 }),
        stops: fc.boolean(),
        pausedAtMs: fc.option(fc.nat({ max: 150 }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 40 },
    );
    const play = (script: readonly (typeof calls extends fc.Arbitrary<infer T> ? T : never)[number][]) => {
      const [size, keeps] = [2, 2];
      const { clock, scheduler } = engine(priority, size, keeps);
      const left = new Map<string, number>();
      const running = new Map<string, { since: number; cancel: () => void }>();
      const parked = new Set<string>();
      const paused = new Set<string>();
      let ended = 0;
      const run = (call: string) => {
        const cancel = clock.after(left.get(call) as number, () => {
          running.delete(call);
          ended++;
          scheduler.release(call, 'x');
        });
        running.set(call, { since: clock.now(), cancel });
      };
      const halt = (call: string) => {
        const { since, cancel } = running.get(call) as { since: number; cancel: () => void };
        cancel();
        running.delete(call);
        left.set(call, (left.get(call) as number) - (clock.now() - since));
        parked.add(call);
      };
      const check = () => {
        assert.ok(scheduler.busy('x') <= size, 'over-issued');
        assert.ok(running.size + parked.size <= size + keeps, 'more is kept than may be');
      };
      let at = 0;
      for (const [i, one] of script.entries()) {
        at += one.afterMs;
        const call = `c${i}`;
        left.set(call, one.serviceMs);
        const proceed = () => {
          parked.delete(call);
          run(call);
        };
        const suspend = () => {
          if (!one.stops) return scheduler.preemption.resisted(call);
          clock.after(1, () => {
            if (!running.has(call)) return;
            halt(call);
            scheduler.preemption.park(call, !paused.has(call));
          });
        };
        clock.after(at, () => {
          scheduler.submit(
            aWaiting(call, { nice: one.nice, onGrant: () => run(call), preemptible: { suspend, proceed } }),
          );
          check();
        });
        if (one.pausedAtMs === undefined) continue;
        clock.after(at + one.pausedAtMs, () => {
          if (!running.has(call) && !parked.has(call)) return;
          paused.add(call);
          if (parked.has(call)) scheduler.preemption.park(call, false);
          else {
            halt(call);
            if (!scheduler.preemption.park(call, false)) {
              parked.delete(call);
              paused.delete(call);
              run(call);
            }
          }
          check();
          clock.after(50, () => {
            if (paused.delete(call) && parked.has(call)) scheduler.preemption.park(call, true);
            check();
          });
        });
      }
      clock.advanceTo(at + 60_000);
      assert.deepEqual([ended, scheduler.busy('x'), scheduler.waiting()], [script.length, 0, 0]);
    };
    fc.assert(fc.property(calls, play), { numRuns: 200 });
  });
});

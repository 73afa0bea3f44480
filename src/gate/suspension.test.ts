/** A running call that is stopped with its agent, in virtual time. */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { VirtualClock } from '../base/clock.ts';
import type { CallId } from '../base/ids.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';
import { Suspension } from './suspension.ts';

/** A backend that stops at once; `keeps`: the scheduler takes its slot back meanwhile. */
function stage(keeps: boolean) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const preemption = {
    park: (_call: string, queued: boolean) => {
      log.push(queued ? 'queued' : 'parked');
      return keeps;
    },
    resisted: () => log.push('resisted'),
  };
  const suspension: Suspension = new Suspension(
    { clock, scheduler: { preemption } } as unknown as Parts,
    'c1' as CallId,
    { step: (_now, stage) => log.push(stage), waits: () => {} },
    { suspend: async () => true, proceed: () => log.push('runs') },
  );
  return { clock, log, suspension };
}

describe('a call that is stopped with its paused agent', () => {
  test('goes on to its end after its time, by its turn in the queue or in the slot that it kept', async () => {
    for (const [keeps, last] of [
      [true, 'queued'],
      [false, 'runs'],
    ] as const) {
      const { clock, log, suspension } = stage(keeps);
      suspension.pause();
      await Promise.resolve();
      clock.advanceTo(LIMITS.stoppedMs.value - 1);
      assert.deepEqual(log, ['suspend', 'parked']);
      assert.match(suspension.why, /its agent is paused; it goes on to its end 10 minutes after it was/);
      clock.advanceTo(LIMITS.stoppedMs.value);
      assert.equal(log.at(-1), last);
      assert.ok(log.includes('outstay'));
    }
  });

  test('is bounded by nothing once its agent goes on, or it is over', async () => {
    for (const end of ['resume', 'over'] as const) {
      const { clock, log, suspension } = stage(false);
      suspension.pause();
      await Promise.resolve();
      suspension[end]();
      assert.equal(clock.nextDue(), undefined);
      assert.ok(!log.includes('outstay'));
    }
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import type { Refusal } from '../base/errors.ts';
import { seededRandom } from '../base/random.ts';
import { aWaiting } from './fixture.test.ts';
import { LIMITS } from './limits.ts';
import { POLICIES } from './policies/all.ts';
import { fifo } from './policies/fifo.ts';
import { priority } from './policies/priority.ts';
import type { Policy, PolicyEvent } from './policy.ts';
import { type Resource, Slots } from './resource.ts';
import { Scheduler, type SchedulerOptions, type Waiting } from './scheduler.ts';

/** A scheduler, and a log of what it told the calls. */
function bench(options: Partial<SchedulerOptions> = {}) {
  const clock = new VirtualClock(1_000);
  const resources = [new Slots('x', 1)];
  const scheduler = new Scheduler({
    clock,
    resources,
    policy: fifo,
    maxWaitMs: 1_000,
    queue: 100,
    ...options,
  });
  const log: string[] = [];
  const refusals: Refusal[] = [];
  const submit = (call: string, more: Partial<Waiting> = {}) =>
    scheduler.submit({
      ...aWaiting(call),
      arrivedAt: clock.now(),
      onGrant: (resource) => log.push(`${call}@${resource}`),
      onRefuse: (refusal) => {
        refusals.push(refusal);
        log.push(`${call}!${refusal.code}`);
      },
      ...more,
    });
  return { clock, scheduler, log, refusals, submit };
}

describe('scheduler', () => {
  test('what policies keep of a call holds nothing that its caller gave with it', () => {
    const events: PolicyEvent[] = [];
    const event = (state: unknown, told: PolicyEvent) => {
      events.push(told);
      return state;
    };
    const keeping: Policy<unknown> = { ...fifo, event };
    const { scheduler, submit } = bench({ policy: keeping });
    for (const call of ['a', 'b', 'c']) submit(call);
    scheduler.served('a', 1);
    scheduler.release('a', 'x');
    scheduler.cancel('c');
    scheduler.setPolicy({ ...keeping, name: 'next' });
    const told = events.flatMap((event) => (event.kind === 'tuned' ? [] : [event]));
    assert.deepEqual([...new Set(told.map(({ kind }) => kind))].sort(), [
      'arrived',
      'ended',
      'served',
      'started',
    ]);
    for (const { call } of told)
      assert.ok(
        Object.values(call).every((value) => typeof value !== 'function'),
        call.call,
      );
  });
  test('grants at once where there is room, then by arrival', () => {
    const { scheduler, submit, log } = bench();
    for (const call of ['a', 'b', 'c']) submit(call);
    assert.deepEqual(log, ['a@x']);
    assert.deepEqual([scheduler.busy('x'), scheduler.waiting(), scheduler.waiting('x')], [1, 2, 2]);
    scheduler.release('a', 'x');
    scheduler.release('a', 'x');
    scheduler.cancel('c');
    scheduler.release('b', 'x');
    assert.deepEqual(log, ['a@x', 'b@x']);
    assert.deepEqual([scheduler.busy('x'), scheduler.waiting()], [0, 0]);
  });

  test('takes any of the resources, the preferred first', () => {
    const { scheduler, submit, log } = bench({ resources: [new Slots('x', 1), new Slots('y', 1)] });
    for (const call of ['a', 'b', 'c']) submit(call, { resources: ['y', 'x'] });
    scheduler.release('b', 'x');
    assert.deepEqual(log, ['a@y', 'b@x', 'c@x']);
    assert.equal(scheduler.waiting('y'), 0);
  });

  test('priority goes by nice value until the maximum wait has passed', () => {
    const { clock, scheduler, submit, log } = bench({ policy: priority });
    submit('a');
    submit('low', { nice: 19 });
    submit('high', { nice: -5 });
    scheduler.release('a', 'x');
    clock.advanceTo(2_000);
    submit('highest', { nice: -20 });
    assert.match(scheduler.explain('low')?.reasons.join('; ') ?? '', /1 of 1 slots of x .* maximum wait/);
    assert.equal(scheduler.explain('highest')?.position, 2);
    scheduler.release('high', 'x');
    scheduler.release('low', 'x');
    assert.deepEqual(log, ['a@x', 'high@x', 'low@x', 'highest@x']);
    assert.equal(scheduler.explain('low'), undefined);
  });

  test('explains who has the slot, who is ahead and why, and how long it may take, with the error of such estimates', () => {
    const { clock, scheduler, submit } = bench({ policy: priority, maxWaitMs: 1e9 });
    submit('warm');
    clock.advanceTo(2_000);
    scheduler.release('warm', 'x');
    submit('has', { agent: 7 });
    clock.advanceTo(2_500);
    for (const [call, nice] of [
      ['last', 5],
      ['first', -5],
      ['other', 6],
    ] as const)
      submit(call, { nice, agent: nice });
    const told = scheduler.explain('last');
    assert.deepEqual(told?.holders, [{ call: 'has', agent: 7, resource: 'x', sinceMs: 500 }]);
    assert.deepEqual(
      told?.before.map(({ call, agent, reasons }) => [call, agent, reasons]),
      [['first', -5, ['nice -5; smaller values go first']]],
    );
    assert.equal(told?.estimateError, null);
    assert.ok((told?.estimateMs ?? 0) > 0);
    clock.advanceTo(2_500 + 2 * (told?.estimateMs ?? 0));
    scheduler.release('has', 'x');
    scheduler.release('first', 'x');
    assert.equal(scheduler.explain('other')?.estimateError, 0.5, 'it took twice as long');
  });

  test('a full queue refuses with a time to come back', () => {
    const { submit, log, refusals } = bench({ queue: 1 });
    for (const call of ['a', 'b', 'c']) submit(call);
    assert.deepEqual(log, ['a@x', 'c!busy']);
    assert.ok((refusals[0]?.retryAfterMs as number) >= 1_000);
  });

  test('a call is not served after its deadline', () => {
    const { clock, scheduler, submit, log } = bench();
    submit('a');
    submit('b', { deadlineAt: 1_500 });
    submit('c');
    clock.advanceTo(1_500);
    scheduler.release('a', 'x');
    assert.deepEqual(log, ['a@x', 'b!busy', 'c@x']);
  });

  test('submitting again keeps the place', () => {
    const { scheduler, submit, log } = bench();
    for (const call of ['a', 'b', 'c', 'b']) submit(call);
    scheduler.release('a', 'x');
    assert.deepEqual(log, ['a@x', 'b@x']);
    assert.throws(() => submit('b'), /while it runs/);
  });

  test('a call that its resource will not take now does not block the next', () => {
    const picky = Object.assign(new Slots('x', 2), {
      tryAcquire: (call: string) => call !== 'odd' && Slots.prototype.tryAcquire.call(picky, call),
    }) as Resource;
    const { scheduler, submit, log } = bench({ resources: [picky] });
    for (const call of ['odd', 'a', 'b', 'c']) submit(call);
    scheduler.release('a', 'x');
    assert.deepEqual(log, ['a@x', 'b@x', 'c@x']);
    assert.equal(scheduler.waiting(), 1);
  });

  test('new sizes take effect, what is taken stays taken, calls with no resource left are refused', () => {
    const { scheduler, submit, log } = bench({ resources: [new Slots('x', 2), new Slots('y', 1)] });
    for (const call of ['a', 'b', 'c', 'd']) submit(call);
    submit('e', { resources: ['y'] });
    submit('f', { resources: ['y'] });
    scheduler.setResources([new Slots('x', 1)]);
    scheduler.release('a', 'x');
    scheduler.release('e', 'y');
    assert.deepEqual(log.slice(3), ['f!stale']);
    scheduler.setResources([new Slots('x', 3)]);
    assert.deepEqual(log.slice(4), ['c@x', 'd@x']);
    assert.equal(scheduler.busy('x'), 3);
    submit('g', { resources: ['z'] });
    assert.equal(log.at(-1), 'g!stale');
  });

  test('another policy learns of what runs and waits; one that throws gives way to first come, first served', () => {
    const told: string[] = [];
    const nosy: Policy<null> = {
      ...priority,
      name: 'nosy',
      event: (_state, event) => {
        told.push(event.kind);
        return null;
      },
      key: () => {
        throw new Error('no order');
      },
    };
    const { scheduler, submit, log } = bench();
    for (const call of ['a', 'b', 'c']) submit(call);
    scheduler.setPolicy(nosy);
    assert.equal(scheduler.policy, 'nosy');
    scheduler.served('a', 5);
    assert.deepEqual(told, ['arrived', 'started', 'arrived', 'arrived', 'served']);
    scheduler.release('a', 'x');
    assert.deepEqual(log, ['a@x', 'b@x']);
    assert.equal(scheduler.policy, 'fifo');
    assert.match(
      scheduler.explain('c')?.reasons.join() ?? '',
      /nosy failed and was replaced by fifo: no order/,
    );
  });
});

interface Step {
  readonly afterMs: number;
  readonly nice: number;
  readonly serviceMs: number;
  readonly resources: readonly string[];
  readonly cancelAfterMs: number | undefined;
}
const steps = fc.array(
  fc.record({
    afterMs: fc.nat({ max: 30 }),
    nice: fc.integer({ min: -20, max: 19 }),
    serviceMs: fc.integer({ min: 1, max: 100 }),
    resources: fc.constantFrom(['x'], ['y'], ['x', 'y'], ['y', 'x']),
    cancelAfterMs: fc.option(fc.nat({ max: 80 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 80 },
);

/** Plays the steps in virtual time and checks the invariants after every event. */
function play(script: readonly Step[], policy: Policy<null>): string[] {
  const sizes = { x: 2, y: 1 };
  const resources = Object.entries(sizes).map(([name, size]) => new Slots(name, size));
  const { clock, scheduler, submit, log } = bench({ resources, policy, maxWaitMs: 60 });
  const waiting = new Map<string, readonly string[]>();
  const running = new Map<string, string>();
  const check = () => {
    for (const [name, size] of Object.entries(sizes)) {
      const busy = [...running.values()].filter((other) => other === name).length;
      assert.equal(scheduler.busy(name), busy);
      assert.ok(busy <= size, 'over-issued');
      const wanted = [...waiting.values()].some((names) => names.includes(name));
      assert.ok(!wanted || busy === size, `a slot of ${name} idles while a call waits for it`);
    }
    assert.equal(scheduler.waiting(), waiting.size);
  };
  const end = (call: string) => {
    const resource = running.get(call);
    if (waiting.delete(call)) scheduler.cancel(call);
    else if (resource !== undefined && running.delete(call)) scheduler.release(call, resource);
    check();
  };
  let at = clock.now();
  for (const [index, step] of script.entries()) {
    at += step.afterMs;
    const call = `c${index}`;
    clock.after(at - 1_000, () => {
      waiting.set(call, step.resources);
      const onGrant = (resource: string) => {
        log.push(`${clock.now()} ${call}@${resource}`);
        waiting.delete(call);
        running.set(call, resource);
        clock.after(step.serviceMs, () => end(call));
      };
      submit(call, { nice: step.nice, resources: step.resources, onGrant });
      check();
      if (step.cancelAfterMs !== undefined) clock.after(step.cancelAfterMs, () => end(call));
    });
  }
  clock.advanceTo(at + 100_000);
  assert.deepEqual([scheduler.busy('x'), scheduler.busy('y'), scheduler.waiting()], [0, 0, 0]);
  return log;
}

for (const policy of [fifo, priority]) {
  test(`${policy.name}: no idle slot while a call waits for it, no slot lost or issued twice, the same again`, () => {
    const property = fc.property(steps, (script) =>
      assert.deepEqual(play(script, policy), play(script, policy)),
    );
    fc.assert(property, { numRuns: 60 });
  });
}

test('a call that has waited the maximum is passed by none that came later', () => {
  const property = fc.property(fc.integer(), (seed) => {
    const random = seededRandom(seed);
    const { clock, scheduler, submit, log } = bench({ policy: priority, maxWaitMs: 100, queue: 1_000 });
    submit('first');
    submit('patient', { nice: 19 });
    const serve = (call: string) => clock.after(1 + random.unit() * 20, () => scheduler.release(call, 'x'));
    serve('first');
    for (let i = 0; i < 300; i++) {
      const call = `rush${i}`;
      clock.after(i, () => submit(call, { nice: -20, onGrant: () => void serve(call) }));
    }
    clock.advanceTo(1_099);
    assert.ok(!log.includes('patient@x'), 'the flood keeps it waiting');
    clock.advanceTo(1_121);
    assert.ok(log.includes('patient@x'), 'the first slot after the maximum wait is its own');
  });
  fc.assert(property, { numRuns: 30 });
});

test('however long the queue, nobody waits for ever: after its maximum and its passes, only those to whom that happened before', () => {
  const property = fc.property(fc.integer(), fc.constantFrom(...POLICIES.values()), (seed, policy) => {
    const random = seededRandom(seed);
    const granted: string[] = [];
    const clock = new VirtualClock(0);
    const scheduler = new Scheduler({
      clock,
      resources: [new Slots('x', 2)],
      policy,
      maxWaitMs: 50,
      queue: 1_000,
    });
    /** For each that waits: how many waited when it came, and after how many grants it had waited the maximum. */
    const waits = new Map<string, { ahead: number; from: number; at: number; late?: number }>();
    const running: string[] = [];
    let count = 0;
    const submit = (nice: number, turn: string): void => {
      const call = `c${count++}`;
      waits.set(call, { ahead: waits.size, from: granted.length, at: clock.now() });
      const onGrant = (): void => {
        const {
          ahead,
          from,
          late = granted.length,
        } = waits.get(call) as NonNullable<ReturnType<typeof waits.get>>;
        waits.delete(call);
        const due = Math.max(late, from + LIMITS.passes.value * ahead);
        assert.ok(granted.length - due <= ahead, `${call}: ${granted.length - due} of ${ahead}`);
        granted.push(call);
        running.push(call);
      };
      scheduler.submit(aWaiting(call, { nice, turn, owner: `o${nice}`, arrivedAt: clock.now(), onGrant }));
    };
    for (let i = 0; i < 1_500; i++) {
      // A few that every policy puts last, and a flood of others that keeps the queue as long as it is.
      const isLong = i % 97 < 5;
      submit(isLong ? 19 : -20, isLong ? 'long' : `t${i}`);
      clock.advanceTo(clock.now() + random.unit() * 3);
      for (const one of waits.values())
        if (clock.now() - one.at >= 50 && one.late === undefined) one.late = granted.length;
      if (waits.size > 15 + (i % 5)) {
        const [done] = running.splice(Math.floor(random.unit() * running.length), 1);
        scheduler.used(done as string, { input: 1, cached: 0, output: 10, endsTurn: !isLong });
        scheduler.release(done as string, 'x');
      }
    }
    assert.ok(granted.length > 1_000);
  });
  fc.assert(property, { numRuns: 20 });
});

/** What operators say of an account: calls at once and money, in virtual time, with the real governor and scheduler. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { aWaiting } from './fixture.test.ts';
import { Governor } from './governor.ts';
import { priority } from './policies/priority.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';
import type { Stated } from './stated.ts';

const HOUR = 3_600_000;
const NEED = { input: 10, cached: 0, output: 10, bound: 10 };

/** Two models at one backend, each with a line of its own, paid by one account. */
function world(stated: Stated, slots = 100) {
  const clock = new VirtualClock(0);
  const governor = new Governor();
  const account = (next: Stated) => governor.stated.set(new Map([['team', next]]), clock.now());
  account(stated);
  const granted: string[] = [];
  const resources = [new Slots('x', slots)];
  const scheduler = new Scheduler({
    clock,
    resources,
    policy: priority,
    maxWaitMs: 1e12,
    queue: 10_000,
    meter: governor,
  });
  const tollOf = (model: string, nanoUsd: number) => ({
    limit: `team ${model}`,
    need: NEED,
    wide: { accounts: ['team'], nanoUsd },
  });
  const submit = (call: string, nice: number, model = 'm', nanoUsd = 0) =>
    scheduler.submit({
      ...aWaiting(call, { nice, arrivedAt: clock.now() }),
      tolls: new Map([['x', tollOf(model, nanoUsd)]]),
      onGrant: () => granted.push(call),
    });
  const end = (call: string, cost?: number, model = 'm') => {
    governor.leave(`team ${model}`, call, 'served', undefined, clock.now(), cost);
    scheduler.release(call, 'x');
  };
  const left = (of: string) => [...governor.standing(clock.now())].find((one) => one.of === of)?.left;
  const why = (model: string, nanoUsd = 0) => governor.reason(tollOf(model, nanoUsd), clock.now());
  return { clock, governor, granted, scheduler, submit, end, left, why, account };
}

describe('calls at once of an account', () => {
  test('no more are open than it says, whatever the model; the next is who goes first, of all models', () => {
    const { granted, submit, end, why, left } = world({ streams: 2 });
    submit('1', 0, 'm');
    submit('2', 0, 'n');
    submit('later', 5, 'm');
    submit('first', -5, 'n');
    submit('second', -4, 'm');
    assert.deepEqual(granted, ['1', '2']);
    assert.equal(why('n'), '2 of at most 2 answers of account team are open');
    assert.equal(left('streams'), 0);
    end('1');
    assert.deepEqual(granted.slice(2), ['first']);
    end('first', undefined, 'n');
    end('2', undefined, 'n');
    assert.deepEqual(granted.slice(2), ['first', 'second', 'later']);
    end('second');
    end('later');
    end('later');
    assert.equal(left('streams'), 2, 'each comes back once');
  });

  test('what is open stays counted when mezz.yaml says something else', () => {
    const { granted, submit, end, account } = world({ streams: 3 });
    for (const call of ['1', '2', '3']) submit(call, 0);
    account({ streams: 2 });
    submit('4', 0);
    end('1');
    assert.deepEqual(granted, ['1', '2', '3'], 'two are open still');
    end('2');
    assert.deepEqual(granted, ['1', '2', '3', '4']);
  });
});

describe('what an account may spend in an hour', () => {
  test('what it does not cover waits until it does; a cheaper one of another model does not pass', () => {
    const { clock, granted, submit, why } = world({ nanoUsdPerHour: 60e9 });
    submit('1', 0, 'm', 59e9);
    submit('dear', 0, 'm', 2e9);
    submit('cheap', 1, 'n', 0.5e9);
    assert.deepEqual(granted, ['1']);
    assert.equal(
      why('m', 2e9),
      'of $60.0 an hour for account team $1.00 are left and $2.00 are needed: about 60 s more',
    );
    clock.advanceTo(59_999);
    assert.deepEqual(granted, ['1']);
    clock.advanceTo(60_000);
    assert.deepEqual(granted, ['1', 'dear']);
    clock.advanceTo(90_000);
    assert.deepEqual(granted, ['1', 'dear', 'cheap']);
  });

  test('a call is settled with what it cost; one that was not sent cost nothing; one beyond the hour goes with a full one', () => {
    const { clock, governor, submit, end, left, granted } = world({ nanoUsdPerHour: 10e9 });
    submit('1', 0, 'm', 8e9);
    end('1', 3e9);
    assert.equal(left('usd'), 7e9);
    submit('2', 0, 'm', 5e9);
    governor.giveUp({ limit: 'team m', need: NEED, wide: { accounts: ['team'], nanoUsd: 5e9 } }, '2', 0);
    assert.equal(left('usd'), 7e9);
    submit('huge', 0, 'm', 25e9);
    clock.advanceTo(0.3 * HOUR);
    assert.deepEqual(granted, ['1', '2', 'huge']);
    submit('small', 0, 'm', 1e9);
    clock.advanceTo(1.8 * HOUR);
    assert.equal(granted.length, 3, 'what is overdrawn comes in first');
    clock.advanceTo(1.9 * HOUR + 1);
    assert.deepEqual(granted.slice(3), ['small']);
  });
});

test('at no time are more open, or is more spent, than is said, and nobody waits where there is room', () => {
  const step = fc.record({
    kind: fc.constantFrom('submit', 'submit', 'end', 'wait'),
    model: fc.constantFrom('m', 'n', 'o'),
    nice: fc.integer({ min: -3, max: 3 }),
    usd: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, granted, scheduler, submit, end, left } = world({ streams: 3, nanoUsdPerHour: 10e9 });
      const costs = new Map<string, number>();
      const models = new Map<string, string>();
      const ended = new Set<string>();
      steps.forEach(({ kind, model, nice, usd }, at) => {
        const running = granted.find((call) => !ended.has(call));
        if (kind === 'submit') {
          costs.set(`c${at}`, usd * 1e9);
          models.set(`c${at}`, model);
          submit(`c${at}`, nice, model, usd * 1e9);
        } else if (kind === 'wait') clock.advanceTo(clock.now() + HOUR / 20);
        else if (running !== undefined) {
          ended.add(running);
          end(running, costs.get(running), models.get(running));
        }
        const open = granted.length - ended.size;
        assert.ok(open <= 3);
        const spent = granted.reduce((sum, call) => sum + (costs.get(call) ?? 0), 0);
        assert.ok(spent <= 10e9 * (1 + clock.now() / HOUR) + 1);
        if (scheduler.waiting() === 0 || open === 3) return;
        const [first] = scheduler.line(1);
        assert.ok((costs.get(first?.waiting.call ?? '') ?? 0) > (left('usd') ?? 0), 'it waits in vain');
      });
    }),
    { numRuns: 300 },
  );
});

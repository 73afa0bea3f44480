/** Limits on plan windows: what they count, where they begin and end, and shares that a provider reports. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { type Bound, Ledger } from './ledger.ts';
import { capMistake } from './periods.ts';
import { Windows } from './windows.ts';

const HOUR = 3_600_000;
const NOON = Date.UTC(2026, 0, 31, 12);
const PLAN = 'account:client:anthropic:0123456789ab';
const SCOPES = ['agent:1', 'owner:o', PLAN];
const one: Bound = { usd: 0, tokens: 0, output: 0, requests: 1 };
const cap = (scope: string, value: number, more: object = {}) =>
  ({ scope, dimension: 'requests', period: '5h', cap: value, strict: false, ...more }) as const;

async function openLedger(store = new MemoryStore()) {
  const windows = await Windows.open(store);
  const ledger = await Ledger.open(store, windows);
  let made = 0;
  const call = async (now: number) => {
    const id = `c${made++}`;
    const reserved = ledger.reserve(id, { scopes: SCOPES, bound: one, estimate: one }, now);
    if ('code' in reserved) return reserved.code;
    await store.commit(ledger.settle(id, { usage: NO_USAGE, cost: 0, model: 'm' }, now));
    return 'ok';
  };
  const report = (usedShare: number, resetsAt: number | null, now: number) =>
    store.commit(windows.record(PLAN.slice(8), [{ name: '5h', usedShare, resetsAt, status: null }], now));
  return { store, windows, ledger, call, report };
}

describe('a window', () => {
  test('begins with its first use and lasts its length, also across a restart', async () => {
    const { ledger, call, store } = await openLedger();
    await store.commit(ledger.setLimit(cap('owner:o', 2)));
    assert.equal(ledger.limits('owner:o', NOON)[0]?.resetsAt, null, 'not begun');
    assert.equal(await call(NOON), 'ok');
    assert.equal(ledger.limits('owner:o', NOON)[0]?.resetsAt, NOON + 5 * HOUR);
    assert.equal(await call(NOON + 4 * HOUR), 'ok');
    const again = await openLedger(store);
    assert.equal(await again.call(NOON + 5 * HOUR - 1), 'over_budget');
    assert.ok(again.ledger.isExhausted('owner:o/requests/5h', NOON + 5 * HOUR - 1));
    assert.ok(!again.ledger.isExhausted('owner:o/requests/5h', NOON + 5 * HOUR));
    assert.equal(await again.call(NOON + 7 * HOUR), 'ok');
    assert.equal(again.ledger.limits('owner:o')[0]?.resetsAt, NOON + 12 * HOUR, 'the next one has begun');
  });

  test('of an account ends when its provider said so, rounded or not, and never by an old reading', async () => {
    const { ledger, call, report } = await openLedger();
    ledger.setLimit(cap(PLAN, 9));
    ledger.setLimit(cap('owner:o', 9));
    const ends = (now: number) => ledger.limits(undefined, now).map(({ resetsAt }) => resetsAt);
    await report(0.1, NOON + 2 * HOUR, NOON);
    await call(NOON);
    assert.deepEqual(ends(NOON), [NOON + 2 * HOUR, NOON + 5 * HOUR]);
    await call(NOON + 2 * HOUR);
    const used = () => ledger.limits(PLAN)[0]?.used;
    assert.equal(used(), 1, 'a new window');
    await report(0, NOON + 7 * HOUR + 900, NOON + 2 * HOUR);
    assert.deepEqual(ends(NOON + 2 * HOUR), [NOON + 7 * HOUR + 900, NOON + 5 * HOUR]);
    assert.equal(used(), 1, 'rounding begins no third one');
    await report(0, NOON + 20 * HOUR, NOON + 15 * HOUR);
    ledger.turn(NOON + 15 * HOUR);
    assert.equal(used(), 0, 'the provider is in a later window');
  });
});

describe('a share of a plan', () => {
  test('is exhausted when the provider reports as much, and begins anew when it said', async () => {
    const { ledger, call, report } = await openLedger();
    ledger.setLimit(cap(PLAN, 80, { dimension: 'share' }));
    assert.equal(await call(NOON), 'ok', 'nothing was reported');
    await report(0.799, NOON + HOUR, NOON);
    assert.equal(await call(NOON), 'ok');
    await report(0.8, NOON + HOUR, NOON);
    assert.equal(await call(NOON), 'over_budget');
    const refused = ledger.fits({ scopes: SCOPES, bound: one, estimate: one }, NOON);
    assert.match(refused?.message ?? '', /used 80 %, cap 80 %, begins anew 2026-01-31T13:00/);
    assert.equal(refused?.remedy, `mezz limit set ${PLAN} <cap> --of share --per 5h`);
    assert.equal(ledger.resetsAt(`${PLAN}/share/5h`, NOON), NOON + HOUR);
    assert.equal(await call(NOON + HOUR), 'ok');
  });

  test('is of an account and of a plan window, or cannot be', () => {
    const mistake = (scope: string, period: '5h' | 'day') =>
      capMistake({ scope, dimension: 'share', period });
    assert.equal(mistake(PLAN, '5h'), undefined);
    assert.match(mistake(PLAN, 'day') ?? '', /plan window/);
    assert.match(mistake('owner:o', '5h') ?? '', /account/);
  });
});

test('day and month say when they end', async () => {
  const { ledger } = await openLedger();
  for (const period of ['total', 'day', 'month'] as const) ledger.setLimit(cap('owner:o', 1, { period }));
  assert.deepEqual(
    ledger.limits(undefined, NOON).map(({ resetsAt }) => resetsAt),
    [null, Date.UTC(2026, 1, 1), Date.UTC(2026, 1, 1)],
  );
});

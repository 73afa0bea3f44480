/** The ledger's promise under random interleavings: strict limits are never passed, and truth is booked first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { type Bound, Ledger } from './ledger.ts';

const NOW = Date.UTC(2026, 0, 31, 23, 59);
const SCOPES = ['agent:2', 'agent:1', 'owner:o', 'account:a'];
const bound = (usd: number): Bound => ({ usd, tokens: usd, output: 0, requests: 1 });
const charge = (usd: number, estimate = usd) => ({
  scopes: SCOPES,
  bound: bound(usd),
  estimate: bound(estimate),
});
const strict = (scope: string, cap: number) =>
  ({ scope, dimension: 'usd', period: 'total', cap, strict: true }) as const;

async function ledgerWith(cap: number, scope = 'account:a'): Promise<Ledger> {
  const ledger = await Ledger.open(new MemoryStore());
  ledger.setLimit(strict(scope, cap));
  return ledger;
}

test('500 concurrent reservations overshoot a strict limit by nothing and use all that fits', async () => {
  const ledger = await ledgerWith(10_000, 'agent:1');
  const granted: string[] = [];
  for (let i = 0; i < 500; i++) {
    // The estimate is far too low: only the proven bound may count.
    if (!('code' in ledger.reserve(`c${i}`, charge(37, 1), NOW))) granted.push(`c${i}`);
  }
  assert.equal(granted.length, Math.floor(10_000 / 37));
  for (const call of granted) {
    ledger.settle(call, { usage: { ...NO_USAGE, input: 37 }, cost: 37, model: 'm' }, NOW);
  }
  const [limit] = ledger.limits('agent:1', NOW);
  assert.equal(limit?.used, granted.length * 37);
  assert.equal(limit?.held, 0);
});

test('settled and held together never pass a strict cap, whatever order calls come and go in', async () => {
  const step = fc.record({
    call: fc.integer({ min: 0, max: 499 }),
    kind: fc.constantFrom('reserve', 'reserve', 'settle', 'release'),
    usd: fc.integer({ min: 0, max: 400 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    laterMs: fc.integer({ min: 0, max: 90_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 600 }),
      fc.integer({ min: 0, max: 5_000 }),
      async (steps, cap) => {
        const ledger = await ledgerWith(cap);
        const open = new Map<number, number>();
        let settled = 0;
        let now = NOW;
        for (const { call, kind, usd, share, laterMs } of steps) {
          now += laterMs;
          const held = open.get(call);
          if (kind === 'reserve' && held === undefined) {
            const before = settled + [...open.values()].reduce((sum, each) => sum + each, 0);
            const refused = 'code' in ledger.reserve(`c${call}`, charge(usd, 0), now);
            assert.equal(refused, before + usd > cap, 'refused exactly when it does not fit');
            if (!refused) open.set(call, usd);
          } else if (kind === 'settle' && held !== undefined) {
            const cost = Math.floor(held * share);
            ledger.settle(`c${call}`, { usage: NO_USAGE, cost, model: 'm' }, now);
            settled += cost;
            open.delete(call);
          } else if (kind === 'release') {
            ledger.release(`c${call}`);
            open.delete(call);
          }
          const [limit] = ledger.limits('account:a', now);
          assert.ok(limit && limit.used + limit.held <= cap, 'the cap holds');
          assert.equal(limit.used, settled);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('more than was reserved is booked in full, and the next call is refused', async () => {
  const ledger = await ledgerWith(100);
  assert.ok(!('code' in ledger.reserve('a', charge(50), NOW)));
  ledger.settle('a', { usage: NO_USAGE, cost: 150, model: 'm' }, NOW);
  assert.equal(ledger.limits('account:a', NOW)[0]?.used, 150);
  const refused = ledger.reserve('b', charge(1), NOW);
  assert.ok('code' in refused && refused.code === 'over_budget');
  assert.match(refused.remedy ?? '', /mezz (budget|limit)/);
});

test('a strict limit refuses a call without a bound', async () => {
  const ledger = await ledgerWith(100);
  const refused = ledger.reserve('a', { scopes: SCOPES, bound: undefined, estimate: bound(1) }, NOW);
  assert.ok('code' in refused && refused.code === 'no_bound');
});

test('what was settled or recovered is there after a restart', async () => {
  const store = new MemoryStore();
  const ledger = await Ledger.open(store);
  const limit = ledger.setLimit(strict('account:a', 1_000));
  await store.commit({ puts: limit.puts });
  assert.ok(!('code' in ledger.reserve('a', charge(300), NOW)));
  await store.commit(ledger.settle('a', { usage: NO_USAGE, cost: 200, model: 'm' }, NOW));
  assert.ok(!('code' in ledger.reserve('lost', charge(300), NOW)));

  const reopened = await Ledger.open(store);
  const open = [
    { call: 'lost', scopes: SCOPES, usd: 300, tokens: 300, output: 0, model: 'm' },
    { call: 'lost2', scopes: SCOPES, usd: 7, tokens: 7, output: 0, model: 'm' },
  ];
  await store.commit(reopened.recover(open, NOW));
  assert.equal(reopened.limits('account:a', NOW)[0]?.used, 507);
  const again = await Ledger.open(store);
  assert.equal(again.limits('account:a', NOW)[0]?.used, 507);
  const { total } = await again.bill('agent', undefined, store);
  assert.equal(total.cost, 507);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/random.ts';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import type { BalanceRow } from '../db/schema/budget.ts';
import type { Batch } from '../db/store.ts';
import { type Bound, type Charge, Ledger } from './ledger.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 0, 31, 12);
const SCOPES = ['agent:3', 'agent:1', 'owner:ann', 'account:work'];
const amount = (usd: number, tokens = 100): Bound => ({ usd, tokens, output: 10, requests: 1 });
const charge = (bound: Bound | undefined, estimate = bound ?? amount(10), scopes = SCOPES): Charge => ({
  scopes,
  bound,
  estimate,
});
const use = (cost: number, input = 7, model = 'm') => ({
  usage: { ...NO_USAGE, input, cacheRead: 2, output: 5, reasoning: 3 },
  cost,
  model,
});
const codeOf = (outcome: object | undefined) => (outcome && 'code' in outcome ? outcome.code : undefined);
const cap = (scope: string, value: number | null, more: object = {}) =>
  ({ scope, dimension: 'usd', period: 'total', cap: value, strict: false, ...more }) as const;

describe('limits', () => {
  test('a hold counts at once, against every scope that pays', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    ledger.setLimit(cap('owner:ann', 25));
    assert.deepEqual(ledger.reserve('a', charge(undefined), NOON), amount(10));
    ledger.reserve('b', charge(undefined, amount(10), ['agent:9', 'owner:ann']), NOON);
    const refused = ledger.reserve('c', charge(undefined), NOON);
    assert.equal(codeOf(refused), 'over_budget');
    assert.equal('rule' in refused && refused.rule, 'owner:ann/usd/total');
    assert.match('message' in refused ? refused.message : '', /held \$0\.0000/);
    assert.equal(ledger.limits('owner:ann')[0]?.held, 20);
    ledger.release('a');
    assert.equal(codeOf(ledger.reserve('c', charge(undefined), NOON)), undefined);
  });

  test('fits ignores holds but not what was used', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    ledger.setLimit(cap('agent:1', 25));
    ledger.reserve('a', charge(undefined, amount(20)), NOON);
    assert.equal(ledger.fits(charge(undefined), NOON), undefined);
    ledger.settle('a', use(20), NOON);
    const refused = ledger.fits(charge(undefined), NOON);
    assert.equal(refused?.code, 'over_budget');
    assert.equal(refused?.remedy, 'mezz budget 1 <amount>');
  });

  test('a strict limit holds the bound and refuses calls without one, except for requests', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    ledger.setLimit(cap('agent:3', 1, { dimension: 'requests', strict: true }));
    assert.equal(codeOf(ledger.reserve('a', charge(undefined), NOON)), undefined);
    ledger.release('a');
    ledger.setLimit(cap('agent:3', 100, { strict: true }));
    assert.equal(codeOf(ledger.reserve('a', charge(undefined), NOON)), 'no_bound');
    assert.equal(codeOf(ledger.fits(charge(undefined), NOON)), 'no_bound');
    assert.deepEqual(ledger.reserve('a', charge(amount(90), amount(10)), NOON), amount(90));
    assert.equal(ledger.limits().find((limit) => limit.dimension === 'usd')?.held, 90);
    assert.equal(codeOf(ledger.reserve('a', charge(amount(101), amount(10)), NOON)), 'over_budget');
  });

  test('a limit is replaced, removed and found again after a restart', async () => {
    const store = new MemoryStore();
    const ledger = await Ledger.open(store);
    await store.commit(ledger.setLimit(cap('agent:3', 5)));
    await store.commit(ledger.setLimit(cap('agent:3', 50, { strict: true })));
    await store.commit(ledger.setLimit(cap('owner:ann', 5)));
    await store.commit(ledger.setLimit(cap('owner:ann', null)));
    assert.deepEqual((await Ledger.open(store)).limits(), ledger.limits());
    assert.deepEqual(
      ledger.limits().map(({ id, cap, strict }) => [id, cap, strict]),
      [['agent:3/usd/total', 50, true]],
    );
  });

  test('each dimension counts what it names', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    const dimensions = ['usd', 'tokens', 'requests', 'output'] as const;
    for (const dimension of dimensions) ledger.setLimit(cap('agent:3', 1000, { dimension }));
    ledger.reserve('a', charge(undefined), NOON);
    ledger.settle('a', use(4), NOON);
    assert.deepEqual(
      ledger.limits().map(({ used, held }) => [used, held]),
      [
        [4, 0],
        [14, 0],
        [1, 0],
        [5, 0],
      ],
    );
  });
});

describe('periods', () => {
  test('day and month begin anew in UTC, total does not; a call over midnight books in the new day', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    for (const period of ['total', 'day', 'month'] as const) ledger.setLimit(cap('agent:3', 100, { period }));
    const used = () => ledger.limits().map((limit) => limit.used);
    ledger.reserve('a', charge(undefined), NOON);
    ledger.reserve('b', charge(undefined), NOON);
    ledger.settle('a', use(6), NOON);
    assert.deepEqual(used(), [6, 6, 6]);
    ledger.settle('b', use(8), NOON + DAY);
    assert.deepEqual(used(), [14, 8, 8]);
    assert.deepEqual(
      ledger.limits(undefined, NOON + 2 * DAY).map((limit) => limit.used),
      [14, 0, 8],
    );
  });

  test('a clock that steps back stays in the newest day, also after a restart', async () => {
    const store = new MemoryStore();
    const ledger = await Ledger.open(store);
    for (const call of ['a', 'b']) ledger.reserve(call, charge(undefined), NOON);
    await store.commit(ledger.settle('a', use(6), NOON + DAY));
    await store.commit(ledger.settle('b', use(6), NOON));
    const again = await Ledger.open(store);
    again.setLimit(cap('agent:3', 100, { period: 'day' }));
    assert.equal(again.limits(undefined, NOON)[0]?.used, 12);
  });
});

describe('rows', () => {
  test('a restart finds the balances; a recovered call is booked at its reservation', async () => {
    const store = new MemoryStore();
    const ledger = await Ledger.open(store);
    ledger.reserve('a', charge(undefined), NOON);
    await store.commit(ledger.settle('a', use(6), NOON));
    const again = await Ledger.open(store);
    const open = [1, 2].map((n) => ({
      call: `c${n}`,
      scopes: SCOPES,
      usd: 10,
      tokens: 100,
      output: 40,
      model: 'm',
    }));
    const { puts } = again.recover(open, NOON);
    assert.equal(puts.length, SCOPES.length + 1, 'each row once');
    await store.commit({ puts });
    const sort = (rows: Iterable<BalanceRow>) =>
      [...rows]
        .map((row) => `${row.period} ${row.scope} ${row.requests} ${row.input} ${row.output} ${row.cost}`)
        .sort();
    const stored = sort((await Ledger.open(store)).balances());
    assert.deepEqual(stored, sort(again.balances()));
    for (const period of ['total', 'day', 'month'])
      assert.ok(stored.includes(`${period} agent:3 3 127 85 26`));
  });

  test('settling without a reservation is a bug', async () => {
    const ledger = await Ledger.open(new MemoryStore());
    assert.throws(() => ledger.settle('a', use(6), NOON), /without a reservation/);
  });

  test('a bill groups by everything, from a day on, and its total is the balances', async () => {
    const store = new MemoryStore();
    const ledger = await Ledger.open(store);
    const calls = 1_300;
    let batch: NonNullable<Batch['puts']> = [];
    for (let i = 0; i < calls; i++) {
      const scopes = [`agent:${i}`, 'owner:ann', ...(i % 2 ? ['account:work'] : [])];
      ledger.reserve(`${i}`, charge(undefined, amount(10), scopes), NOON);
      const model = i % 4 ? 'big' : 'small';
      batch = ledger.settle(`${i}`, use(i, 1, model), i < 1_200 ? NOON : NOON + DAY).puts;
      await store.commit({ puts: batch });
    }
    const bill = async (by: 'agent' | 'account' | 'model' | 'day' | 'owner', since?: number) =>
      (await ledger.bill(by, since, store)).rows.map((row) => [row.key, row.requests]);
    assert.deepEqual(await bill('day'), [
      ['2026-01-31', 1_200],
      ['2026-02-01', 100],
    ]);
    assert.deepEqual(await bill('model'), [
      ['big', 975],
      ['small', 325],
    ]);
    assert.deepEqual(await bill('account'), [
      ['work', 650],
      ['', 650],
    ]);
    assert.deepEqual(await bill('owner', NOON + DAY), [['ann', 100]]);
    assert.equal((await bill('agent')).length, calls);
    const { total } = await ledger.bill('agent', undefined, store);
    const owner = [...ledger.balances()].find((row) => row.period === 'total' && row.scope === 'owner:ann');
    assert.equal(total.cost, owner?.cost);
    assert.deepEqual(total.usage, {
      input: 1_300,
      cacheRead: 2_600,
      cacheWrite: 0,
      output: 6_500,
      reasoning: 3_900,
    });
  });
});

test('strict: used + held never passes the cap, whatever 500 calls reserve and use within their bounds', async () => {
  const property = fc.asyncProperty(
    fc.integer(),
    fc.integer({ min: 0, max: 20_000 }),
    async (seed, capUsd) => {
      const random = seededRandom(seed);
      const below = (most: number) => Math.floor(random.unit() * (most + 1));
      const ledger = await Ledger.open(new MemoryStore());
      const view = () => ledger.limits()[0] as { used: number; held: number };
      ledger.setLimit(cap('account:work', capUsd, { strict: true }));
      const running: { call: string; most: number }[] = [];
      let booked = 0;
      for (let step = 0, made = 0; made < 500 || running.length > 0; step++) {
        if (made < 500 && (running.length === 0 || random.unit() < 0.6)) {
          const call = `c${made++}`;
          const most = below(200);
          const outcome = ledger.reserve(call, charge(amount(most), amount(below(most))), NOON + step);
          if (!('code' in outcome)) running.push({ call, most });
          else assert.ok(view().used + view().held + most > capUsd, 'refused although it fits');
        } else {
          const [ended] = running.splice(below(running.length - 1), 1);
          assert.ok(ended);
          const cost = below(ended.most);
          if (random.unit() < 0.2) ledger.release(ended.call);
          else {
            ledger.settle(ended.call, use(cost), NOON + step);
            booked += cost;
          }
        }
        assert.ok(view().used + view().held <= capUsd);
        assert.equal(view().used, booked);
        assert.equal(
          view().held,
          running.reduce((sum, { most }) => sum + most, 0),
        );
      }
    },
  );
  await fc.assert(property, { numRuns: 25 });
});

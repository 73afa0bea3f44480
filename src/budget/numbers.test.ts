import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { Estimator, proveBound } from './estimate.ts';
import { LIMITS } from './limits.ts';
import { Prices } from './prices.ts';
import { readWindows, Windows } from './windows.ts';

describe('prices', () => {
  const prices = new Prices([
    { pattern: 'local-*', price: 'free' },
    { pattern: 'gpt-5', price: { input: 7, output: 11 } },
  ]);

  test('the public list knows what the big providers serve', () => {
    assert.deepEqual(new Prices([]).priceOf('gpt-5'), {
      input: 1_250_000_000,
      output: 10_000_000_000,
      cacheRead: 125_000_000,
      cacheWrite: 1_250_000_000,
    });
    for (const model of [
      'claude-haiku-4-5',
      'gemini-2.5-pro',
      'text-embedding-3-small',
      'anthropic/claude-opus-4-5',
    ]) {
      assert.ok(prices.priceOf(model), model);
    }
    assert.equal(
      prices.costOf('claude-haiku-4-5', { ...NO_USAGE, cacheWrite: 1_000, output: 10 }),
      1_300_000,
    );
  });

  test('what nobody knows has no price; only an explicit `free` is nothing', () => {
    const usage = { ...NO_USAGE, input: 10 };
    for (const model of ['no-such-model', 'nobody/gpt-5', 'my-llama:7b', '']) {
      assert.equal(prices.priceOf(model), undefined, model);
      assert.equal(prices.costOf(model, usage), undefined, model);
      assert.equal(prices.boundOf(model, 10, 10), undefined, model);
    }
    assert.equal(prices.costOf('local-7b', usage), 0);
    assert.equal(prices.priceOf('local-7b'), 'free');
  });

  test('an override goes before the list; parts of a nano-dollar round up once', () => {
    assert.equal(prices.costOf('gpt-5', { ...NO_USAGE, input: 1, output: 1 }), 1);
    assert.equal(
      prices.costOf('gpt-5', { ...NO_USAGE, input: 500_000, cacheRead: 500_000, output: 1_000_000 }),
      18,
    );
    assert.equal(prices.costOf('gpt-5', NO_USAGE), 0);
  });

  test('long requests pay the long rate for every token', () => {
    const cost = (input: number) => prices.costOf('gemini-2.5-pro', { ...NO_USAGE, input }) as number;
    assert.equal(cost(100_000), 125_000_000);
    assert.equal(cost(300_000), 750_000_000);
  });

  test('no use of at most so many tokens costs more than the bound', () => {
    const count = fc.nat({ max: 400_000 });
    const model = fc.constantFrom(
      'claude-sonnet-4-5',
      'gemini-2.5-pro',
      'claude-opus-4-5',
      'gpt-4o',
      'gpt-5',
    );
    const property = fc.property(
      model,
      count,
      count,
      count,
      count,
      count,
      (name, input, cacheRead, cacheWrite, output, spare) => {
        const cost = prices.costOf(name, { input, cacheRead, cacheWrite, output, reasoning: 0 }) as number;
        const bound = prices.boundOf(name, input + cacheRead + cacheWrite + spare, output + spare) as number;
        assert.ok(Number.isSafeInteger(cost) && cost <= bound);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});

describe('estimates', () => {
  test('learning brings the estimate to what a client uses, each model for itself', () => {
    const estimator = new Estimator();
    assert.equal(estimator.error(), null);
    const first = estimator.estimate('m', 'c', 4_000, undefined);
    assert.equal(first.tokensIn, 1_000);
    for (let i = 0; i < 60; i++)
      estimator.learn('m', 'c', 4_000, { ...NO_USAGE, input: 500, cacheRead: 1_500, output: 50 });
    const { tokensIn, tokensOut } = estimator.estimate('m', 'c', 8_000, undefined);
    assert.ok(Math.abs(tokensIn - 4_000) <= 2 && Math.abs(tokensOut - 50) <= 2, `${tokensIn} ${tokensOut}`);
    assert.equal(estimator.estimate('m', 'c', 8_000, 9).tokensOut, 9);
    assert.deepEqual(estimator.estimate('other', 'c', 4_000, undefined), first);
    assert.ok((estimator.error() as number) > 0 && (estimator.error() as number) < 0.2);
  });

  test('what was learned survives a restart, and each call writes one row whatever was learned before', async () => {
    const store = new MemoryStore();
    const estimator = await Estimator.open(store);
    for (let i = 0; i < LIMITS.learned.value + 5; i++) {
      const { puts, deletes } = estimator.learn(`m${i}`, 'c', 4_000, { ...NO_USAGE, input: 500 + i });
      assert.equal(puts.length, 1);
      assert.equal(deletes.length, i < LIMITS.learned.value ? 0 : 1, 'the one not used for longest goes');
      await store.commit({ puts, deletes });
    }
    const again = await Estimator.open(store);
    const last = `m${LIMITS.learned.value + 4}`;
    for (const model of ['m0', 'm4', 'm5', last])
      assert.deepEqual(again.estimate(model, 'c', 9_000, 7), estimator.estimate(model, 'c', 9_000, 7), model);
    assert.notDeepEqual(again.estimate(last, 'c', 9_000, 7), again.estimate('m0', 'c', 9_000, 7));
    assert.ok(Math.abs((again.error() ?? 0) - (estimator.error() ?? 1)) < 1e-9);
  });

  test('what is known well is stored again only now and then', () => {
    const estimator = new Estimator();
    const every = LIMITS.learnedPerRow.value;
    const rows = Array.from({ length: 10 * every }, (_, i) =>
      estimator.learn('m', 'c', 4_000, { ...NO_USAGE, input: 500 + i }),
    ).flatMap(({ puts }) => puts.map(({ row }) => row.count));
    assert.deepEqual(
      rows.slice(every - 1),
      Array.from({ length: 10 }, (_, i) => every * (i + 1)),
    );
  });

  test('a call without usage teaches nothing', () => {
    const estimator = new Estimator();
    estimator.learn('m', 'c', 4_000, NO_USAGE);
    assert.equal(estimator.error(), null);
  });

  test('a bound needs a maximum and counts every choice', () => {
    assert.equal(proveBound(100, undefined, 1), undefined);
    assert.deepEqual(proveBound(100, 20, 3), { tokensIn: 100, tokensOut: 60 });
  });
});

describe('plan windows', () => {
  const now = 1_000_000;
  const anthropic = [
    'Anthropic-Ratelimit-Unified-5h-Utilization',
    '0.42',
    'anthropic-ratelimit-unified-5h-reset',
    '2000',
    'anthropic-ratelimit-unified-5h-status',
    'allowed_warning',
    'anthropic-ratelimit-unified-7d-utilization',
    '1.01',
  ];
  const codex = [
    'x-codex-primary-used-percent',
    '12.5',
    'x-codex-primary-window-minutes',
    '300',
    'x-codex-primary-reset-after-seconds',
    '60',
    'x-codex-secondary-used-percent',
    '3',
    'x-codex-secondary-window-minutes',
    '10080',
    'x-codex-secondary-reset-at',
    '3000',
  ];

  test('both providers', () => {
    assert.deepEqual(readWindows(anthropic, now), [
      { name: '5h', usedShare: 0.42, resetsAt: 2_000_000, status: 'allowed_warning' },
      { name: '7d', usedShare: 1.01, resetsAt: null, status: null },
    ]);
    assert.deepEqual(readWindows(codex, now), [
      { name: '5h', usedShare: 0.125, resetsAt: 1_060_000, status: null },
      { name: '7d', usedShare: 0.03, resetsAt: 3_000_000, status: null },
    ]);
  });

  test('other headers and nonsense give nothing', () => {
    assert.deepEqual(readWindows(['content-type', 'text/plain', 'odd'], now), []);
    assert.deepEqual(readWindows(['x-codex-primary-used-percent', 'lots'], now), []);
    assert.deepEqual(readWindows(['anthropic-ratelimit-unified-5h-utilization', ''], now), []);
    fc.assert(
      fc.property(fc.array(fc.string()), (headers) => void readWindows(headers, now)),
      { numRuns: 200 },
    );
  });

  test('the newest reading stays, rows leave only when numbers change, a restart finds them', async () => {
    const store = new MemoryStore();
    const windows = await Windows.open(store);
    const first = windows.record('plan', readWindows(anthropic, now), now);
    assert.equal(first.puts.length, 2);
    await store.commit(first);
    assert.equal(windows.record('plan', readWindows(anthropic, now), now + 5).puts.length, 0);
    assert.equal(windows.list()[0]?.seenAt, now + 5);
    assert.deepEqual(
      (await Windows.open(store)).list().map(({ account, name }) => [account, name]),
      [
        ['plan', '5h'],
        ['plan', '7d'],
      ],
    );
  });
});

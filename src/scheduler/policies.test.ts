/** Each policy's order on events told by hand; the fairness bound; what is learned; the model of a cache. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import type { ServiceRow } from '../db/schema/scheduler.ts';
import { CacheModel } from './cache.ts';
import { costOf, ENGINE, HOSTED } from './cost.ts';
import { aCall, aWaiting, NO_CONFIG } from './fixture.test.ts';
import { type Changes, History } from './history.ts';
import { LIMITS } from './limits.ts';
import { Order } from './order.ts';
import { POLICIES } from './policies/all.ts';
import { compareKeys, type Policy, type PolicyCall, type PolicyEvent, type Used } from './policy.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

const used = (output: number, endsTurn = false): Used => ({ input: 0, cached: 0, output, endsTurn });
const policyOf = (name: string): Policy<unknown> => POLICIES.get(name) as Policy<unknown>;

/** An order that was told of calls which ran, each with what it used. */
function told(name: string, ran: readonly (readonly [PolicyCall, Used])[], config = NO_CONFIG): Order {
  const events = ran.flatMap(([call, use], at): PolicyEvent[] => [
    { kind: 'arrived', at, call },
    { kind: 'started', at, call, resource: 'x' },
    { kind: 'ended', at, call, used: use },
  ]);
  return new Order(policyOf(name), () => ({ config, events }));
}

const orderOf = (order: Order, ...calls: readonly PolicyCall[]): string =>
  [...calls]
    .sort((a, b) => compareKeys(order.keyOf(a), order.keyOf(b)))
    .map(({ call }) => call)
    .join('');

test('round-robin: the agent that was served longest ago, whatever it cost', () => {
  const order = told('round-robin', [
    [aCall('1', { agent: 1 }), used(1)],
    [aCall('2', { agent: 2 }), used(9_000)],
    [aCall('3', { agent: 1 }), used(1)],
  ]);
  const waiting = [
    aCall('a', { agent: 1 }),
    aCall('b', { agent: 2 }),
    aCall('c', { agent: 3, arrivedAt: 9 }),
  ];
  assert.equal(orderOf(order, ...waiting), 'cba');
  assert.match(order.reasonsFor(waiting[1] as PolicyCall).join(), /1 calls of others/);
});

test('deadline: the client that gives up first; one that never does comes last', () => {
  const order = told('deadline', []);
  assert.equal(
    orderOf(order, aCall('a'), aCall('b', { deadlineAt: 9 }), aCall('c', { deadlineAt: 5 })),
    'cba',
  );
});

test('las: the turn that was served least; what is only computed again is no progress', () => {
  const long = { turn: 'long' };
  const order = told('las', [
    [aCall('1', long), { input: 100_000, cached: 0, output: 100, endsTurn: false }],
    [aCall('2', { turn: 'short' }), used(300)],
  ]);
  assert.equal(orderOf(order, aCall('a', long), aCall('b', { turn: 'short' }), aCall('c')), 'cba');
  const attained = () => Number(/had (\d+)/.exec(order.reasonsFor(aCall('a', long)).join())?.[1]);
  assert.equal(attained(), costOf(ENGINE, 100_000, 100));
  const again = aCall('3', long);
  order.tell({ kind: 'evicted', at: 5, call: again, resource: 'x' });
  order.tell({ kind: 'started', at: 6, call: again, resource: 'x' });
  order.tell({
    kind: 'ended',
    at: 7,
    call: again,
    used: { input: 100_100, cached: 0, output: 50, endsTurn: false },
  });
  assert.equal(attained(), costOf(ENGINE, 100_000, 100) + 50);
});

test('sub-agents are threads of their turn: its service is theirs together, each has a cached prefix of its own', () => {
  const main = aCall('1', { turn: 't', thread: 't' });
  const sub = aCall('2', { turn: 't', thread: 's' });
  const large = { input: 50_000, cached: 0, output: 100, endsTurn: false };
  const order = told('remaining', [
    [main, large],
    [sub, used(300)],
  ]);
  const had = () => Number(/had (\d+)/.exec(order.reasonsFor(main).join())?.[1]);
  assert.equal(had(), costOf(ENGINE, 50_000, 100) + 300);
  const before = [main, sub].map((call) => order.keyOf(call)[0] as number);
  order.tell({ kind: 'evicted', at: 9, call: main, resource: 'x' });
  const [cold, warm] = [main, sub].map((call, i) => (order.keyOf(call)[0] as number) - (before[i] as number));
  assert.deepEqual([Math.round(cold as number), warm], [501, 0]);
});

test('a slot costs the time it is held, a provider the limit that is the scarcest for the call', () => {
  assert.equal(costOf(ENGINE, 10_000, 300), 400);
  assert.equal(costOf(HOSTED, 10_000, 300), 2_000, 'input');
  assert.equal(costOf(HOSTED, 100, 300), 300, 'answer');
  assert.equal(costOf(HOSTED, 100, 1), 160, 'requests');
});

/** Turns of one kind end early or run very long. */
function experience(): History {
  const history = new History();
  for (let i = 0; i < 90; i++) history.learn('test', 200);
  for (let i = 0; i < 10; i++) history.learn('test', 50_000);
  history.publish();
  return history;
}

test('gittins and remaining: who is past the early ends goes last, and a reload counts', () => {
  const config = { ...NO_CONFIG, history: experience().table };
  const ran = [
    [aCall('1', { turn: 'old' }), used(1_000)],
    [aCall('2', { turn: 'cold' }), { input: 50_000, cached: 0, output: 1, endsTurn: false }],
  ] as const;
  const waiting = [aCall('a', { turn: 'old' }), aCall('b', { turn: 'new' })];
  for (const name of ['gittins', 'remaining', 'mezz'])
    assert.equal(orderOf(told(name, ran, config), ...waiting), 'ba', name);
  const order = told('remaining', ran, config);
  const cold = aCall('c', { turn: 'cold' });
  const before = order.keyOf(cold)[0] as number;
  order.tell({ kind: 'evicted', at: 9, call: cold, resource: 'x' });
  assert.equal(Math.round((order.keyOf(cold)[0] as number) - before), 500);
  assert.match(order.reasonsFor(cold).join('; '), /100 turns of its kind; its cached prefix is gone: 500/);
});

test('the history is the mean of what turns needed beyond, and goes on from its rows', () => {
  const history = experience();
  assert.equal(history.table.remaining('test', 0), (90 * 200 + 10 * 50_000) / 100);
  assert.ok(Math.abs(history.table.remaining('test', 1_000) - 49_000) < 150, 'within a cell of the grid');
  assert.ok(history.table.index('test', 0) > history.table.index('test', 1_000));
  assert.ok(history.table.remaining('other', 5_000) > history.table.remaining('other', 0));
  let puts: Changes['puts'] = [];
  let learned = 0;
  for (; puts.length === 0; learned++) puts = history.learn('test', 200).puts;
  assert.ok(learned <= LIMITS.samplesPerRow.value, `the first row after ${learned} turns`);
  const row = puts[0]?.row as ServiceRow;
  const again = new History([row]);
  for (let i = 0; i < 50; i++) for (const one of [history, again]) one.learn('test', 200 + i);
  history.publish();
  again.publish();
  for (const attained of [0, 150, 3_000])
    assert.equal(again.table.remaining('test', attained), history.table.remaining('test', attained));
  assert.ok(row.cells.length < 1_500, 'a row stays small whatever was learned');
});

test('mezz: class, then share, then what is left', () => {
  const ran = [[aCall('1', { owner: 'big' }), used(5_000, true)]] as const;
  const order = told('mezz', ran);
  order.tell({ kind: 'arrived', at: 1, call: aCall('a', { owner: 'big' }) });
  const calls = [
    aCall('a', { owner: 'big', arrivedAt: 0 }),
    aCall('b', { owner: 'big', nice: -1, arrivedAt: 2 }),
    aCall('c', { owner: 'small', arrivedAt: 1 }),
  ];
  order.tell({ kind: 'started', at: 3, call: calls[0] as PolicyCall, resource: 'x' });
  assert.equal(orderOf(order, ...calls), 'bca');
});

interface Load {
  readonly weights: readonly number[];
  readonly slots: number;
  readonly costs: readonly number[];
  readonly guesses: readonly number[];
  readonly seed: number;
}
const load: fc.Arbitrary<Load> = fc.record({
  weights: fc.array(fc.constantFrom(1, 2, 3), { minLength: 2, maxLength: 4 }),
  slots: fc.integer({ min: 1, max: 4 }),
  costs: fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 20 }),
  guesses: fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 20 }),
  seed: fc.integer(),
});

/** Owners that always have calls waiting: the largest gap ever between what two were served for their weights. */
function largestGap({ weights, slots, costs, guesses, seed }: Load, policy: Policy<unknown>): number {
  const random = seededRandom(seed);
  const tuning = { reload: 1, weights: Object.fromEntries(weights.map((weight, i) => [`o${i}`, weight])) };
  const scheduler = new Scheduler({
    clock: new VirtualClock(),
    resources: [new Slots('x', slots)],
    policy,
    maxWaitMs: 1e12,
    queue: 1e6,
    tuning,
  });
  const running: { call: string; owner: number }[] = [];
  const served = weights.map(() => 0);
  let next = 0;
  const arrive = (owner: number) => {
    const call = `c${next}`;
    const onGrant = () => void running.push({ call, owner });
    const outTokens = guesses[next % guesses.length] as number;
    scheduler.submit(aWaiting(call, { owner: `o${owner}`, arrivedAt: next++, outTokens, onGrant }));
  };
  weights.forEach((_, owner) => {
    for (let i = 0; i < slots + 2; i++) arrive(owner);
  });
  let largest = 0;
  for (let i = 0; i < 300; i++) {
    const [done] = running.splice(Math.floor(random.unit() * running.length), 1);
    if (!done) break;
    const cost = costs[i % costs.length] as number;
    served[done.owner] = (served[done.owner] as number) + cost / (weights[done.owner] as number);
    scheduler.used(done.call, used(cost));
    arrive(done.owner);
    scheduler.release(done.call, 'x');
    largest = Math.max(largest, Math.max(...served) - Math.min(...served));
  }
  return largest;
}

for (const name of ['fair', 'mezz'])
  test(`${name}: what backlogged owners are served for their weights differs by no more than the bound`, () => {
    const property = fc.property(load, (one) => {
      const most = Math.max(...one.costs, ...one.guesses);
      // From the start of the backlog: half of the bound between any two instants.
      assert.ok(largestGap(one, policyOf(name)) <= (2 * one.slots + 1) * most);
    });
    fc.assert(property, { numRuns: 150 });
  });

test('who comes back has saved nothing up', () => {
  const order = told('fair', [
    [aCall('1', { owner: 'busy' }), used(9_000)],
    [aCall('2', { owner: 'idle' }), used(10)],
  ]);
  const calls = [aCall('a', { owner: 'busy' }), aCall('b', { owner: 'idle' })];
  for (const call of calls) order.tell({ kind: 'arrived', at: 5, call });
  assert.equal(order.keyOf(calls[1] as PolicyCall)[0], order.keyOf(calls[0] as PolicyCall)[0]);
});

test('a cache holds what was used last, never loses what runs, and knows what will be wanted again', () => {
  const cache = new CacheModel(10_000);
  const turn = (name: string, inTokens = 4_000) => aCall(name, { turn: name, inTokens, outTokens: 0 });
  assert.deepEqual(cache.started(turn('a'), 0), []);
  assert.deepEqual(cache.started(turn('b'), 1_000), []);
  assert.equal(cache.fits(turn('c'), 1_000), false, 'a and b run');
  cache.ended(turn('b'), 2_000, 4_000, false);
  assert.deepEqual(
    cache.started(turn('c'), 3_000).map(({ call }) => call),
    ['b'],
    'a was used before b, but runs',
  );
  cache.ended(turn('a'), 4_000, 4_000, false);
  cache.ended(turn('c'), 5_000, 4_000, false);
  assert.deepEqual([cache.fits(turn('a'), 5_000), cache.fits(turn('d'), 5_000)], [true, false]);
  assert.equal(cache.fits(turn('d'), 70_000), true, 'nobody came back for long');
  cache.ended(turn('a'), 71_000, undefined, true);
  assert.equal(cache.holds(turn('a')), false, 'its turn is over');
});

test('the last slots of a backend whose cache is known are for calls that fit it', () => {
  const granted: string[] = [];
  const clock = new VirtualClock();
  const scheduler = new Scheduler({
    clock,
    resources: [new Slots('x', 8, { ...ENGINE, cacheTokens: 8_000 })],
    policy: policyOf('mezz'),
    maxWaitMs: 1_000,
    queue: 100,
  });
  const submit = (call: string, inTokens: number) =>
    scheduler.submit(
      aWaiting(call, {
        turn: call,
        inTokens,
        outTokens: 0,
        arrivedAt: clock.now(),
        onGrant: () => void granted.push(call),
      }),
    );
  for (let i = 0; i < 8; i++) submit(`c${i}`, 1_000);
  submit('large', 4_000);
  submit('small', 500);
  assert.equal(granted.length, 8, 'all of the first fit');
  const end = (call: string) => {
    scheduler.used(call, used(1, true));
    scheduler.release(call, 'x');
  };
  end('c0');
  assert.deepEqual(granted.slice(8), ['small'], 'the large one would push out what runs');
  clock.advanceTo(2_000);
  end('c1');
  assert.deepEqual(granted.slice(9), ['large'], 'but not beyond the maximum wait');
});

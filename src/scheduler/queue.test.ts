import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aCall, aWaiting, NO_CONFIG } from './fixture.test.ts';
import { Order } from './order.ts';
import { compareKeys, type Policy, type PolicyCall } from './policy.ts';
import { Queue } from './queue.ts';

interface Served {
  readonly turns: Map<string, number>;
  readonly owners: Map<string, number>;
}
/** Attained service of the owner, then of the turn: keys that change while their calls wait, one part shared. */
const attained: Policy<Served> = {
  name: 'attained',
  text: '',
  shared: { by: 'owner', parts: 1 },
  start: () => ({ turns: new Map(), owners: new Map([0, 1, 2].map((i) => [`o${i}`, i])) }),
  event: (state, event) => {
    if (event.kind !== 'served') return state;
    state.turns.set(event.call.turn ?? '', event.tokens % 4);
    state.owners.set(event.call.owner, event.tokens);
    return state;
  },
  key: ({ turns, owners }, call) => [
    owners.get(call.owner) ?? 0,
    turns.get(call.turn ?? '') ?? 0,
    call.arrivedAt,
  ],
  reasons: () => [],
};
const alone: Policy<Served> = {
  ...attained,
  name: 'alone',
  key: ({ turns }, call) => [turns.get(call.turn ?? '') ?? 0],
};
const RESOURCES = [['x'], ['y'], ['x', 'y']] as const;
const begin = () => ({ config: NO_CONFIG, events: [] });

const PASSES = 2;
/** How often each call may be passed, counted plainly. */
class Dues {
  readonly granted = { x: 0, y: 0 };
  readonly #dues = new Map<string, number>();

  /** Who waits already keeps what it had where it waited. */
  add(call: string, resources: readonly string[], queue: Queue): void {
    const waits = queue.get(call)?.waiting.resources ?? [];
    for (const name of ['x', 'y'] as const) {
      if (!resources.includes(name) || waits.includes(name)) continue;
      const others = [...queue.values()].filter(
        ({ waiting }) => waiting.call !== call && waiting.resources.includes(name),
      );
      this.#dues.set(`${call} ${name}`, this.granted[name] + PASSES * others.length);
    }
  }

  dueOf({ call }: PolicyCall, resource: string): number {
    return this.#dues.get(`${call} ${resource}`) ?? Number.NaN;
  }
}

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'remove', 'served', 'granted', 'all'),
  which: fc.nat(40),
  turn: fc.nat(4),
  tokens: fc.nat(500),
  passed: fc.nat(40),
});

for (const policy of [attained, { ...alone, shared: undefined } as unknown as Policy<Served>]) {
  test(`${policy.name}: the first by the heaps is the first by comparing all, whatever changes`, () => {
    const property = fc.property(fc.array(step, { maxLength: 150 }), fc.nat(60), (steps, overdueAt) => {
      const queue = new Queue(() => PASSES);
      const model = new Dues();
      const order = new Order(policy as Policy<unknown>, begin);
      queue.doubtAll(order.policy);
      const keyOf = (call: PolicyCall) => order.keyOf(call);
      steps.forEach(({ kind, which, turn, tokens, passed }, at) => {
        // Two owners never have the same share: what is equal is told apart by what happened first.
        const call = aCall(`c${which}`, {
          owner: `o${turn % 3}`,
          turn: `t${turn}`,
          nice: 0,
          arrivedAt: at,
        });
        const mine = { ...call, resources: RESOURCES[which % 3] ?? ['x'] };
        if (kind === 'add') {
          model.add(call.call, mine.resources, queue);
          queue.add(aWaiting(call.call, mine), at);
        } else if (kind === 'remove') queue.remove(call.call);
        else if (kind === 'granted') {
          const resource = which % 2 ? 'x' : 'y';
          queue.granted(resource);
          model.granted[resource]++;
        } else if (kind === 'served') {
          order.tell({ kind: 'served', at, call, tokens: 3 * tokens + (turn % 3) });
          queue.doubt(call);
        } else queue.doubtAll(order.policy);
        for (const resource of ['x', 'y'] as const) {
          const aside = new Set([`c${passed}`, `c${passed + 1}`]);
          const isLate = (one: PolicyCall) =>
            one.arrivedAt <= overdueAt && model.dueOf(one, resource) <= model.granted[resource];
          const isBefore = (a: PolicyCall, b: PolicyCall): number => {
            const inOrder = isLate(a)
              ? model.dueOf(a, resource) - model.dueOf(b, resource) || a.arrivedAt - b.arrivedAt
              : compareKeys(keyOf(a), keyOf(b));
            return Number(isLate(b)) - Number(isLate(a)) || inOrder;
          };
          const wanted = [...queue.values()]
            .map(({ waiting }) => waiting)
            .filter(({ call, resources }) => resources.includes(resource) && !aside.has(call));
          const first = queue.first(resource, ({ call }) => !aside.has(call), order, overdueAt)?.waiting;
          assert.equal(first === undefined, wanted.length === 0);
          if (first)
            assert.deepEqual(
              wanted.filter((other) => isBefore(other, first) < 0),
              [],
            );
          for (const other of wanted)
            if (first && other !== first && !isLate(other) && !isLate(first))
              assert.ok(queue.compare(first.call, other.call, order) < 0);
        }
      });
    });
    fc.assert(property, { numRuns: 200 });
  });
}

test('a key is asked for once while nothing about its call changes', () => {
  let asked = 0;
  const counting: Policy<unknown> = {
    ...(alone as Policy<unknown>),
    shared: { by: 'owner', parts: 1 },
    key: (_state, call) => {
      asked++;
      return [0, call.arrivedAt];
    },
  };
  const queue = new Queue(() => 0);
  const order = new Order(counting, begin);
  queue.doubtAll(order.policy);
  const call = (i: number) => aWaiting(`c${i}`, { turn: `t${i}`, arrivedAt: i });
  for (let i = 0; i < 500; i++) queue.add(call(i), i);
  for (let i = 0; i < 400; i++) {
    assert.equal(queue.first('x', () => true, order, -1)?.waiting.call, `c${i}`);
    queue.remove(`c${i}`);
    // Its owner has 500 calls: one of them is asked for all, and the one of the turn.
    queue.doubt(call(450));
  }
  assert.ok(asked <= 500 + 2 * 400, `${asked}`);
});

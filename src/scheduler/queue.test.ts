import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Order } from './order.ts';
import { compareKeys, type Policy, type PolicyCall } from './policy.ts';
import { Queue, type Waiting } from './queue.ts';

/** Attained service of the turn first: a key that changes while its calls wait. */
const attained: Policy<Map<string, number>> = {
  name: 'attained',
  start: () => new Map(),
  event: (state, event) => {
    if (event.kind === 'served') state.set(event.call.turn ?? '', event.tokens);
    return state;
  },
  key: (state, call) => [state.get(call.turn ?? '') ?? 0, call.arrivedAt],
  reasons: () => [],
};
const RESOURCES = [['x'], ['y'], ['x', 'y']] as const;

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'remove', 'served', 'all'),
  which: fc.nat(40),
  turn: fc.nat(4),
  tokens: fc.nat(5),
  passed: fc.nat(40),
});

test('the first by the heaps is the first by comparing all, whatever changes', () => {
  const property = fc.property(fc.array(step, { maxLength: 150 }), fc.nat(60), (steps, overdueAt) => {
    const queue = new Queue();
    const order = new Order(attained as Policy<unknown>, { resources: [] }, []);
    const keyOf = (call: PolicyCall) => order.keyOf(call);
    steps.forEach(({ kind, which, turn, tokens, passed }, at) => {
      const call = { call: `c${which}`, agent: which % 3, turn: `t${turn}`, nice: 0, arrivedAt: at };
      if (kind === 'add')
        queue.add({ ...call, resources: RESOURCES[which % 3] ?? ['x'] } as unknown as Waiting, at);
      else if (kind === 'remove') queue.remove(call.call);
      else if (kind === 'served') {
        order.tell({ kind: 'served', at, call, tokens });
        queue.doubt(call);
      } else queue.doubtAll();
      for (const resource of ['x', 'y']) {
        const aside = new Set([`c${passed}`, `c${passed + 1}`]);
        const wanted = [...queue.values()]
          .filter(({ waiting }) => waiting.resources.includes(resource) && !aside.has(waiting.call))
          .sort((a, b) => {
            const late = Number(b.waiting.arrivedAt <= overdueAt) - Number(a.waiting.arrivedAt <= overdueAt);
            const inOrder =
              a.waiting.arrivedAt <= overdueAt
                ? a.waiting.arrivedAt - b.waiting.arrivedAt
                : compareKeys(keyOf(a.waiting), keyOf(b.waiting));
            return late || inOrder || a.order - b.order;
          })[0];
        assert.equal(queue.first(resource, aside, order, overdueAt)?.waiting.call, wanted?.waiting.call);
      }
    });
  });
  fc.assert(property, { numRuns: 200 });
});

test('a key is asked for once while nothing about its call changes', () => {
  let asked = 0;
  const counting: Policy<unknown> = {
    ...(attained as Policy<unknown>),
    key: (_state, call) => {
      asked++;
      return [call.arrivedAt];
    },
  };
  const queue = new Queue();
  const order = new Order(counting, { resources: [] }, []);
  const call = (i: number) =>
    ({ call: `c${i}`, agent: i, nice: 0, arrivedAt: i, resources: ['x'] }) as unknown as Waiting;
  for (let i = 0; i < 500; i++) queue.add(call(i), i);
  for (let i = 0; i < 400; i++) {
    assert.equal(queue.first('x', new Set(), order, -1)?.waiting.call, `c${i}`);
    queue.remove(`c${i}`);
    queue.doubt(call(450));
  }
  assert.equal(asked, 500 + 399);
});

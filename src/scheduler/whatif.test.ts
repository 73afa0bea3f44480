import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENGINE } from './cost.ts';
import { fifo } from './policies/fifo.ts';
import { priority } from './policies/priority.ts';
import { type Recorded, replay, waitsRecorded } from './whatif.ts';

const world = {
  resources: [{ name: 'x', size: 1, terms: ENGINE }],
  tuning: { weights: {}, reload: 1 },
  maxWaitMs: 1e9,
};
const call = (
  id: string,
  agent: number,
  nice: number,
  arrivedAt: number,
  startedAt: number,
  endedAt: number,
): Recorded => ({
  call: id,
  agent,
  owner: 'me',
  turn: `t${agent}`,
  nice,
  image: 'test',
  backend: 'x',
  arrivedAt,
  startedAt,
  endedAt,
  input: 10,
  cached: 0,
  output: 10,
});

test('the policy that was in force gives what was; another one gives what would have been, closed loop', () => {
  const calls = [
    call('a', 1, 0, 0, 0, 100),
    call('b', 2, 5, 10, 100, 200),
    call('c', 3, -5, 20, 200, 300),
    // Agent 2 thinks for 50 ms and calls again.
    call('d', 2, 5, 250, 300, 400),
  ];
  assert.deepEqual(replay(calls, fifo, world).waits, waitsRecorded(calls));
  // c before b: b runs from 200 to 300, and d comes at 350 and waits for nobody.
  assert.deepEqual([...replay(calls, priority, world).waits].sort(), [
    [1, 0],
    [2, 190],
    [3, 80],
  ]);
});

test('a policy that fails is no answer', () => {
  const broken = {
    ...priority,
    name: 'broken',
    key: () => {
      throw new Error('no');
    },
  };
  assert.match(replay([call('a', 1, 0, 0, 0, 100)], broken, world).fault ?? '', /broken failed/);
});

test('what first come, first served did, the replay of it does again', () => {
  const arrivals = fc.array(
    fc.record({ agent: fc.nat(4), after: fc.nat(50), runs: fc.integer({ min: 1, max: 80 }) }),
    {
      minLength: 1,
      maxLength: 60,
    },
  );
  const property = fc.property(arrivals, (steps) => {
    let [at, free] = [0, 0];
    const calls = steps.map(({ agent, after, runs }, index) => {
      at += after;
      const startedAt = Math.max(at, free);
      free = startedAt + runs;
      return call(`c${index}`, agent, 0, at, startedAt, free);
    });
    const [again, was] = [replay(calls, fifo, world).waits, waitsRecorded(calls)];
    for (const [agent, waited] of was) assert.equal(again.get(agent), waited);
  });
  fc.assert(property, { numRuns: 200 });
});

/**
 * What one release and the grant that follows cost while many calls wait: 1,000 and 20,000 against 10, for policies whose
 * keys stay and for one whose keys change with the service a turn has had. Pure scheduler, in virtual time.
 * Usage: node scripts/with-node.js bench/scheduler.ts [--json]
 */
import { VirtualClock } from '../src/base/clock.ts';
import { fifo } from '../src/scheduler/policies/fifo.ts';
import { priority } from '../src/scheduler/policies/priority.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { Slots } from '../src/scheduler/resource.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { print } from './lab/report.ts';

/** Least attained service of the turn first, as a policy with changing keys. */
const attained: Policy<Map<string, number>> = {
  name: 'attained',
  start: () => new Map(),
  event: (state, event) => {
    if (event.kind === 'ended') state.set(event.call.turn ?? '', (state.get(event.call.turn ?? '') ?? 0) + 1);
    return state;
  },
  key: (state, call) => [state.get(call.turn ?? '') ?? 0, call.arrivedAt],
  reasons: () => [],
};

const CYCLES = 2000;

/** µs per release, grant and new arrival with so many calls waiting all the time. */
function cycleUs(policy: Policy<unknown>, waiting: number): number {
  const clock = new VirtualClock();
  const scheduler = new Scheduler({
    clock,
    resources: [new Slots('x', 1)],
    policy,
    maxWaitMs: 1e12,
    queue: 1e6,
  });
  let next = 0;
  let running = '';
  const arrive = () => {
    const id = next++;
    scheduler.submit({
      call: `c${id}`,
      agent: id % 100,
      turn: `t${id % 500}`,
      nice: id % 5,
      arrivedAt: id,
      deadlineAt: 1e15,
      resources: ['x'],
      onGrant: () => {
        running = `c${id}`;
      },
      onRefuse: () => {},
    });
  };
  for (let i = 0; i <= waiting; i++) arrive();
  const before = process.cpuUsage();
  for (let i = 0; i < CYCLES; i++) {
    scheduler.release(running, 'x');
    arrive();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CYCLES;
}

const rows = [fifo, priority, attained as Policy<unknown>].map((policy) => {
  cycleUs(policy, 100);
  const [few, many, most] = [10, 1000, 20_000].map((waiting) => cycleUs(policy, waiting)) as [
    number,
    number,
    number,
  ];
  return {
    policy: policy.name,
    us10: few,
    us1000: many,
    us20000: most,
    ratio1000: many / few,
    ratio20000: most / few,
  };
});
print({ rows }, [
  ['policy', '10 wait, µs', '1,000', '20,000', 'x at 1,000', 'x at 20,000'],
  ...rows.map((row) => [
    row.policy,
    row.us10.toFixed(1),
    row.us1000.toFixed(1),
    row.us20000.toFixed(1),
    row.ratio1000.toFixed(1),
    row.ratio20000.toFixed(1),
  ]),
]);

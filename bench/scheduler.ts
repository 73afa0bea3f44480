/**
 * What one release and the grant that follows cost while many calls wait: 1,000 and 20,000 against 10, for every policy
 * that comes with mezz. Four calls are of one turn, and all of five owners, so each grant changes the order of many. Virtual time.
 * Usage: node scripts/with-node.js bench/scheduler.ts [--json]
 */
import { VirtualClock } from '../src/base/clock.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { Slots } from '../src/scheduler/resource.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { print } from './lab/report.ts';

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
      owner: `o${id % 5}`,
      turn: `t${Math.floor(id / 4)}`,
      nice: id % 5,
      arrivedAt: id,
      deadlineAt: 1e15,
      inTokens: 1000 + (id % 77),
      outTokens: 100,
      image: 'bench',
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
    scheduler.used(running, { input: 100, cached: 900, output: 50 + (i % 60), endsTurn: false });
    scheduler.release(running, 'x');
    arrive();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CYCLES;
}

const rows = [...POLICIES.values()].map((policy) => {
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

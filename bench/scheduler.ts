/**
 * What a decision costs while many calls wait: one release, the grant that follows and a new arrival, with 1,000, 10,000
 * and 20,000 waiting against 10, for every policy that comes with mezz; and with 10,000 waiting after 200,000
 * finished turns against 1,000. Four calls are of one turn, and all of five owners, so each grant changes the order of
 * many. Virtual time; decisions a second are of one core.
 * Usage: node scripts/with-node.js bench/scheduler.ts [--json]
 */
import { VirtualClock } from '../src/base/clock.ts';
import { History } from '../src/scheduler/history.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { Slots } from '../src/scheduler/resource.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { print } from './lab/report.ts';

const CYCLES = 2000;
const LONG_CYCLES = 10_000;
const WAITING = [10, 1000, 10_000, 20_000] as const;
const TURNS = 200_000;

/** µs per release, grant and new arrival with so many calls waiting all the time. */
function cycleUs(policy: Policy<unknown>, waiting: number, history: History, cycles = CYCLES): number {
  const clock = new VirtualClock();
  const scheduler = new Scheduler({
    clock,
    resources: [new Slots('x', 1)],
    policy,
    history,
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
  for (let i = 0; i < cycles; i++) {
    scheduler.used(running, { input: 100, cached: 900, output: 50 + (i % 60), endsTurn: false });
    scheduler.release(running, 'x');
    arrive();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / cycles;
}

/** What so many finished turns of this image have taught. */
function historyOf(turns: number): History {
  const history = new History();
  for (let turn = 0; turn < turns; turn++) history.learn('bench', 100 + ((turn * 7919) % 20_000));
  return history;
}
const [SHORT, LONG] = [historyOf(1000), historyOf(TURNS)];

/** The least of three, each kind in turn: what else the machine does only adds. */
function least<K extends string | number>(kinds: readonly K[], measure: (kind: K) => number): Map<K, number> {
  const best = new Map<K, number>();
  for (let round = 0; round < 3; round++)
    for (const kind of kinds)
      best.set(kind, Math.min(best.get(kind) ?? Number.POSITIVE_INFINITY, measure(kind)));
  return best;
}

const rows = [...POLICIES.values()].map((policy) => {
  cycleUs(policy, 1000, SHORT);
  const us = least(WAITING, (waiting) => cycleUs(policy, waiting, SHORT));
  const histories = least(['short', 'long'], (kind) =>
    cycleUs(policy, 10_000, kind === 'long' ? LONG : SHORT, LONG_CYCLES),
  );
  const of = (waiting: (typeof WAITING)[number]) => us.get(waiting) as number;
  return {
    policy: policy.name,
    us: [...us.values()],
    aSecond: 1e6 / of(10_000),
    x10000: of(10_000) / of(10),
    x20000: of(20_000) / of(10),
    xHistory: (histories.get('long') as number) / (histories.get('short') as number),
  };
});
const grouped = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
print({ waiting: WAITING, turns: TURNS, rows }, [
  [
    'policy',
    ...WAITING.map((waiting) => `${grouped(waiting)} wait, us`),
    'x at 10,000',
    'x at 20,000',
    'a second at 10,000',
    `x after ${grouped(TURNS)} turns`,
  ],
  ...rows.map(({ policy, us, aSecond, x10000, x20000, xHistory }) => [
    policy,
    ...us.map((one) => one.toFixed(1)),
    x10000.toFixed(1),
    x20000.toFixed(1),
    grouped(aSecond),
    xHistory.toFixed(2),
  ]),
]);

/**
 * One agent that a person watches beside busy ones on a plan, in virtual time, on real sessions: the kernel's scheduler and
 * governor against an API that enforces buckets as Anthropic does. Watched: turns of up to two minutes, one after the
 * other, twenty seconds to read each answer; the others never rest. Compared: the watched one alone, all at nice 0, itself
 * at nice -5 by the order alone, and with what is kept for it. What the others lose is compared with all at nice 0; the part
 * of it that the watched one itself takes more, since it waits less, is what nobody can spare them. The same through the
 * real kernel is bench/watched.ts.
 * Usage: node scripts/with-node.js bench/beside.ts [--seeds 3] [--json]
 */
import { seededRandom } from '../src/base/random.ts';
import { costOf, HOSTED, type Terms } from '../src/scheduler/cost.ts';
import { mezz } from '../src/scheduler/policies/mezz.ts';
import { note, option, print } from './lab/report.ts';
import { kernel } from './sched/clients.ts';
import { Hosted, type Turn } from './sched/hosted.ts';
import { dominant, historyOf } from './sched/load.ts';
import { FIRST_TIER, type Plan, SECOND_TIER } from './sched/plan.ts';
import { type Program, readTrace } from './sched/trace.ts';

const READS_MS = 20_000;
const WATCHED = 0;

const seeds = option('seeds', 3);
const history = historyOf(HOSTED);
const { test: all } = readTrace();
const short = all.filter(({ aloneS, serviceS }) => aloneS < 120 && serviceS > 5);

interface Case {
  readonly name: string;
  readonly plan: Plan;
  readonly others: number;
  readonly hours: number;
}
const CASES: readonly Case[] = [
  { name: 'first tier, 4 others', plan: FIRST_TIER, others: 4, hours: 4 },
  { name: 'second tier, 4 others', plan: SECOND_TIER, others: 4, hours: 4 },
  { name: 'second tier, 80 others', plan: SECOND_TIER, others: 80, hours: 2 },
];

interface Run {
  /** Seconds of the watched one's turns, in the order of the same programs. */
  readonly turnsS: readonly number[];
  /** What its turns, and those of the others, took of the plan, in units of what is scarcest for each call. */
  readonly mine: number;
  readonly others: number;
  readonly refused: number;
}

function run({ plan, hours }: Case, seed: number, nice: number, others: number, keeps: boolean): Run {
  const endMs = hours * 3_600_000;
  const randoms = Array.from({ length: 1 + others }, (_, agent) => seededRandom(seed * 1000 + agent));
  const turns: Turn[] = [];
  const next = (agent: number, arrivedMs: number): Turn => {
    const some = agent === WATCHED ? short : all;
    const program = some[Math.floor((randoms[agent]?.unit() ?? 0) * some.length)] as Program;
    const by = { agent, nice: agent === WATCHED ? nice : 0 };
    const turn = {
      id: turns.length,
      program,
      arrivedMs,
      by,
      at: 0,
      readyMs: 0,
      doneMs: undefined,
      failed: false,
    };
    turns.push(turn);
    return turn;
  };
  const first = randoms.map((_, agent) => next(agent, agent * 1000));
  const way = kernel({ policy: mezz, history, keeps });
  const world = new Hosted('anthropic', { ...plan }, first, way, seed, [], ({ by, doneMs = 0 }) => {
    if (!by || doneMs > endMs) return undefined;
    return next(by.agent, doneMs + (by.agent === WATCHED ? READS_MS : 0));
  });
  const inTime = turns.filter(({ doneMs }) => doneMs !== undefined && doneMs < endMs);
  const mine = inTime.filter(({ by }) => by?.agent === WATCHED);
  const units = dominant({ ...plan });
  return {
    turnsS: mine.map(({ doneMs = 0, arrivedMs }) => (doneMs - arrivedMs) / 1000),
    mine: costOfTurns(mine, units),
    others: costOfTurns(inTime, units) - costOfTurns(mine, units),
    refused: world.refused,
  };
}

const costOfTurns = (turns: readonly Turn[], units: Terms): number =>
  sum(turns.flatMap(({ program }) => program.steps.map(({ fresh, output }) => costOf(units, fresh, output))));
const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

/** Means over the seeds. */
function figuresOf(one: Case) {
  const each = Array.from({ length: seeds }, (_, i) => {
    const alone = run(one, i + 1, -5, 0, true);
    const level = run(one, i + 1, 0, one.others, true);
    const ordered = run(one, i + 1, -5, one.others, false);
    const kept = run(one, i + 1, -5, one.others, true);
    const common = Math.min(...[alone, level, ordered, kept].map(({ turnsS }) => turnsS.length));
    const takes = ({ turnsS }: Run) => sum(turnsS.slice(0, common)) / common;
    const loss = ({ others }: Run) => 1 - others / level.others;
    const own = ({ mine }: Run) => (mine - level.mine) / level.others;
    return {
      aloneS: takes(alone),
      level: takes(level) / takes(alone),
      ordered: takes(ordered) / takes(alone),
      kept: takes(kept) / takes(alone),
      orderedLoss: loss(ordered),
      keptLoss: loss(kept),
      own: own(kept),
      refused: kept.refused,
    };
  });
  const mean = (key: keyof (typeof each)[number]) => sum(each.map((figures) => figures[key])) / seeds;
  return {
    ...one,
    ...Object.fromEntries(Object.keys(each[0] ?? {}).map((key) => [key, mean(key as 'own')])),
  } as Case & (typeof each)[number];
}

const rows = CASES.map((one) => {
  const figures = figuresOf(one);
  note(JSON.stringify(figures));
  return figures;
});
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const times = (value: number) => `x${value.toFixed(2)}`;
print({ rows }, [
  [
    'plan',
    'a turn alone s',
    'all at nice 0',
    'ahead by order',
    'and kept',
    'the others lose',
    'kept: they lose',
    'of it its own',
    '429s',
  ],
  ...rows.map((row) => [
    row.name,
    row.aloneS.toFixed(1),
    times(row.level),
    times(row.ordered),
    times(row.kept),
    percent(row.orderedLoss),
    percent(row.keptLoss),
    percent(row.own),
    row.refused.toFixed(0),
  ]),
]);

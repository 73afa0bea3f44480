/**
 * Rate limits of hosted APIs on real coding sessions, in virtual time: programs that together ask 0.95 or 1.3 times what
 * the limit allows, of an API that enforces buckets as Anthropic or as OpenAI does and says so in its headers. Compared:
 * SDKs that retry, a fixed number of calls at once, and the kernel's own scheduler and governor under several policies;
 * the last is clairvoyant. Then the governor alone, of four seeds at most, while the limit is halved and doubled, and while another client takes
 * its part. The real kernel under a real limit is bench/limits.ts.
 * Usage: node scripts/with-node.js bench/hosted.ts [--seeds 12] [--programs 1200] [--json]
 */
import type { Limits } from '../src/drivers/lab/allowance.ts';
import { costOf, HOSTED } from '../src/scheduler/cost.ts';
import type { History } from '../src/scheduler/history.ts';
import { fifo } from '../src/scheduler/policies/fifo.ts';
import { las } from '../src/scheduler/policies/las.ts';
import { mezz } from '../src/scheduler/policies/mezz.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { note, option, print } from './lab/report.ts';
import { clairvoyant, kernel, sdk } from './sched/clients.ts';
import { type Change, Hosted, type Kind, type Turn, type Way } from './sched/hosted.ts';
import {
  BINDING,
  dominant,
  type Figures,
  figuresOf,
  historyOf,
  lastMinute,
  limitsOf,
  turnsOf,
} from './sched/load.ts';

const seeds = option('seeds', 12);
const programs = option('programs', 1200);
const CHANGED_SEEDS = 4;

function waysOf(limits: Limits, turns: readonly Turn[], history: History): [string, Way][] {
  const exact = dominant(limits);
  const leftOf = (id: number): number => {
    const { program, at } = turns[id] as Turn;
    return program.steps.slice(at).reduce((sum, { input, fresh, output }) => {
      return sum + costOf(exact, limits.tokens === undefined ? fresh : input, output);
    }, 0);
  };
  const by = (policy: Policy<unknown>): Way => kernel({ policy, history });
  return [
    ['SDK, 2 retries', sdk(2, false)],
    ['SDK, 10 retries, honours retry-after', sdk(10, true)],
    ['8 at once, 10 retries', sdk(10, true, 8)],
    ['mezz governor, fifo', by(fifo)],
    ['mezz governor, las', by(las)],
    ['mezz governor, default policy', by(mezz)],
    ['mezz governor, clairvoyant SRPT', by(clairvoyant(leftOf))],
  ];
}

const history = historyOf(HOSTED);
const rows: { kind: Kind; load: number; way: string; figures: Figures }[] = [];
for (const kind of ['anthropic', 'openai'] as const)
  for (const load of [0.95, 1.3]) {
    const limits = limitsOf(kind, load);
    for (const [index, [way]] of waysOf(limits, [], history).entries()) {
      const each = Array.from({ length: seeds }, (_, seed) => {
        const turns = turnsOf(seed + 1, programs);
        const [, go] = waysOf(limits, turns, history)[index] as [string, Way];
        return figuresOf(new Hosted(kind, limits, turns, go, seed + 1), limits);
      });
      const mean = (key: keyof Figures) => each.reduce((sum, one) => sum + one[key], 0) / seeds;
      const figures = {
        sends: mean('sends'),
        refused: mean('refused'),
        failed: mean('failed'),
        used: mean('used'),
        slowdown: mean('slowdown'),
        p95: mean('p95'),
      };
      rows.push({ kind, load, way, figures });
      note(`${kind} ${load} ${way}: ${JSON.stringify(figures)}`);
    }
  }

/** Minutes after a change until three in a row use 95 to 105 % of what the limit then is. */
function converges(kind: Kind, name: string, seed: number, changes: readonly Change[]) {
  const limits = limitsOf(kind, 2.6);
  const turns = turnsOf(seed, programs);
  const world = new Hosted(kind, limits, turns, kernel({ policy: mezz, history }), seed, changes);
  const binding = BINDING[kind];
  const minutes = world.charged.get(binding) ?? [];
  const steps = changes.map(({ atMs, factor }, index) => {
    const from = Math.floor(atMs / 60_000);
    const to = Math.floor((changes[index + 1]?.atMs ?? lastMinute(world) * 60_000) / 60_000);
    const size = (limits[binding] ?? 1) * (factor ?? 1);
    const shares = minutes.slice(from, to).map((one) => (one ?? 0) / size);
    const settled = shares.findIndex((_, at) => {
      const three = shares.slice(at, at + 3);
      return three.length === 3 && Math.abs(three.reduce((sum, one) => sum + one, 0) / 3 - 1) < 0.05;
    });
    const used = shares.slice(3).reduce((sum, one) => sum + one, 0) / Math.max(1, shares.length - 3);
    return { at: from, settled, used };
  });
  return { kind, name, seed, sends: world.sends, refused: world.refused, steps };
}

const minute = 60_000;
const changesOf = (kind: Kind, seed: number) => [
  converges(kind, 'halved, then doubled', seed, [
    { atMs: 15 * minute, factor: 1 },
    { atMs: 35 * minute, factor: 0.5 },
    { atMs: 60 * minute, factor: 1 },
  ]),
  converges(kind, 'another client from minute 35 on', seed, [
    { atMs: 15 * minute, factor: 1 },
    { atMs: 35 * minute, factor: 1, othersPerMinute: 20 },
  ]),
];
const changed = (['anthropic', 'openai'] as const).flatMap((kind) =>
  Array.from({ length: Math.min(seeds, CHANGED_SEEDS) }, (_, at) => changesOf(kind, at + 1)).flat(),
);
for (const one of changed) note(JSON.stringify(one));
print({ rows, changed }, [
  ['API', 'load', 'way', 'sends', '429s', 'turns failed', 'limit used', 'slowdown', 'p95'],
  ...rows.map(({ kind, load, way, figures }) => [
    kind,
    String(load),
    way,
    figures.sends.toFixed(0),
    figures.refused.toFixed(0),
    figures.failed.toFixed(0),
    `${(100 * figures.used).toFixed(1)} %`,
    figures.slowdown.toFixed(2),
    figures.p95.toFixed(1),
  ]),
]);

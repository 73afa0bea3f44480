/** The load that real sessions put on a hosted API, the limits that go with it, and what came of it. */
import { seededRandom } from '../../src/base/random.ts';
import type { LabDimension, Limits } from '../../src/drivers/lab/allowance.ts';
import { costOf, type Terms } from '../../src/scheduler/cost.ts';
import { History } from '../../src/scheduler/history.ts';
import { BOUND, type Hosted, type Kind, type Turn } from './hosted.ts';
import { type Program, readTrace } from './trace.ts';

const PER_SECOND = 0.2;
/** How much more each limit allows than the one that binds. */
const SLACK: Readonly<Record<Kind, Limits>> = {
  anthropic: { requests: 1.5, input: 1.3, output: 1 },
  openai: { requests: 1.5, tokens: 1 },
};
export const BINDING: Readonly<Record<Kind, LabDimension>> = { anthropic: 'output', openai: 'tokens' };
/** The buckets are full at first: what is used is counted from here on. */
const FROM_MINUTE = 15;

const { train, test } = readTrace();

const amountOf = (kind: Kind, program: Program, dimension: LabDimension): number =>
  program.steps.reduce((sum, { input, fresh, output }) => {
    const each = { requests: 1, input: fresh, output, tokens: input + BOUND[kind] };
    return sum + each[dimension];
  }, 0);

/** The limits a minute under which programs at this rate ask `load` times what binds. */
export function limitsOf(kind: Kind, load: number): Limits {
  const of = (dimension: LabDimension): number =>
    test.reduce((sum, program) => sum + amountOf(kind, program, dimension), 0) / test.length;
  return Object.fromEntries(
    Object.entries(SLACK[kind]).map(([dimension, slack]) => [
      dimension,
      Math.round((of(dimension as LabDimension) * PER_SECOND * 60 * slack) / load),
    ]),
  );
}

export function turnsOf(seed: number, count: number): Turn[] {
  const random = seededRandom(seed);
  let arrivedMs = 0;
  return Array.from({ length: count }, (_, id) => {
    arrivedMs += (-Math.log(1 - random.unit()) * 1000) / PER_SECOND;
    const program = test[Math.floor(random.unit() * test.length)] as Program;
    return { id, program, arrivedMs, at: 0, readyMs: 0, doneMs: undefined, failed: false };
  });
}

/** What finished turns of the other half teach, in the kernel's units for hosted APIs. */
export function historyOf(terms: Terms): History {
  const history = new History();
  for (const { steps } of train)
    history.learn(
      'coding',
      steps.reduce((sum, { fresh, output }) => sum + costOf(terms, fresh, output), 0),
    );
  history.publish();
  return history;
}

/** Dominant-resource units: what a call takes of the limit that is scarcest for it, in tokens of answer. */
export const dominant = ({ requests = 1, input, output, tokens }: Limits): Terms =>
  output !== undefined
    ? { inputWeight: output / (input ?? 1), requestWeight: output / requests, combine: 'max' }
    : { inputWeight: 1, requestWeight: (tokens ?? 1) / requests, combine: 'max' };

export interface Figures {
  readonly sends: number;
  readonly refused: number;
  readonly failed: number;
  readonly used: number;
  readonly slowdown: number;
  readonly p95: number;
}

export function figuresOf(world: Hosted, limits: Limits): Figures {
  const done = world.turns.filter(({ failed }) => !failed);
  const slow = done
    .map(({ doneMs = 0, arrivedMs, program }) => (doneMs - arrivedMs) / 1000 / Math.max(1, program.aloneS))
    .sort((a, b) => a - b);
  const binding = BINDING[world.kind];
  const minutes = (world.charged.get(binding) ?? []).slice(FROM_MINUTE, lastMinute(world));
  const used = minutes.reduce((sum, one) => sum + (one ?? 0), 0) / (minutes.length * (limits[binding] ?? 1));
  return {
    sends: world.sends,
    refused: world.refused,
    failed: world.turns.length - done.length,
    used,
    slowdown: slow.reduce((sum, one) => sum + one, 0) / slow.length,
    p95: slow[Math.floor(0.95 * slow.length)] ?? Number.NaN,
  };
}

/** As long as programs come: after that a limit is not asked for in full. */
export const lastMinute = ({ turns }: Hosted): number => Math.floor((turns.at(-1)?.arrivedMs ?? 0) / 60_000);

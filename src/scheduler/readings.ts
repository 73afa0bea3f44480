/**
 * What a provider's answer says of its buckets, in its headers: how much each holds, how much is left and when it is full
 * again. Anthropic's `anthropic-ratelimit-*` and OpenAI's `x-ratelimit-*` as documented in 2026; other servers speak one
 * of the two.
 */
import { dateMs, durationMs } from './times.ts';

/** `tokens`: input and output together, as OpenAI counts them. */
export type Dimension = 'requests' | 'input' | 'output' | 'tokens';

export interface Reading {
  readonly dimension: Dimension;
  readonly limit: number;
  readonly remaining: number;
  /** When it is full again, wall time in ms; null: not said. */
  readonly fullAt: number | null;
  /** How far that may be off: dates come in whole seconds. */
  readonly fullWithinMs: number;
  /** How far `remaining` may be off: some are rounded to thousands. */
  readonly slack: number;
}

type Part = 'limit' | 'remaining' | 'reset';
type Parts = Partial<Record<Part, string>>;

const ANTHROPIC =
  /^anthropic-ratelimit-(requests|input-tokens|output-tokens|tokens)-(limit|remaining|reset)$/;
const OPENAI = /^x-ratelimit-(limit|remaining|reset)-(requests|tokens)$/;
const DIMENSIONS: Readonly<Record<string, Dimension>> = {
  requests: 'requests',
  'input-tokens': 'input',
  'output-tokens': 'output',
  tokens: 'tokens',
};

/** `headers` is flat: name, value, ...; what is missing or no number gives no reading. */
export function readBuckets(headers: readonly string[], now: number): Reading[] {
  const found = new Map<Dimension, Parts>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    // Of some twenty headers few are about limits: the rest is passed over by its length and one letter.
    if (name.length < 22 || !/[ax]/i.test(name[0] as string)) continue;
    const lower = name.toLowerCase();
    const anthropic = ANTHROPIC.exec(lower);
    const openai = anthropic ? null : OPENAI.exec(lower);
    const what = anthropic?.[1] ?? openai?.[2];
    if (what === undefined) continue;
    const dimension = DIMENSIONS[what] as Dimension;
    const parts = found.get(dimension) ?? {};
    found.set(dimension, parts);
    parts[(anthropic?.[2] ?? openai?.[1]) as Part] = (headers[i + 1] as string).trim();
  }
  // Anthropic's `tokens` repeats whichever of the two is shorter.
  if (found.has('input') || found.has('output')) found.delete('tokens');
  const readings: Reading[] = [];
  for (const [dimension, parts] of found) {
    const reading = readOne(dimension, parts, now);
    if (reading) readings.push(reading);
  }
  return readings;
}

function readOne(dimension: Dimension, parts: Parts, now: number): Reading | undefined {
  const limit = numberIn(parts.limit);
  const remaining = numberIn(parts.remaining);
  if (limit === undefined || remaining === undefined || limit === 0) return undefined;
  const isRounded =
    dimension !== 'requests' && limit >= 10_000 && remaining % 1000 === 0 && remaining < limit;
  const reset = parts.reset ?? '';
  const date = dateMs(reset);
  const fullAt = Number.isFinite(date) ? date : now + durationMs(reset);
  return {
    dimension,
    limit,
    remaining: Math.min(remaining, limit),
    fullAt: Number.isFinite(fullAt) ? fullAt : null,
    fullWithinMs: Number.isFinite(date) && !/\.\d/.test(reset) ? 1000 : 1,
    slack: isRounded ? 500 : 0,
  };
}

function numberIn(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,15}(\.\d+)?$/.test(text)) return undefined;
  return Number(text);
}

/** Durations, sizes and money as people write them. The patterns are also the schema's, so both accept the same. */
import { assert } from '../base/assert.ts';
import type { NanoUsd } from '../base/usage.ts';

export const DURATION = '^[0-9]+(\\.[0-9]+)? ?(ms|s|m|h|d)$';
export const SIZE = '^[0-9]+(\\.[0-9]+)? ?(B|[kMGT]B|[KMGT]iB)$';
export const SHARE = '^[0-9]{1,3} ?%$';
export const MONEY = '^[0-9]+(\\.[0-9]{1,9})? ?usd$';

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function scale(text: string, pattern: string, units: Readonly<Record<string, number>>): number | undefined {
  if (!new RegExp(pattern).test(text)) return undefined;
  const unit = /[A-Za-z]+$/.exec(text)?.[0] ?? '';
  const factor = units[unit];
  assert(factor !== undefined, `the pattern admits the unit ${unit}`);
  const value = Math.round(Number.parseFloat(text) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `1.5h` -> milliseconds; undefined when it is no duration (units: ms s m h d). */
export const parseDuration = (text: string): number | undefined => scale(text, DURATION, DURATIONS);

/** `10GB` -> bytes; undefined when it is no size (units: B, kB MB GB TB, KiB MiB GiB TiB). */
export const parseSize = (text: string): number | undefined => scale(text, SIZE, SIZES);

/** `5usd`, `0.25 usd` -> nano-dollars, digit by digit: 0.1 usd is exactly 100,000,000. */
export function parseMoney(text: string): NanoUsd | undefined {
  if (!new RegExp(MONEY).test(text)) return undefined;
  const [whole = '', fraction = ''] = text.replace(/ ?usd$/, '').split('.');
  const nano = Number(whole + fraction.padEnd(9, '0'));
  return Number.isSafeInteger(nano) ? nano : undefined;
}

/** `80%` -> 80. */
export const parseShare = (text: string): number | undefined =>
  new RegExp(SHARE).test(text) ? Number.parseInt(text, 10) : undefined;

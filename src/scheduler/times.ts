/** Instants and spans of time as providers write them in headers. */

/** An HTTP date or RFC 3339, in ms since 1970; `Date.parse` alone makes a date of nearly anything. Not a number if neither. */
export const dateMs = (text: string): number =>
  /^([A-Z][a-z]{2}, \d|\d{4}-\d\d-\d\dT)/.test(text) ? Date.parse(text) : Number.NaN;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** OpenAI's `6m0s`, `1.5s`, `250ms`; not a number for anything else. */
export function durationMs(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return Number.NaN;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g))
    total += Number(count) * (UNITS[unit as string] as number);
  return total;
}

/** The periods a limit may have, in UTC. */
import type { LimitView } from '../base/control.ts';

export type Period = LimitView['period'];
export const PERIODS: readonly Period[] = ['total', 'day', 'month'];
const DAY_MS = 86_400_000;

/** The first instant (ms since 1970) of the period that holds `now`; 0 for `total`. */
export function startOf(period: Period, now: number): number {
  if (period === 'total') return 0;
  if (period === 'day') return Math.floor(now / DAY_MS) * DAY_MS;
  const date = new Date(now);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

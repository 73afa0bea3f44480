/** The periods a limit may have: calendar ones in UTC, and the windows of providers' plans. */
import type { LimitView } from '../base/money.ts';

export type Period = LimitView['period'];
/** A window begins with its first use, or where the provider says that its own began. */
export type Span = '5h' | '7d';
export type Calendar = Exclude<Period, Span>;

/** Calendar periods that begin anew. */
export type Turning = Exclude<Calendar, 'total'>;
export const TURNING: readonly Turning[] = ['day', 'month'];
export const SPAN_MS: Readonly<Record<Span, number>> = { '5h': 5 * 3_600_000, '7d': 7 * 86_400_000 };
export const isSpan = (period: Period): period is Span => period in SPAN_MS;

const DAY_MS = 86_400_000;

/** The first instant (ms since 1970) of the period that holds `now`; 0 for `total`. */
export function startOf(period: Calendar, now: number): number {
  if (period === 'total') return 0;
  if (period === 'day') return Math.floor(now / DAY_MS) * DAY_MS;
  const date = new Date(now);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

/** The first instant after the period that begins at `start`; null for `total`, which never ends. */
export function endOf(period: Calendar, start: number): number | null {
  if (period === 'total') return null;
  if (period === 'day') return start + DAY_MS;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

/** Why no limit can be like this; undefined when it can. A share is what a provider reports of an account's plan. */
export function capMistake(limit: Pick<LimitView, 'scope' | 'dimension' | 'period'>): string | undefined {
  if (limit.dimension !== 'share') return undefined;
  if (!limit.scope.startsWith('account:')) return 'a share is of the plan of an account';
  if (!isSpan(limit.period)) return 'a share is of a plan window, 5h or 7d';
  return undefined;
}

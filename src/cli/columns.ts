import type { CallView, CoverageView } from '../base/control.ts';
import { formatDuration, formatMoney, formatTime, formatUsage } from './format.ts';
import type { Column } from './table.ts';

/** "done", or "refused: over_budget". */
export const callState = (call: CallView): string => (call.code ? `${call.state}: ${call.code}` : call.state);

/** "hooked 12/12": the level, and how many of the calls seen were decided before they happened. */
export const formatCoverage = (coverage: CoverageView): string =>
  coverage.seen === 0 ? coverage.level : `${coverage.level} ${coverage.decided}/${coverage.seen}`;

export const CALL_COLUMNS = (nowMs: number): Column<CallView>[] => [
  { head: 'TIME', cell: (call) => formatTime(call.arrivedAt, nowMs) },
  { head: 'CALL', cell: (call) => call.id },
  { head: 'AGENT', cell: (call) => String(call.agent), right: true },
  { head: 'KIND', cell: (call) => call.kind },
  { head: 'TARGET', cell: (call) => call.target },
  { head: 'IN/OUT', cell: (call) => formatUsage(call.usage), right: true, spare: true },
  { head: 'COST', cell: (call) => formatMoney(call.cost), right: true, spare: true },
  { head: 'TOOK', cell: (call) => formatDuration((call.endedAt ?? nowMs) - call.arrivedAt), right: true },
  { head: 'STATE', cell: callState },
];

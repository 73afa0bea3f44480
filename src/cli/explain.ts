/** A call's path and a wait, in words: for the commands and for the live view. */
import type { TraceStep } from '../base/control.ts';
import type { RivalView, WaitView } from '../base/order.ts';
import type { Answer } from '../sdk/client.ts';
import { callState } from './columns.ts';
import { formatDuration, formatMoney, formatUsage } from './format.ts';
import { type Column, renderTable } from './table.ts';

const formatMs = (ms: number): string =>
  ms < 10_000 ? `${ms.toFixed(ms < 10 ? 2 : 0)} ms` : formatDuration(ms);

export const STEP_COLUMNS: Column<TraceStep>[] = [
  { head: 'AT', cell: (step) => `+${formatMs(step.atMs)}`, right: true },
  { head: 'STAGE', cell: (step) => step.stage },
  { head: 'WHAT', cell: (step) => step.detail },
];

/** What the call was, how it ended, how long it took and what it used. */
export function traceHead({ call }: Answer<'trace'>, nowMs: number): string[] {
  const took = (call.endedAt ?? nowMs) - call.arrivedAt;
  return [
    `${call.kind} ${call.target}, agent ${call.agent}: ${callState(call)}`,
    `${formatDuration(took)}, ${formatUsage(call.usage)} tokens in/out, ${formatMoney(call.cost)}`,
    '',
  ];
}

export const traceLines = (answer: Answer<'trace'>, nowMs: number): string[] => [
  ...traceHead(answer, nowMs),
  ...renderTable(STEP_COLUMNS, answer.steps),
];

function rivalLine({ call, agentName, agent, has, reasons }: RivalView): string {
  const who = `${call} of ${agentName} (${agent})`;
  if (has) return `  ${who} has had ${has.resource} for ${formatDuration(has.sinceMs)}`;
  return `  ${who} is ahead${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`;
}

function estimateLine({ estimateMs, estimateError }: WaitView): string[] {
  if (estimateMs === null) return [];
  const trust =
    estimateError === null
      ? 'none of these estimates has been compared yet'
      : `these estimates were off by ${Math.round(100 * estimateError)} % on average`;
  return [`  about ${formatDuration(estimateMs)} more; ${trust}`];
}

export function whyLines({ waits, text }: Answer<'why'>, subject: string): string[] {
  const lines = waits.flatMap((wait) => {
    const ahead = wait.ahead === null ? '' : `, ${wait.ahead} ahead`;
    return [
      `${wait.call} (${wait.kind}, agent ${wait.agent}) waits ${formatDuration(wait.sinceMs)} for ${wait.waitsFor} ${wait.resource}${ahead}`,
      ...wait.reasons.map((reason) => `  ${reason}`),
      ...wait.rivals.map(rivalLine),
      ...estimateLine(wait),
    ];
  });
  const all = [...text, ...lines];
  return all.length > 0 ? all : [`${subject} waits for nothing`];
}

/**
 * top/ owns the view of agents as they work: which rows in which order, what a key does, and the screen they are on.
 * Invariant: nothing is ended or admitted without a yes to a question that names it, and whatever ends the view, the
 * terminal is as it was before. It must not know how the kernel comes by what it shows.
 */
import type { AgentState, ApprovalView } from '../../base/control.ts';
import type { Answer } from '../../sdk/client.ts';
import { formatCoverage } from '../columns.ts';
import { formatCount, formatDuration, formatMoney, formatTime } from '../format.ts';
import type { Column } from '../table.ts';
import { inTree } from '../tree.ts';

export type Sheet = Answer<'top'>;
export type Row = Sheet['agents'][number];

export const SORTS = ['need', 'money', 'tokens', 'context', 'name', 'tree'] as const;
export type Sort = (typeof SORTS)[number];

/** Short words, so that a row fits a narrow screen; those that need somebody first. */
const STATES: Readonly<Record<AgentState, string>> = {
  'waiting-for-you': 'for you',
  waiting: 'waits',
  running: 'runs',
  paused: 'paused',
  ready: 'ready',
  stopped: 'stopped',
  exited: 'exited',
};
const NEED = Object.keys(STATES);

/** Share of its model's window that the agent's context fills; undefined where either is unknown. */
export const fillShare = ({ context }: Row): number | undefined =>
  context === null || context.window === null ? undefined : context.tokens / context.window;

const ORDERS: Readonly<Record<Exclude<Sort, 'tree'>, (a: Row, b: Row) => number>> = {
  need: (a, b) => NEED.indexOf(a.state) - NEED.indexOf(b.state) || b.recent.cost - a.recent.cost,
  money: (a, b) => b.recent.cost - a.recent.cost,
  tokens: (a, b) => b.recent.tokens - a.recent.tokens,
  context: (a, b) => (fillShare(b) ?? -1) - (fillShare(a) ?? -1),
  name: (a, b) => a.name.localeCompare(b.name, 'en'),
};

export type Shown = Row & { readonly shown: string };

/** The rows in order; children stand under their parents only where the order is the tree. */
export function orderRows({ agents }: Sheet, sort: Sort): Shown[] {
  if (sort === 'tree')
    return inTree(
      agents,
      (agent) => agent.pid,
      (agent) => agent.name,
    );
  return agents
    .map((agent) => ({ ...agent, shown: agent.name }))
    .sort((a, b) => ORDERS[sort](a, b) || a.pid - b.pid);
}

/** The oldest open question of an agent. */
export const questionOf = (sheet: Sheet, pid: number): ApprovalView | undefined =>
  sheet.approvals.filter((one) => one.agent === pid).sort((a, b) => a.openedAt - b.openedAt)[0];

const percent = (share: number): string => `${Math.round(share * 100)}%`;

/** What it waits for; a client that waits for its own user does not say why. */
export const waitText = (row: Row): string =>
  row.waitsFor ?? (row.state === 'waiting-for-you' ? 'its client asks you' : '');

const contextText = (row: Row): string => {
  const share = fillShare(row);
  if (share !== undefined) return percent(share);
  return row.context ? formatCount(row.context.tokens) : '-';
};

/** `perHour`: what the recent use is multiplied by to be an hour's. */
export const topColumns = (perHour: number): Column<Shown>[] => [
  { head: 'PID', cell: (row) => String(row.pid), right: true },
  { head: 'NAME', cell: (row) => row.shown },
  { head: 'STATE', cell: (row) => STATES[row.state] },
  { head: 'WAITS FOR', cell: waitText },
  { head: '$/H', cell: (row) => formatMoney(Math.round(row.recent.cost * perHour)), right: true },
  {
    head: 'TOK/H',
    cell: (row) => formatCount(Math.round(row.recent.tokens * perHour)),
    right: true,
    spare: true,
  },
  { head: 'CTX', cell: contextText, right: true, spare: true },
  { head: 'COVERAGE', cell: (row) => formatCoverage(row.coverage), spare: true },
  {
    head: 'PLAN',
    cell: (row) => (row.plan ? `${row.plan.name} ${percent(row.plan.usedShare)}` : '-'),
    spare: true,
  },
  { head: 'NICE', cell: (row) => String(row.nice), right: true, spare: true },
];

export const perHour = ({ spanMs }: Sheet): number => 3_600_000 / spanMs;

/** Two lines above the table: the kernel and how its agents are; what they used and how full the plans are. */
export function headLines(sheet: Sheet, nowMs: number): [string, string] {
  const { kernel, agents, windows } = sheet;
  const states = NEED.map((state) => [state, agents.filter((agent) => agent.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state.replaceAll('-', ' ')}`);
  const sum = (of: (row: Row) => number) =>
    Math.round(agents.reduce((total, row) => total + of(row), 0) * perHour(sheet));
  const plans = windows
    .filter(({ resetsAt }) => resetsAt === null || resetsAt > nowMs)
    .map(({ name, usedShare, resetsAt, fullAt, first }) => {
      const until = resetsAt === null ? '' : ` until ${formatTime(resetsAt, nowMs)}`;
      const waits = first.length === 0 ? '' : `, ${first.join(', ')} would wait first`;
      const full = fullAt === null ? '' : ` (full at ${formatTime(fullAt, nowMs)}${waits})`;
      return `, plan ${name} ${percent(usedShare)}${until}${full}`;
    });
  return [
    `mezz ${kernel.version}, up ${formatDuration(nowMs - kernel.startedAt)}: ${states.join(', ') || 'no agent yet'}`,
    `per hour ${formatMoney(sum((row) => row.recent.cost))}, ${formatCount(sum((row) => row.recent.tokens))} tokens${plans.join('')}`,
  ];
}

/** What is known of one agent beyond its row. */
export function detailLine(sheet: Sheet, row: Row): string {
  const question = questionOf(sheet, row.pid);
  if (question)
    return `${row.name} asks: ${question.action} ${question.target} ${JSON.stringify(question.args)}`;
  const waits = waitText(row);
  if (waits) return `${row.name} waits for ${waits}`;
  if (!row.context) return `${row.name}: ${row.client}, no answered call yet`;
  const { tokens, window, cached, model } = row.context;
  const of = window === null ? '' : ` of ${formatCount(window)}`;
  return `${row.name}: context ${formatCount(tokens)}${of} tokens, ${percent(cached / tokens)} cached, ${model}`;
}

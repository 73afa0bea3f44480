import type { Command } from 'commander';
import type { BackendView } from '../../base/models.ts';
import type { LimitView, WindowView } from '../../base/money.ts';
import type { Piece, PieceSum } from '../../base/sheets.ts';
import type { Answer } from '../../sdk/client.ts';
import { formatAmount, formatBytes, formatCount, formatTime } from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

const percent = (share: number): string => `${Math.round(share * 100)} %`;

const SLOT_COLUMNS: Column<BackendView>[] = [
  { head: 'BACKEND', cell: (backend) => backend.id },
  { head: 'SLOTS', cell: (backend) => String(backend.slots), right: true },
  { head: 'USED', cell: (backend) => String(backend.busy), right: true },
  { head: 'FREE', cell: (backend) => String(Math.max(0, backend.slots - backend.busy)), right: true },
  { head: 'WAITING', cell: (backend) => String(backend.waiting), right: true },
  { head: 'READY', cell: (backend) => (backend.ready ? 'yes' : 'no: credential missing') },
];

const limitColumns = (nowMs: number): Column<LimitView>[] => [
  { head: 'LIMIT', cell: (limit) => `${limit.scope} ${limit.dimension} ${limit.period}` },
  { head: 'TOTAL', cell: (limit) => formatAmount(limit.dimension, limit.cap), right: true },
  { head: 'USED', cell: (limit) => formatAmount(limit.dimension, limit.used), right: true },
  { head: 'HELD', cell: (limit) => formatAmount(limit.dimension, limit.held), right: true },
  {
    head: 'FREE',
    cell: (limit) => formatAmount(limit.dimension, Math.max(0, limit.cap - limit.used - limit.held)),
    right: true,
  },
  { head: 'UNTIL', cell: (limit) => (limit.resetsAt === null ? '-' : formatTime(limit.resetsAt, nowMs)) },
];

const windowColumns = (nowMs: number): Column<WindowView>[] => [
  { head: 'PLAN', cell: (window) => `${window.account} ${window.name}` },
  { head: 'USED', cell: (window) => percent(window.usedShare), right: true },
  { head: 'FREE', cell: (window) => percent(Math.max(0, 1 - window.usedShare)), right: true },
  { head: 'UNTIL', cell: (window) => (window.resetsAt === null ? '-' : formatTime(window.resetsAt, nowMs)) },
];

/** Windows that are over are as good as new, and what is used of them is not known yet. */
const running = (windows: readonly WindowView[], nowMs: number): WindowView[] =>
  windows.filter(({ resetsAt }) => resetsAt === null || resetsAt > nowMs);

function printFree(session: Session, answer: Answer<'free'>): void {
  const { terminal } = session;
  const now = session.now();
  terminal.printTable(SLOT_COLUMNS, answer.backends);
  if (answer.limits.length > 0) {
    terminal.print('');
    terminal.printTable(limitColumns(now), answer.limits);
  }
  const windows = running(answer.windows, now);
  if (windows.length > 0) {
    terminal.print('');
    terminal.printTable(windowColumns(now), windows);
  }
  const { journal, memory } = answer;
  terminal.print(
    '',
    `waiting  ${formatCount(answer.waiting)} at the gate`,
    `journal  ${formatBytes(journal.fileBytes)}: ${formatCount(journal.entries)} entries, bodies of ${formatBytes(journal.blobBytes)}`,
    `disk     ${formatBytes(answer.diskFreeBytes)} free`,
    `memory   ${formatBytes(memory.residentBytes)} of the kernel: ${formatBytes(memory.heapBytes)} heap, ${formatBytes(memory.bufferBytes)} buffers`,
  );
}

const pieceColumns = (bytes: number): Column<PieceSum>[] => [
  { head: 'WHAT', cell: (piece) => piece.what },
  { head: 'COUNT', cell: (piece) => formatCount(piece.count), right: true },
  { head: 'BYTES', cell: (piece) => formatBytes(piece.bytes), right: true },
  { head: 'SHARE', cell: (piece) => percent(piece.bytes / Math.max(1, bytes)), right: true },
  {
    head: '~TOKENS',
    cell: (piece) => (piece.tokens === null ? '-' : formatCount(piece.tokens)),
    right: true,
  },
];

const LARGEST_COLUMNS: Column<Piece>[] = [
  { head: 'LARGEST', cell: (piece) => piece.what },
  { head: 'NAME', cell: (piece) => piece.name ?? '-' },
  { head: 'MESSAGE', cell: (piece) => (piece.message === null ? '-' : String(piece.message)), right: true },
  { head: 'BYTES', cell: (piece) => formatBytes(piece.bytes), right: true },
];

function printMap(session: Session, answer: Answer<'pmap'>): void {
  const { terminal } = session;
  const { agent, context, bytes, pieces, largest, why } = answer;
  terminal.print(`${agent.name} (pid ${agent.pid}, ${agent.client}): ${agent.state}`);
  if (context) {
    const { tokens, window, cached, model, call } = context;
    const full =
      window === null
        ? `${formatCount(tokens)} tokens, the window of ${model} is not known`
        : `${formatCount(tokens)} of ${formatCount(window)} tokens, ${percent(tokens / window)} of the window of ${model}`;
    terminal.print(
      `context ${full}`,
      `cached  ${formatCount(cached)} tokens, ${percent(cached / tokens)}, as the provider counted`,
      `call    ${call}, the fullest of its last`,
    );
  }
  if (why) terminal.print(why);
  if (pieces.length === 0) return;
  terminal.print('');
  terminal.printTable(
    pieceColumns(bytes),
    [...pieces].sort((a, b) => b.bytes - a.bytes),
  );
  terminal.print('');
  terminal.printTable(LARGEST_COLUMNS, largest);
}

export function define(program: Command, session: Session): void {
  asList(
    program
      .command('free')
      .description('what is left: slots and who waits, limits, plan windows, disk, memory'),
  ).action((options: ViewOptions) =>
    show(session, options, {
      verb: 'free',
      request: {},
      ids: ({ backends }) => backends.map((one) => one.id),
      render: (answer) => printFree(session, answer),
    }),
  );
  asJson(
    program
      .command('pmap')
      .description("what an agent's context is made of: system, tools, messages; its fill and cached share"),
  )
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .action((agent: string, options: ViewOptions) =>
      show(session, options, {
        verb: 'pmap',
        request: { agent },
        render: (answer) => printMap(session, answer),
      }),
    );
}

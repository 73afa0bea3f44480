/** What a key does: from a view and a key to the next view and, where one is due, an act. Pure, so that it can be tried. */
import { orderRows, questionOf, type Row, type Sheet, SORTS, type Sort } from './sheet.ts';

export type Act =
  | { readonly kind: 'quit' }
  | { readonly kind: 'signal'; readonly row: Row; readonly signal: 'pause' | 'resume' | 'kill' }
  | { readonly kind: 'nice'; readonly row: Row; readonly nice: number }
  | { readonly kind: 'approve' | 'deny'; readonly approval: string }
  | { readonly kind: 'trace' | 'why'; readonly row: Row };

export type Mode =
  | { readonly kind: 'list' }
  /** Waits for yes; every other key means no. */
  | { readonly kind: 'ask'; readonly text: string; readonly act: Act }
  | { readonly kind: 'number'; readonly row: Row; readonly typed: string }
  | {
      readonly kind: 'text';
      readonly title: string;
      readonly lines: readonly string[];
      readonly from: number;
    };

export interface View {
  readonly mode: Mode;
  /** By pid, so that the same agent stays selected however the order changes. */
  readonly selected: number | undefined;
  readonly sort: Sort;
  /** What the last act did, or what the user typed wrong. */
  readonly message: string;
}

export const START: View = { mode: { kind: 'list' }, selected: undefined, sort: 'need', message: '' };

/** A key as a terminal sends it: its text, or the name of one without. */
export interface Press {
  readonly text: string;
  readonly name?: 'up' | 'down' | 'pageUp' | 'pageDown' | 'enter' | 'escape' | 'backspace';
}
export interface Pressed {
  readonly view: View;
  readonly act?: Act;
}

export const HELP: readonly string[] = [
  'up, down     choose an agent; page up and down by ten',
  'p            pause it before its next call, or let it go on',
  'n            renice it: -20 goes first, 19 last',
  'k            end it and its program (asks first)',
  'a, d         approve (asks first) or deny the call it waits with',
  't, enter     the last call and its path through the kernel',
  'w            what it waits for, and what is ahead of it',
  's            sort: who needs you, money, tokens, context, name, tree',
  'q, Ctrl-C    leave; agents go on',
  '',
  'Rows: CTX is how full the window of its model is (tokens where that is unknown),',
  'COVERAGE its level and how many of its tool calls were decided before they',
  'happened, PLAN the fullest plan window of its account.',
];
const PAGE = 10;

/** The selected row, or the first where it is gone. */
export function selectedRow(view: View, sheet: Sheet): Row | undefined {
  const rows = orderRows(sheet, view.sort);
  return rows.find((row) => row.pid === view.selected) ?? rows[0];
}

/** `cells`: how much the screen holds, since nothing is admitted that cannot be read whole. */
export function press(view: View, sheet: Sheet, key: Press, cells: number): Pressed {
  if (key.text === '\u0003') return { view, act: { kind: 'quit' } };
  const quiet = { ...view, message: '' };
  switch (view.mode.kind) {
    case 'ask':
      return answer(quiet, view.mode.act, key);
    case 'number':
      return typeNumber(quiet, view.mode, key);
    case 'text':
      return { view: scroll(quiet, view.mode, key) };
    case 'list':
      return pressInList(quiet, sheet, key, cells);
  }
}

const toList = (view: View, message = ''): View => ({ ...view, mode: { kind: 'list' }, message });

function answer(view: View, act: Act, { text }: Press): Pressed {
  return /^y$/i.test(text) ? { view: toList(view), act } : { view: toList(view, 'nothing was done') };
}

function typeNumber(view: View, mode: Extract<Mode, { kind: 'number' }>, { text, name }: Press): Pressed {
  if (name === 'escape') return { view: toList(view, 'nothing was done') };
  if (name === 'backspace') return { view: { ...view, mode: { ...mode, typed: mode.typed.slice(0, -1) } } };
  const typed = `${mode.typed}${text.replace(/[^\d-]/g, '')}`.slice(0, 3);
  // Keys typed fast come together.
  if (name !== 'enter' && !/[\r\n]/.test(text)) return { view: { ...view, mode: { ...mode, typed } } };
  const nice = Number(typed || Number.NaN);
  if (!Number.isInteger(nice) || nice < -20 || nice > 19)
    return { view: toList(view, `"${typed}" is not a nice value: from -20 (first) to 19 (last)`) };
  return { view: toList(view), act: { kind: 'nice', row: mode.row, nice } };
}

function scroll(view: View, mode: Extract<Mode, { kind: 'text' }>, { name }: Press): View {
  const steps = { up: -1, down: 1, pageUp: -PAGE, pageDown: PAGE };
  if (name === undefined || !(name in steps)) return toList(view);
  const wanted = mode.from + steps[name as keyof typeof steps];
  const from = Math.max(0, Math.min(mode.lines.length - 1, wanted));
  return { ...view, mode: { ...mode, from } };
}

function pressInList(view: View, sheet: Sheet, { text, name }: Press, cells: number): Pressed {
  const rows = orderRows(sheet, view.sort);
  const move = { up: -1, down: 1, pageUp: -PAGE, pageDown: PAGE }[name as 'up'];
  if (move !== undefined) {
    const at = rows.findIndex((row) => row.pid === view.selected);
    const to = Math.max(0, Math.min(rows.length - 1, Math.max(0, at) + move));
    return { view: { ...view, selected: rows[to]?.pid } };
  }
  if (text === 'q' || name === 'escape') return { view, act: { kind: 'quit' } };
  if (text === '?' || text === 'h')
    return { view: { ...view, mode: { kind: 'text', title: 'keys of mezz top', lines: HELP, from: 0 } } };
  if (text === 's')
    return { view: { ...view, sort: SORTS[(SORTS.indexOf(view.sort) + 1) % SORTS.length] ?? 'need' } };
  const row = selectedRow(view, sheet);
  if (!row) return { view: { ...view, message: 'no agent yet: mezz run -- claude' } };
  // The row that a key was meant for stays the selected one, whatever moves next.
  return onRow({ ...view, selected: row.pid }, sheet, row, name === 'enter' ? 't' : text, cells);
}

function onRow(view: View, sheet: Sheet, row: Row, text: string, cells: number): Pressed {
  const held = row.state === 'paused' || row.state === 'stopped';
  switch (text) {
    case 'p':
      return { view, act: { kind: 'signal', row, signal: held ? 'resume' : 'pause' } };
    case 'n':
      return { view: { ...view, mode: { kind: 'number', row, typed: '' } } };
    case 'k':
      return asks(view, `End ${row.name} (pid ${row.pid}), its calls and its program?`, {
        kind: 'signal',
        row,
        signal: 'kill',
      });
    case 't':
      return { view, act: { kind: 'trace', row } };
    case 'w':
      return { view, act: { kind: 'why', row } };
    case 'a':
    case 'd':
      return decide(view, sheet, row, text, cells);
    default:
      return { view: text ? { ...view, message: `no key "${text}": ? shows them` } : view };
  }
}

const asks = (view: View, text: string, act: Act): Pressed => ({
  view: { ...view, mode: { kind: 'ask', text, act } },
});

function decide(view: View, sheet: Sheet, row: Row, key: 'a' | 'd', cells: number): Pressed {
  const question = questionOf(sheet, row.pid);
  if (!question) return { view: { ...view, message: `${row.name} asks nothing` } };
  const { id, action, target, args } = question;
  if (key === 'd') return { view, act: { kind: 'deny', approval: id } };
  const text = `Permit once: ${action} ${target} ${JSON.stringify(args)}?`;
  if (text.length > cells / 2)
    return { view: { ...view, message: `too long to read here: mezz inbox, then mezz approve ${id}` } };
  return asks(view, text, { kind: 'approve', approval: id });
}

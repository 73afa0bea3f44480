/** One frame of the screen as lines, for any size: nothing is wider or higher than the terminal. */
import { LIMITS } from '../limits.ts';
import { cutText, plainText, renderTable, wrapText } from '../table.ts';
import type { Style } from '../terminal.ts';
import { type Mode, selectedRow, type View } from './keys.ts';
import { detailLine, headLines, orderRows, perHour, type Sheet, type Shown, topColumns } from './sheet.ts';

export interface Line {
  readonly text: string;
  readonly style?: Style | 'selected';
}
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const KEYS = '? keys  p pause  n nice  k end  a approve  d deny  t trace  w why  q quit';
const GAP = '  ';

/** As many lines as the terminal has; `trouble` is why the sheet is old, where it is. */
export function frame(view: View, sheet: Sheet, trouble: string, nowMs: number, size: Size): Line[] {
  const { columns, rows } = size;
  const { body, foot } =
    view.mode.kind === 'text' ? textLines(view.mode, rows) : listLines(view, sheet, trouble, nowMs, size);
  // What is asked stands at the bottom, and is the last that gives way where there is hardly any room.
  const empty = Array.from({ length: Math.max(0, rows - body.length - foot.length) }, () => ({ text: '' }));
  return [...body, ...empty, ...foot]
    .slice(-rows)
    .map((line) => ({ ...line, text: cutText(line.text.trimEnd(), columns) }));
}

interface Parts {
  readonly body: readonly Line[];
  readonly foot: readonly Line[];
}

function textLines({ title, lines, from }: Extract<Mode, { kind: 'text' }>, rows: number): Parts {
  const shown = lines.slice(from, from + Math.max(1, rows - 2)).map((text) => ({ text }));
  const more = lines.length - from - shown.length;
  const end = more > 0 ? `${more} more lines below; any other key goes back` : 'any key goes back';
  return { body: [{ text: title, style: 'bold' }, ...shown], foot: [{ text: end, style: 'dim' }] };
}

function listLines(view: View, sheet: Sheet, trouble: string, nowMs: number, { columns, rows }: Size): Parts {
  const foot = footLines(view, sheet, trouble, columns);
  const head = rows >= 10 ? headLines(sheet, nowMs).map((text) => ({ text })) : [];
  const room = Math.max(1, rows - head.length - foot.length - 1);
  return { body: [...head, ...tableLines(view, sheet, columns, room)], foot };
}

function tableLines(view: View, sheet: Sheet, columns: number, room: number): Line[] {
  const rows = orderRows(sheet, view.sort);
  const at = Math.max(0, rows.indexOf(rows.find((row) => row.pid === view.selected) as Shown));
  // The selected row is always on the screen; the window moves no more than it must.
  const from = Math.max(0, Math.min(at - room + 1, rows.length - room));
  const widest = LIMITS.cellColumns.value;
  const shown = rows.slice(from, from + room);
  const [header = '', ...texts] = renderTable(topColumns(perHour(sheet)), shown, widest, columns - 2, GAP);
  const lines = shown.map((row, index): Line => {
    const isSelected = from + index === at;
    return { text: `${isSelected ? '>' : ' '} ${texts[index]}`, ...styleOf(row, isSelected) };
  });
  const hidden = rows.length - shown.length;
  return [{ text: `  ${header}${hidden > 0 ? `  (${hidden} more)` : ''}`, style: 'bold' }, ...lines];
}

function styleOf(row: Shown, isSelected: boolean): Pick<Line, 'style'> {
  if (isSelected) return { style: 'selected' };
  if (row.state === 'waiting-for-you') return { style: 'yellow' };
  return row.state === 'exited' || row.state === 'stopped' ? { style: 'dim' } : {};
}

/** The question, or the detail of the selected agent and the keys; trouble before both. */
function footLines(view: View, sheet: Sheet, trouble: string, columns: number): Line[] {
  const old: Line[] = trouble ? [{ text: trouble, style: 'red' }] : [];
  if (view.mode.kind === 'ask')
    return [
      ...old,
      ...wrapText(`${view.mode.text} [y/N]`, columns).map((text): Line => ({ text, style: 'yellow' })),
    ];
  if (view.mode.kind === 'number')
    return [
      ...old,
      {
        text: `nice of ${view.mode.row.name} (now ${view.mode.row.nice}): ${view.mode.typed}_`,
        style: 'yellow',
      },
    ];
  const row = selectedRow(view, sheet);
  const detail = view.message || (row ? detailLine(sheet, row) : 'no agent yet: mezz run -- claude');
  return [...old, { text: plainText(detail) }, { text: KEYS, style: 'dim' }];
}

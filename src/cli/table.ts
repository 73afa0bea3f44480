/** Aligned columns, as docker prints them: header in capitals, three spaces between, the last column free. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** Numbers line up on the right. */
  readonly right?: boolean;
  /** Left out where a terminal is too narrow; the last of them first. */
  readonly spare?: boolean;
}

const GAP = '   ';
/** A text is not cut below this. */
const LEAST = 6;
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal control sequences start with ESC
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const PLAIN = /^[ -~]*$/;
let segmenter: Intl.Segmenter | undefined;

/** What a person sees as single characters. Made when first needed: most runs of a command have plain text alone. */
function charactersOf(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(text);
}

/** Columns a text takes on a terminal: wide East Asian characters and emoji take two. */
export function textWidth(text: string): number {
  // Nearly every cell: taking it apart would cost fifty times as much.
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of charactersOf(text)) {
    const wide =
      /\p{Extended_Pictographic}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
    width += wide.test(segment) ? 2 : 1;
  }
  return width;
}

/** One line, without control characters: names and messages come from agents and must not steer the terminal. */
export const plainText = (text: string): string => text.replace(/\s+/g, ' ').replace(CONTROL, '');

/** As much of a text as fits, blanks as they are; what was cut is marked. */
export function cutText(text: string, widest: number): string {
  return textWidth(text) <= widest ? text : `${headOf(text, widest - 1)}…`;
}

/** The longest beginning of a text that takes at most so many columns. */
function headOf(text: string, widest: number): string {
  if (PLAIN.test(text)) return text.slice(0, Math.max(0, widest));
  let head = '';
  let width = 0;
  for (const { segment } of charactersOf(text)) {
    width += textWidth(segment);
    if (width > widest) break;
    head += segment;
  }
  return head;
}

export const plainCell = (text: string, widest: number): string => cutText(plainText(text), widest);

/** The whole text over as many lines as it takes. */
export function wrapText(text: string, widest: number): string[] {
  const lines: string[] = [];
  for (let rest = plainText(text); rest !== ''; ) {
    const line = headOf(rest, widest) || rest;
    lines.push(line);
    rest = rest.slice(line.length);
  }
  return lines;
}

/** Texts give way, the widest first, until the line fits; numbers and heads never do. */
function fitWidths<Row>(
  columns: readonly Column<Row>[],
  wanted: readonly number[],
  room: number,
  gap: string,
): number[] {
  const widths = [...wanted];
  const gaps = gap.length * (columns.length - 1);
  for (let total = widths.reduce((sum, width) => sum + width, gaps); total > room; total--) {
    let widest = -1;
    for (const [at, column] of columns.entries()) {
      const spare = (widths[at] ?? 0) > Math.max(column.head.length, LEAST);
      if (!column.right && spare && (widths[at] ?? 0) > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** What the table takes when its texts have given way as far as they do. */
function leastWidth<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widest: number,
  gap: string,
): number {
  const gaps = gap.length * (columns.length - 1);
  return columns.reduce((sum, column) => {
    const cells = rows.map((row) => textWidth(plainCell(column.cell(row), widest)));
    const wanted = Math.max(column.head.length, ...cells);
    return sum + (column.right ? wanted : Math.min(wanted, Math.max(column.head.length, LEAST)));
  }, gaps);
}

/** The table as lines. No rows: the header alone, so that a script sees the same columns. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widest = Number.POSITIVE_INFINITY,
  room = Number.POSITIVE_INFINITY,
  gap = GAP,
): string[] {
  const last = columns.findLastIndex((column) => column.spare);
  if (last >= 0 && leastWidth(columns, rows, widest, gap) > room)
    return renderTable(columns.toSpliced(last, 1), rows, widest, room, gap);
  const whole = [
    columns.map((column) => column.head),
    ...rows.map((row) => columns.map((column) => plainCell(column.cell(row), widest))),
  ];
  const wanted = columns.map((_, at) => Math.max(...whole.map((line) => textWidth(line[at] ?? ''))));
  const widths = fitWidths(columns, wanted, room, gap);
  const all = whole.map((line) => line.map((text, at) => plainCell(text, widths[at] ?? 0)));
  return all.map((line) =>
    line
      .map((text, at) => {
        const room = ' '.repeat((widths[at] ?? 0) - textWidth(text));
        if (columns[at]?.right) return room + text;
        return at === columns.length - 1 ? text : text + room;
      })
      .join(gap)
      .trimEnd(),
  );
}

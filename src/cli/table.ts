/** Aligned columns, as docker prints them: header in capitals, three spaces between, the last column free. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** Numbers line up on the right. */
  readonly right?: boolean;
}

const GAP = '   ';
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal control sequences start with ESC
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const segmenter = new Intl.Segmenter();

/** Columns a text takes on a terminal: wide East Asian characters and emoji take two. */
export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    const wide =
      /\p{Extended_Pictographic}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u;
    width += wide.test(segment) ? 2 : 1;
  }
  return width;
}

/** One line, without control characters: names and messages come from agents and must not steer the terminal. */
export function plainCell(text: string, widest: number): string {
  const line = text.replace(/\s+/g, ' ').replace(CONTROL, '');
  if (textWidth(line) <= widest) return line;
  let cut = '';
  let width = 0;
  for (const { segment } of segmenter.segment(line)) {
    width += textWidth(segment);
    if (width > widest - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

/** The table as lines. No rows: the header alone, so that a script sees the same columns. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  widest = Number.POSITIVE_INFINITY,
): string[] {
  const cells = rows.map((row) => columns.map((column) => plainCell(column.cell(row), widest)));
  const all = [columns.map((column) => column.head), ...cells];
  const widths = columns.map((_, at) => Math.max(...all.map((line) => textWidth(line[at] ?? ''))));
  return all.map((line) =>
    line
      .map((text, at) => {
        const room = ' '.repeat((widths[at] ?? 0) - textWidth(text));
        if (columns[at]?.right) return room + text;
        return at === columns.length - 1 ? text : text + room;
      })
      .join(GAP)
      .trimEnd(),
  );
}

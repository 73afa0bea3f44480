/** Figures of a benchmark: one line each for people, one object for programs (`--json`). */

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

export const asJson = process.argv.includes('--json');

/** The number behind `--name`, or the default. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

/** The text behind `--name`, or nothing. */
export function text(name: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? '' : (process.argv[at + 1] ?? '');
}

/** A line on the way, kept out of the result. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** Prints the result: `rows` as a table, or `value` as JSON. */
export function print(value: object, rows: readonly (readonly string[])[]): void {
  if (asJson) return console.log(JSON.stringify(value, null, 2));
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number),
    );
    console.log(cells.join('  '));
  }
}

export const formatSpread = ({ min, median, max }: Spread, digits = 2): string =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;

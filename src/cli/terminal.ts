import { LIMITS } from './limits.ts';
import { type Column, renderTable } from './table.ts';

/** Where text goes. `process.stdout` is one; a test collects. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** Answers go to `out`, everything said beside them to `err`: a pipe gets the answer alone. */
export class Terminal {
  readonly out: Sink;
  readonly err: Sink;
  readonly interactive: boolean;
  readonly colour: boolean;

  constructor(out: Sink, err: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.out = out;
    this.err = err;
    this.interactive = out.isTTY === true;
    const plain = Boolean(env.NO_COLOR) || env.TERM === 'dumb';
    this.colour = !plain && (this.interactive || Boolean(env.FORCE_COLOR && env.FORCE_COLOR !== '0'));
  }

  style(style: Style, text: string): string {
    return this.colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  }

  print(...lines: string[]): void {
    for (const line of lines) this.out.write(`${line}\n`);
  }

  /** Beside the answer: progress, hints. */
  note(...lines: string[]): void {
    for (const line of lines) this.err.write(`${line}\n`);
  }

  printJson(value: unknown, pretty = this.interactive): void {
    this.print(JSON.stringify(value, null, pretty ? 2 : undefined));
  }

  printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    const [head, ...lines] = renderTable(
      columns,
      rows,
      this.interactive ? LIMITS.cellColumns.value : undefined,
      this.interactive ? this.out.columns : undefined,
    );
    this.print(this.style('bold', head ?? ''), ...lines);
  }

  clear(): void {
    if (this.interactive) this.out.write('\u001b[H\u001b[2J');
  }
}

/**
 * telemetry/ shows what the kernel does to those who watch it: counters for Prometheus and a log in lines of JSON.
 * Invariant: bounded memory whatever is counted, and never a secret. It changes no
 * call: the kernel tells it through base/observer.ts, and it reads tables when it is asked.
 */
import { assert } from '../base/assert.ts';
import { LIMITS } from './limits.ts';

const NAME = /^[a-z][a-z0-9_]*$/;
const OTHER = 'other';

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  lines(): Iterable<string>;
}

/** A value for each set of label values. Label values are given in the order of the metric's label names. */
export interface Counter {
  add(amount: number, ...labels: string[]): void;
}
export interface Histogram {
  observe(value: number, ...labels: string[]): void;
}
/** What a gauge reads when it is scraped. */
export type Readings = Iterable<readonly [value: number, ...labels: string[]]>;

export class Prometheus {
  readonly #families: Family[] = [];

  /** Counts up for ever: `name` ends in `_total`. */
  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    assert(name.endsWith('_total'), `${name}: a counter's name ends in _total`);
    const series = new Series(labels, () => ({ value: 0 }));
    this.#add({
      name,
      help,
      type: 'counter',
      lines: () => series.map((text, cell) => [`${name}${braces(text)} ${cell.value}`]),
    });
    return {
      add(amount, ...values) {
        assert(amount >= 0, `${name}: a counter never goes down`);
        series.at(values).value += amount;
      },
    };
  }

  /** Read at each scrape; costs nothing between two. */
  gauge(name: string, help: string, labels: readonly string[], read: () => Readings): void {
    this.#scraped('gauge', { name, help, labels }, read);
  }

  /** A counter that somebody else keeps: read at each scrape. */
  counted(name: string, help: string, labels: readonly string[], read: () => Readings): void {
    assert(name.endsWith('_total'), `${name}: a counter's name ends in _total`);
    this.#scraped('counter', { name, help, labels }, read);
  }

  #scraped(
    type: Family['type'],
    {
      name,
      help,
      labels,
    }: { readonly name: string; readonly help: string; readonly labels: readonly string[] },
    read: () => Readings,
  ): void {
    const lines = () => {
      // Fresh each time, so that what is gone is gone from the page too.
      const series = new Series(labels, () => ({ value: 0 }));
      for (const [value, ...values] of read()) series.at(values).value += value;
      return series.map((text, cell) => [`${name}${braces(text)} ${cell.value}`]);
    };
    this.#add({ name, help, type, lines });
  }

  /** `bounds`: upper bounds of the buckets, ascending, in the unit the name ends in. */
  histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Histogram {
    assert(
      bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number)),
      `${name}: bounds ascend`,
    );
    const series = new Series(labels, () => ({ buckets: bounds.map(() => 0), sum: 0, count: 0 }));
    const lines = () =>
      series.map((text, cell) => {
        let below = 0;
        const buckets = bounds.map((bound, index) => {
          below += cell.buckets[index] as number;
          return `${name}_bucket${braces(join(text, `le="${bound}"`))} ${below}`;
        });
        return [
          ...buckets,
          `${name}_bucket${braces(join(text, 'le="+Inf"'))} ${cell.count}`,
          `${name}_sum${braces(text)} ${cell.sum}`,
          `${name}_count${braces(text)} ${cell.count}`,
        ];
      });
    this.#add({ name, help, type: 'histogram', lines });
    return {
      observe(value, ...values) {
        const cell = series.at(values);
        const index = bounds.findIndex((bound) => value <= bound);
        if (index >= 0) (cell.buckets[index] as number)++;
        cell.sum += value;
        cell.count++;
      },
    };
  }

  /** The whole page, in the text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(): string {
    let page = '';
    for (const { name, help, type, lines } of this.#families) {
      page += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`;
      for (const line of lines()) page += `${line}\n`;
    }
    return page;
  }

  #add(family: Family): void {
    assert(NAME.test(family.name), `${family.name}: not a metric name`);
    assert(!this.#families.some(({ name }) => name === family.name), `${family.name}: declared twice`);
    this.#families.push(family);
  }
}

interface Branch<Cell> {
  cell: Cell | undefined;
  readonly next: Map<string, Branch<Cell>>;
}

/** One cell per set of label values, at most LIMITS.seriesPerMetric and one for all the rest. */
class Series<Cell> {
  readonly #labels: readonly string[];
  readonly #newCell: () => Cell;
  readonly #cells: { readonly text: string; readonly cell: Cell }[] = [];
  /** By the first label's value, then by the next: one text made of them all would be made for every count. */
  readonly #root: Branch<Cell> = { cell: undefined, next: new Map() };

  constructor(labels: readonly string[], newCell: () => Cell) {
    this.#labels = labels;
    this.#newCell = newCell;
    // Without labels there is one series, and it is shown from the start.
    if (labels.length === 0) this.at([]);
  }

  at(values: readonly string[]): Cell {
    let branch: Branch<Cell> | undefined = this.#root;
    for (const value of values) branch = branch?.next.get(value);
    return branch?.cell ?? this.#add(values);
  }

  #add(values: readonly string[]): Cell {
    assert(
      values.length === this.#labels.length,
      `labels ${this.#labels.join(', ')}, not ${values.length} values`,
    );
    if (this.#cells.length >= LIMITS.seriesPerMetric.value && values.some((value) => value !== OTHER))
      return this.at(this.#labels.map(() => OTHER));
    const text = this.#labels
      .map((label, index) => `${label}="${escapeLabel(values[index] as string)}"`)
      .join(',');
    const cell = this.#newCell();
    this.#cells.push({ text, cell });
    let branch = this.#root;
    for (const value of values) {
      const next = branch.next.get(value) ?? { cell: undefined, next: new Map() };
      branch.next.set(value, next);
      branch = next;
    }
    branch.cell = cell;
    return cell;
  }

  *map(render: (text: string, cell: Cell) => readonly string[]): Iterable<string> {
    for (const { text, cell } of this.#cells) yield* render(text, cell);
  }
}

const braces = (text: string) => (text === '' ? '' : `{${text}}`);
const join = (text: string, more: string) => (text === '' ? more : `${text},${more}`);

function escapeLabel(value: string): string {
  return value
    .slice(0, LIMITS.labelLength.value)
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n');
}

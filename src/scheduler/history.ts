/**
 * What finished turns tell of those that run: how much service turns of one image took, as counts on a grid. It advances
 * by one row with each turn that ends and is never rebuilt. Source of the index: Gittins 1979, estimated from samples;
 * mean residual life is its simpler sibling, within a few percent on real sessions.
 */
import { SERVICE, type ServiceRow } from '../db/schema/scheduler.ts';
import type { Batch } from '../db/store.ts';
import { LIMITS } from './limits.ts';

/** What policies see: a table that never changes. Service is in virtual tokens. */
export interface ServiceTable {
  /** The service a turn of this image is expected to need beyond what it has had. */
  remaining(image: string, attained: number): number;
  /** The Gittins index: the best chance to end per unit of service that the next stretch of it offers. */
  index(image: string, attained: number): number;
  /** On how many finished turns that rests. */
  samples(image: string): number;
}

export type Changes = Required<Pick<Batch, 'puts' | 'deletes'>>;

/** Cell k holds turns whose service is above `GRID[k]` and at most `GRID[k + 1]`. */
const GRID: readonly number[] = [0, ...Array.from({ length: 81 }, (_, k) => 25 * 1.12 ** k)];
/** So few say nothing. */
const FEW = 3;
/** What is expected of turns of which nothing is known: the longer one has run, the longer it will (tokens). */
const FIRST_MEAN = 1_500;

const cellOf = (service: number): number => {
  const raw = service <= 25 ? 0 : 1 + Math.floor(Math.log(service / 25) / Math.log(1.12));
  return Math.min(GRID.length - 1, raw);
};

interface Cells {
  readonly counts: number[];
  readonly sums: number[];
}
const noCells = (): Cells => ({ counts: GRID.map(() => 0), sums: GRID.map(() => 0) });

export class History {
  readonly #images: Map<string, Cells>;
  #learned = 0;
  #published = 0;
  /** Images that the table does not know as they are now. */
  readonly #changed = new Set<string>();
  #curves: ReadonlyMap<string, Curve> = new Map();

  constructor(rows: readonly ServiceRow[] = []) {
    this.#images = new Map(rows.map(({ id, cells }) => [id, JSON.parse(cells) as Cells]));
    for (const image of this.#images.keys()) this.#changed.add(image);
    this.#draw();
  }

  get table(): ServiceTable {
    return tableOf(this.#curves);
  }

  /** A turn of this image ended after so much service. What changes in the store: now and then, once much is known. */
  learn(image: string, service: number): Changes {
    const cells = this.#images.get(image) ?? noCells();
    // The order matters only where one may have to go soon.
    if (this.#images.size > LIMITS.images.value / 2) this.#images.delete(image);
    this.#images.set(image, cells);
    const total = cells.counts.reduce((sum, count) => sum + count, 0);
    if (total >= LIMITS.samplesPerImage.value) halve(cells);
    const cell = cellOf(service);
    cells.counts[cell] = (cells.counts[cell] as number) + 1;
    cells.sums[cell] = Math.round((cells.sums[cell] as number) + service);
    this.#learned++;
    this.#changed.add(image);
    const oldest = this.#images.keys().next().value;
    const full = this.#images.size > LIMITS.images.value && oldest !== undefined;
    if (full) {
      this.#images.delete(oldest);
      this.#changed.add(oldest);
    }
    const every = LIMITS.samplesPerRow.value;
    const isStored = total < every || total % every === 0;
    return {
      puts: isStored ? [{ table: SERVICE, row: { id: image, cells: JSON.stringify(cells) } }] : [],
      deletes: full ? [{ table: SERVICE, key: [oldest] }] : [],
    };
  }

  /** A new table is due: enough was learned since the last one, so that making one costs little per turn. */
  publish(): boolean {
    const fresh = this.#learned - this.#published;
    if (fresh === 0 || fresh < Math.min(LIMITS.samplesPerTable.value, this.#published / 4)) return false;
    this.#published = this.#learned;
    this.#draw();
    return true;
  }

  #draw(): void {
    const curves = new Map(this.#curves);
    for (const image of this.#changed) {
      const cells = this.#images.get(image);
      const curve = cells && curveOf(cells);
      if (curve) curves.set(image, curve);
      else curves.delete(image);
    }
    this.#changed.clear();
    this.#curves = curves;
  }
}

/** Old turns count for less and less. */
function halve({ counts, sums }: Cells): void {
  for (let k = 0; k < counts.length; k++) {
    const count = counts[k] as number;
    const kept = count >> 1;
    if (count > 0) sums[k] = Math.round(((sums[k] as number) * kept) / count);
    counts[k] = kept;
  }
}

interface Curve {
  readonly samples: number;
  readonly remaining: readonly number[];
  readonly index: readonly number[];
}

function tableOf(curves: ReadonlyMap<string, Curve>): ServiceTable {
  const first = (attained: number) => FIRST_MEAN + (GRID[cellOf(attained)] as number);
  return {
    remaining: (image, attained) => curves.get(image)?.remaining[cellOf(attained)] ?? first(attained),
    index: (image, attained) => curves.get(image)?.index[cellOf(attained)] ?? 1 / first(attained),
    samples: (image) => curves.get(image)?.samples ?? 0,
  };
}

function curveOf({ counts, sums }: Cells): Curve | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total < FEW) return undefined;
  const remaining: number[] = [];
  const index: number[] = [];
  for (let k = 0; k < GRID.length; k++) {
    const known = restAfter(k, counts, sums);
    // Beyond what turns of its kind ever needed: the longer it has run, the longer it will.
    const rest = Math.max(remaining[k - 1] ?? 0, GRID[k] as number);
    remaining.push(known?.remaining ?? rest);
    index.push(known?.index ?? 1 / rest);
  }
  return { samples: total, remaining, index };
}

/** Mean residual life and Gittins index at the lower edge of a cell, or undefined where too few turns got that far. */
function restAfter(from: number, counts: readonly number[], sums: readonly number[]) {
  const edge = GRID[from] as number;
  let alive = 0;
  let service = 0;
  for (let k = from; k < GRID.length; k++) {
    alive += counts[k] as number;
    service += sums[k] as number;
  }
  if (alive < FEW) return undefined;
  let done = 0;
  let spent = 0;
  let best = 0;
  for (let k = from; k < GRID.length; k++) {
    done += counts[k] as number;
    spent += (sums[k] as number) - edge * (counts[k] as number);
    const until = (GRID[k + 1] ?? Number.POSITIVE_INFINITY) - edge;
    const rest = alive - done;
    if (rest === 0 || Number.isFinite(until)) best = Math.max(best, done / (spent + (rest && rest * until)));
  }
  return { remaining: service / alive - edge, index: best };
}

/** Plan windows: how much of a subscription's allowance is used, as the provider's answers say in their headers. */
import { WINDOW, type WindowRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

type Puts = NonNullable<Batch['puts']>;
export interface WindowReading {
  /** `5h`, `7d`, or the provider's own name. */
  readonly name: string;
  /** 1 is all of it; providers may report more. */
  readonly usedShare: number;
  /** Wall time in ms. */
  readonly resetsAt: number | null;
  readonly status: string | null;
}

/** Reads flat response headers (name, value, ...). What is missing or no number gives no reading. */
export function readWindows(headers: readonly string[], now: number): WindowReading[] {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name.startsWith(ANTHROPIC) || name.startsWith(CODEX)) values.set(name, headers[i + 1] as string);
  }
  if (values.size === 0) return [];
  const readings = [
    ...['5h', '7d'].map((name) => readAnthropic(values, name)),
    ...['primary', 'secondary'].map((name) => readCodex(values, name, now)),
  ];
  return readings.filter((reading) => reading !== undefined);
}

const ANTHROPIC = 'anthropic-ratelimit-unified-';
const CODEX = 'x-codex-';
type Values = ReadonlyMap<string, string>;

function readAnthropic(values: Values, name: string): WindowReading | undefined {
  const usedShare = readNumber(values, `${ANTHROPIC}${name}-utilization`);
  if (usedShare === undefined) return undefined;
  const reset = readNumber(values, `${ANTHROPIC}${name}-reset`);
  const status = values.get(`${ANTHROPIC}${name}-status`) ?? null;
  return { name, usedShare, resetsAt: reset === undefined ? null : reset * 1000, status };
}

function readCodex(values: Values, name: string, now: number): WindowReading | undefined {
  const percent = readNumber(values, `${CODEX}${name}-used-percent`);
  if (percent === undefined) return undefined;
  const minutes = readNumber(values, `${CODEX}${name}-window-minutes`);
  const at = readNumber(values, `${CODEX}${name}-reset-at`);
  const after = readNumber(values, `${CODEX}${name}-reset-after-seconds`);
  const resetsAt = at !== undefined ? at * 1000 : after !== undefined ? now + after * 1000 : null;
  return { name: minutes ? nameOf(minutes) : name, usedShare: percent / 100, resetsAt, status: null };
}

function nameOf(minutes: number): string {
  if (minutes % 1440 === 0) return `${minutes / 1440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

function readNumber(values: Values, name: string): number | undefined {
  const text = values.get(name)?.trim();
  if (!text) return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** How full a window was, a while ago. */
interface Mark {
  readonly usedShare: number;
  readonly at: number;
}

export class Windows {
  readonly #rows = new Map<string, WindowRow>();
  /** Two readings of each window that lie apart: the rate of late is what lies between the older one and now. */
  readonly #marks = new Map<string, readonly [Mark, Mark]>();

  static async open(store: Store): Promise<Windows> {
    const windows = new Windows();
    const rows = await store.range(WINDOW, { limit: LIMITS.windows.value });
    for (const row of rows) windows.#rows.set(keyOf(row), row);
    return windows;
  }

  /** Keeps the newest reading of each window; returns the rows whose numbers changed. */
  record(account: string, readings: readonly WindowReading[], now: number): { puts: Puts } {
    const puts: Puts[number][] = [];
    for (const { name, usedShare, resetsAt, status } of readings) {
      const row: WindowRow = { account, name, usedShare, resetsAt: round(resetsAt), status, seenAt: now };
      const old = this.#rows.get(keyOf(row));
      if (!old && this.#rows.size >= LIMITS.windows.value) continue;
      this.#rows.set(keyOf(row), row);
      this.#mark(row, old);
      if (!old || old.usedShare !== usedShare || old.resetsAt !== row.resetsAt || old.status !== status) {
        puts.push({ table: WINDOW, row: { ...row } });
      }
    }
    return { puts };
  }

  /** When the provider said that a window of an account ends. */
  resetsAt(account: string, name: string): number | null {
    return this.#rows.get(keyOf({ account, name }))?.resetsAt ?? null;
  }

  /** How much of a window that runs is used, in percent to a tenth; 0 where none does. */
  percent(account: string, name: string, now: number): number {
    const row = this.#rows.get(keyOf({ account, name }));
    const over = !row || (row.resetsAt !== null && row.resetsAt <= now);
    return over ? 0 : Math.round(row.usedShare * 1000) / 10;
  }

  list(): WindowRow[] {
    return [...this.#rows.values()].map((row) => ({ ...row }));
  }

  /** When a window is full at the rate of late, else at that since it began; null where that is not before its end. */
  fullAt({ account, name }: Pick<WindowRow, 'account' | 'name'>, now: number): number | null {
    const row = this.#rows.get(keyOf({ account, name }));
    if (!row || row.resetsAt === null || row.resetsAt <= now) return null;
    const [mark] = this.#marks.get(keyOf(row)) ?? [];
    const length = lengthOf(name);
    const since =
      mark && row.seenAt - mark.at >= LIMITS.forecastMs.value
        ? mark
        : length === undefined
          ? undefined
          : { usedShare: 0, at: row.resetsAt - length };
    if (!since || row.seenAt <= since.at || row.usedShare <= since.usedShare) return null;
    const perMs = (row.usedShare - since.usedShare) / (row.seenAt - since.at);
    const fullAt = Math.round(Math.max(now, row.seenAt + (1 - row.usedShare) / perMs));
    return fullAt < row.resetsAt ? fullAt : null;
  }

  #mark(row: WindowRow, old: WindowRow | undefined): void {
    const mark = { usedShare: row.usedShare, at: row.seenAt };
    const marks = this.#marks.get(keyOf(row));
    // A window that begins anew has no past.
    if (!marks || (old && row.usedShare < old.usedShare)) this.#marks.set(keyOf(row), [mark, mark]);
    else if (row.seenAt - marks[1].at >= LIMITS.forecastMs.value)
      this.#marks.set(keyOf(row), [marks[1], mark]);
  }
}

const MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
function lengthOf(name: string): number | undefined {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(name) ?? [];
  return unit === undefined ? undefined : Number(count) * MS[unit as keyof typeof MS];
}

const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms));
const keyOf = (row: Pick<WindowRow, 'account' | 'name'>): string => JSON.stringify([row.account, row.name]);

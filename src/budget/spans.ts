/**
 * What scopes used in the windows that limits on them have: one row a scope and window, begun at its first use and
 * overwritten by the next window. A window of an account ends when its provider said so, else its length after its
 * beginning.
 */
import type { NanoUsd, Usage } from '../base/usage.ts';
import { SPAN, type SpanRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { addUse, type Counts, noCounts } from './counts.ts';
import { readPages } from './pages.ts';
import { SPAN_MS, type Span } from './periods.ts';
import type { Windows } from './windows.ts';

type Put = NonNullable<Batch['puts']>[number];

/** Providers round the ends of their windows; a difference below this is none. */
const SLACK_MS = 60_000;

export class Spans {
  readonly #rows = new Map<string, SpanRow>();
  readonly #windows: Windows;

  private constructor(windows: Windows) {
    this.#windows = windows;
  }

  static async open(store: Store, windows: Windows): Promise<Spans> {
    const spans = new Spans(windows);
    for await (const row of readPages(store, SPAN, [])) spans.#rows.set(row.id, { ...row });
    return spans;
  }

  /** What was used in the window that runs; undefined where none does. */
  counts(scope: string, span: Span, now: number): Counts | undefined {
    return this.#current(scope, span, now);
  }

  /** When the window that runs ends; null where none does. */
  endsAt(scope: string, span: Span, now: number): number | null {
    const row = this.#current(scope, span, now);
    return row ? this.#endOf(row, span) : null;
  }

  /** What the windows that run hold, copied. */
  rows(now: number): SpanRow[] {
    return [...this.#rows.values()]
      .filter((row) => now < this.#endOf(row, row.span as Span))
      .map((row) => ({ ...row }));
  }

  /** Nobody limits it any more: a window that is limited later begins with its first use then. */
  forget(scope: string, span: Span): { readonly table: typeof SPAN; readonly key: readonly [string] }[] {
    const id = idOf(scope, span);
    return this.#rows.delete(id) ? [{ table: SPAN, key: [id] }] : [];
  }

  book(scope: string, span: Span, usage: Usage, cost: NanoUsd, requests: number, now: number): Put {
    const id = idOf(scope, span);
    const row = this.#current(scope, span, now) ?? { id, start: now, scope, span, ...noCounts() };
    this.#rows.set(id, row);
    addUse(row, usage, cost, requests);
    return { table: SPAN, row: { ...row } };
  }

  #current(scope: string, span: Span, now: number): SpanRow | undefined {
    const row = this.#rows.get(idOf(scope, span));
    return row && now < this.#endOf(row, span) ? row : undefined;
  }

  #endOf({ scope, start }: SpanRow, span: Span): number {
    const length = SPAN_MS[span];
    const account = /^account:(.*)$/s.exec(scope)?.[1];
    const resetsAt = account === undefined ? null : this.#windows.resetsAt(account, span);
    if (resetsAt === null || resetsAt <= start) return start + length;
    if (resetsAt <= start + length + SLACK_MS) return resetsAt;
    // The provider is in a later window already: this one ended, at the latest, when that one began.
    return Math.min(start + length, resetsAt - length);
  }
}

const idOf = (scope: string, span: Span): string => `${scope}/${span}`;

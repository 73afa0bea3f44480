/** The live view: asks the kernel again and again, does what keys ask for, and outlives the kernel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlFailure } from '../../sdk/failure.ts';
import { formatDuration, formatTime } from '../format.ts';
import { sendSignal } from '../run/signal.ts';
import type { Session } from '../session.ts';
import { frame } from './frame.ts';
import { type Act, press, START, type View } from './keys.ts';
import { openScreen, type Screen } from './screen.ts';
import type { Sheet } from './sheet.ts';

export interface LiveOptions {
  readonly all: boolean;
  readonly pauseMs: number;
}

/** Shows the sheet until the user leaves. */
export async function watchAgents(session: Session, first: Sheet, options: LiveOptions): Promise<void> {
  const live = new Live(session, first, options);
  await live.run();
}

/** Why the view ends when the user leaves it. */
const LEFT = Symbol('left');

class Live {
  readonly #session: Session;
  readonly #options: LiveOptions;
  readonly #left = new AbortController();
  #sheet: Sheet;
  #view: View = START;
  #seenAt: number;
  #trouble = '';
  #screen: Screen | undefined;

  constructor(session: Session, first: Sheet, options: LiveOptions) {
    this.#session = session;
    this.#sheet = first;
    this.#seenAt = session.now();
    this.#options = options;
  }

  async run(): Promise<void> {
    this.#screen = openScreen({
      colour: this.#session.terminal.colour,
      frame: (size) => frame(this.#view, this.#sheet, this.#trouble, this.#session.now(), size),
      pressed: (key, { columns, rows }) => {
        const { view, act } = press(this.#view, this.#sheet, key, columns * rows);
        this.#change(view);
        // A bug ends the view first: what it says must not be lost on a screen that is given back.
        if (act) this.#do(act).catch((error: unknown) => this.#left.abort(error));
      },
    });
    try {
      while (!this.#left.signal.aborted) {
        await sleep(this.#options.pauseMs, undefined, { signal: this.#left.signal }).catch(() => {});
        await this.#refresh();
      }
    } finally {
      await this.#screen.close();
    }
    const { reason } = this.#left.signal;
    if (reason !== LEFT) throw reason;
  }

  #change(view: View): void {
    this.#view = view;
    this.#screen?.draw();
  }

  async #refresh(): Promise<void> {
    if (this.#left.signal.aborted) return;
    const request = this.#options.all ? { all: true } : {};
    try {
      const sheet = await this.#session.control.call('top', request, { signal: this.#left.signal });
      const again = sheet.kernel.startedAt !== this.#sheet.kernel.startedAt;
      if (again)
        this.#view = { ...this.#view, message: `a new kernel since ${this.#time(sheet.kernel.startedAt)}` };
      this.#sheet = sheet;
      this.#seenAt = this.#session.now();
      this.#trouble = '';
    } catch (error) {
      if (!(error instanceof ControlFailure)) throw error;
      this.#trouble = `Asked again every ${formatDuration(this.#options.pauseMs)}, shown is ${this.#time(this.#seenAt)}: ${error.message}`;
    }
    this.#screen?.draw();
  }

  #time(atMs: number): string {
    return formatTime(atMs, this.#session.now());
  }

  async #do(act: Act): Promise<void> {
    if (act.kind === 'quit') return this.#left.abort(LEFT);
    try {
      await this.#perform(act);
    } catch (error) {
      if (!(error instanceof ControlFailure)) throw error;
      const { message, remedy } = error.refusal;
      this.#change({ ...this.#view, message: remedy ? `${message} Next: ${remedy}` : message });
    }
    await this.#refresh();
  }

  async #perform(act: Exclude<Act, { kind: 'quit' }>): Promise<void> {
    const { control } = this.#session;
    const say = (message: string) => this.#change({ ...this.#view, message });
    switch (act.kind) {
      case 'signal': {
        await sendSignal(control, { agent: String(act.row.pid), signal: act.signal });
        const done = { pause: 'stops before its next call', resume: 'goes on', kill: 'is ended' };
        return say(`${act.row.name} ${done[act.signal]}`);
      }
      case 'nice':
        await control.call('nice', { agent: String(act.row.pid), nice: act.nice });
        return say(`${act.row.name} has nice ${act.nice}`);
      case 'approve':
      case 'deny':
        await control.call(act.kind, { approval: act.approval });
        return say(`${act.approval} is ${act.kind === 'approve' ? 'approved' : 'denied'}`);
      case 'trace':
      case 'why':
        return this.#explain(act);
    }
  }

  async #explain({ kind, row }: Extract<Act, { kind: 'trace' | 'why' }>): Promise<void> {
    const { control } = this.#session;
    const { traceLines, whyLines } = await import('../explain.ts');
    if (kind === 'why') {
      const lines = whyLines(await control.call('why', { subject: String(row.pid) }), row.name);
      return this.#show(`what ${row.name} waits for`, lines);
    }
    const { calls } = await control.call('calls', { agent: String(row.pid), limit: 1 });
    const [last] = calls;
    if (!last) return this.#change({ ...this.#view, message: `${row.name} has made no call yet` });
    const answer = await control.call('trace', { call: last.id });
    this.#show(`${last.id} of ${row.name}`, traceLines(answer, this.#session.now()));
  }

  #show(title: string, lines: readonly string[]): void {
    this.#change({ ...this.#view, mode: { kind: 'text', title, lines, from: 0 } });
  }
}

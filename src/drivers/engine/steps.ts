/**
 * The steps of one model, one after the other and in turns. A step computes one chunk of one prompt, or one token of one
 * answer, and nothing of another: a matrix of another shape sums its numbers in another order (measured: with weights of
 * 32 and 16 bits the last digits of every distribution change), and an answer must not depend on what else runs.
 * Invariant: nothing is computed of an answer whose latch is closed; at most the one step that runs already ends between
 * the word and the stop.
 */
interface Turn {
  readonly latch: Latch;
  begin(): void;
}

export class Steps {
  /** Who waits, the one that was served longest ago first. */
  readonly #turns = new Set<Turn>();
  #isBusy = false;
  #ended = 0;

  /** Steps that have ended so far. */
  get ended(): number {
    return this.#ended;
  }

  newLatch(): Latch {
    return new Latch(this);
  }

  /** Waits for the next step that is its own; false: nobody waits for the answer any more. */
  turn(latch: Latch, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (begun: boolean) => {
        this.#turns.delete(turn);
        signal.removeEventListener('abort', leave);
        resolve(begun);
      };
      const leave = () => settle(false);
      const turn: Turn = { latch, begin: () => settle(true) };
      this.#turns.add(turn);
      signal.addEventListener('abort', leave, { once: true });
      this.next();
    });
  }

  /** The step is computed. */
  end(): void {
    this.#ended++;
    this.#isBusy = false;
    this.next();
  }

  /** Begins the next step, if there is one to begin. */
  next(): void {
    if (this.#isBusy) return;
    for (const { latch, begin } of this.#turns) {
      if (latch.isClosed) continue;
      this.#isBusy = true;
      latch.entered();
      return begin();
    }
  }
}

/** Where one answer stops before its next step, and goes on. */
export class Latch {
  readonly #steps: Steps;
  /** From the beginning of a step until it asks for the next. */
  #isBusy = false;
  #isClosed = false;
  #told: (() => void) | undefined;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `stopped` is called when no step of this answer runs any more and what it gave is told, be it at once. */
  close(stopped: () => void): void {
    this.#isClosed = true;
    if (this.#isBusy) this.#told = stopped;
    else stopped();
  }

  open(): void {
    this.#isClosed = false;
    this.#told = undefined;
    this.#steps.next();
  }

  /** Does the work as the next step that is its own; false: nobody waits for the answer any more. */
  async step(signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    this.#isBusy = false;
    this.#told?.();
    this.#told = undefined;
    if (!(await this.#steps.turn(this, signal))) return false;
    try {
      await work();
    } finally {
      this.#steps.end();
    }
    return true;
  }

  entered(): void {
    this.#isBusy = true;
  }
}

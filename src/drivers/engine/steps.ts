/**
 * The steps of one model, one after the other. A step computes one chunk of one prompt, or the next token of each answer
 * that is written: a matrix of another shape sums its numbers in another order, so a prompt is read in the same chunks
 * whatever else runs. Invariant: nothing is computed of an answer whose latch is closed, and at most the one step that
 * runs already ends between the word and the stop.
 */
export type StepKind = 'read' | 'write';

interface Turn {
  readonly kind: StepKind;
  readonly latch: Latch;
  begin(): void;
}

/** What runs a little later, when all that is ready now has asked: `setImmediate`. */
export type Later = (task: () => void) => void;

export class Steps {
  readonly #later: Later;
  readonly #turns = new Set<Turn>();
  /** Parts of the step that runs, and those of them that are not computed yet. */
  #size = 0;
  #running = 0;
  #ended = 0;
  #isDue = false;
  #lastKind: StepKind = 'write';

  constructor(later: Later) {
    this.#later = later;
  }

  /** Steps that have ended so far. */
  get ended(): number {
    return this.#ended;
  }

  newLatch(): Latch {
    return new Latch(this);
  }

  /** Waits for the step that it is part of; false: nobody waits for the answer any more. */
  turn(kind: StepKind, latch: Latch, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (begun: boolean) => {
        this.#turns.delete(turn);
        signal.removeEventListener('abort', leave);
        resolve(begun);
      };
      const leave = () => settle(false);
      const turn: Turn = { kind, latch, begin: () => settle(true) };
      this.#turns.add(turn);
      signal.addEventListener('abort', leave, { once: true });
      this.consider();
    });
  }

  /** Its part of the step is computed. */
  leave(): void {
    // All parts of a step are computed together.
    if (this.#running === this.#size) this.#ended++;
    this.#running--;
    this.consider();
  }

  /** Begins the next step, if there is one to begin. */
  consider(): void {
    if (this.#isDue || this.#running > 0) return;
    this.#isDue = true;
    this.#later(() => {
      this.#isDue = false;
      this.#begin();
    });
  }

  /** Readers and writers take turns, readers among themselves too: who was served asks again behind the others. */
  #begin(): void {
    const ready = [...this.#turns].filter(({ latch }) => !latch.isClosed);
    const reader = ready.find(({ kind }) => kind === 'read');
    const writers = ready.filter(({ kind }) => kind === 'write');
    const reads = reader !== undefined && (writers.length === 0 || this.#lastKind === 'write');
    const chosen = reads ? [reader] : writers;
    this.#lastKind = reads ? 'read' : 'write';
    this.#running = chosen.length;
    this.#size = chosen.length;
    for (const { latch, begin } of chosen) {
      latch.entered();
      begin();
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
    this.#steps.consider();
  }

  /** Runs the work as a part of the next step; false: nobody waits for the answer any more. */
  async step(kind: StepKind, signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    this.#isBusy = false;
    this.#told?.();
    this.#told = undefined;
    if (!(await this.#steps.turn(kind, this, signal))) return false;
    try {
      await work();
    } finally {
      this.#steps.leave();
    }
    return true;
  }

  entered(): void {
    this.#isBusy = true;
  }
}

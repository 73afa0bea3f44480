/** What calls wait for. */
import { assert } from '../base/assert.ts';

export interface Resource {
  readonly name: string;
  /** Takes a share for the call, or says that it cannot have one now. */
  tryAcquire(call: string): boolean;
  /** Gives back what the call took. */
  release(call: string): void;
  readonly busy: number;
  readonly size: number;
  /** A new size; what is taken stays taken. */
  resize(size: number): void;
}

/** So many calls at once. */
export class Slots implements Resource {
  readonly name: string;
  readonly #holders = new Set<string>();
  #size: number;

  constructor(name: string, size: number) {
    this.name = name;
    this.#size = size;
  }

  get busy(): number {
    return this.#holders.size;
  }

  get size(): number {
    return this.#size;
  }

  tryAcquire(call: string): boolean {
    assert(!this.#holders.has(call), `call ${call} takes ${this.name} twice`);
    if (this.#holders.size >= this.#size) return false;
    this.#holders.add(call);
    return true;
  }

  release(call: string): void {
    assert(this.#holders.delete(call), `call ${call} gives back ${this.name}, which it never took`);
  }

  resize(size: number): void {
    this.#size = size;
  }
}

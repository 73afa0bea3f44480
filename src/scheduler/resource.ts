/** What calls wait for. */
import { assert } from '../base/assert.ts';
import { ENGINE, type Terms } from './cost.ts';

export interface Resource {
  readonly name: string;
  /** What serving costs here. */
  readonly terms: Terms;
  /** Takes a share for the call, or says that it cannot have one now. */
  tryAcquire(call: string): boolean;
  /** Gives back what the call took. */
  release(call: string): void;
  readonly busy: number;
  readonly size: number;
  /** A new size and new terms; what is taken stays taken. */
  resize(size: number, terms: Terms): void;
  /** Those that wait are tried anew from the first on: for a resource that some of them can have and others cannot. */
  pass?(): void;
  /** Do two calls want the same of it? Where absent, all do. */
  contend?(a: string, b: string): boolean;
}

/** So many calls at once. */
export class Slots implements Resource {
  readonly name: string;
  readonly #holders = new Set<string>();
  #size: number;
  #terms: Terms;

  constructor(name: string, size: number, terms = ENGINE) {
    this.name = name;
    this.#size = size;
    this.#terms = terms;
  }

  get terms(): Terms {
    return this.#terms;
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

  resize(size: number, terms: Terms): void {
    this.#size = size;
    this.#terms = terms;
  }
}

/** What may keep a call back although a slot is free: a provider's rate limit. The governor is one; tests have others. */
import type { Need } from './charging.ts';

/** The limit a call counts against at one resource, and what it needs of it. */
export interface Toll {
  readonly limit: string;
  readonly need: Need;
  /** The class of who asks: something may be kept from it for smaller ones. Absent: nothing is. */
  readonly nice?: number | undefined;
}

export interface Meter {
  /** Takes what the call needs, or says that it cannot have it now. */
  tryTake(toll: Toll, call: string, now: number): boolean;
  /** When it may be there, wall time in ms; unbounded where only the end of another call can tell. */
  opensAt(toll: Toll, now: number): number;
  /** The call gives back what it took, if it was not settled before. */
  giveUp(toll: Toll, call: string, now: number): void;
}

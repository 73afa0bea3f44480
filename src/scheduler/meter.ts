/** What may keep a call back although a slot is free: a provider's rate limit. The governor is one; tests have others. */
import type { Need } from './charging.ts';
import type { Dimension } from './readings.ts';

/** What operators say of the account that pays, and of those above it, whatever the model. */
export interface Wide {
  /** Those that something is said of. */
  readonly accounts: readonly string[];
  /** What the call should cost. */
  readonly nanoUsd: number;
}

/** The limit a call counts against at one resource, and what it needs of it. */
export interface Toll {
  readonly limit: string;
  readonly need: Need;
  /** The class of who asks: something may be kept from it for smaller ones. Absent: nothing is. */
  readonly nice?: number | undefined;
  readonly wide?: Wide | undefined;
}

/** How a limit stands: a bucket, or calls at once; `most` is of a minute, of an hour for `usd` (nano-dollars). */
export interface Standing {
  readonly limit: string;
  readonly of: Dimension | 'streams' | 'usd';
  readonly most: number;
  readonly left: number;
  readonly from: 'headers' | 'refusals' | 'mezz.yaml';
}

export interface Meter {
  /** Takes what the call needs, or says that it cannot have it now. */
  tryTake(toll: Toll, call: string, now: number): boolean;
  /** When it may be there, wall time in ms; unbounded where only the end of another call can tell. */
  opensAt(toll: Toll, now: number): number;
  /** The account for which a call waits, if it does: others that it pays for wait behind that one, whatever their line. */
  heldBy?(toll: Toll, now: number): string | undefined;
  /** The call gives back what it took, if it was not settled before. */
  giveUp(toll: Toll, call: string, now: number): void;
}

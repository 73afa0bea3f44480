/** What the scheduler says of a call that waits. */

/** Another call that waits, and why it stands where it does. */
export interface Rival {
  readonly call: string;
  readonly agent: number;
  readonly reasons: readonly string[];
}
export interface Holder {
  readonly call: string;
  readonly agent: number;
  readonly resource: string;
  readonly sinceMs: number;
}
/** Why a call waits. */
export interface Explanation {
  readonly position: number;
  readonly ahead: number;
  /** Who is next before it and why, the first first, and who has what it waits for; at most `LIMITS.listedAhead` each. */
  readonly before: readonly Rival[];
  readonly holders: readonly Holder[];
  readonly resource: string;
  readonly reasons: string[];
  /** How much longer it should wait, and how far such estimates were off on average as a share; null: not known. */
  readonly estimateMs: number | null;
  readonly estimateError: number | null;
}

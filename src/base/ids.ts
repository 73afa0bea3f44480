/**
 * base/ owns the nouns every other folder speaks: ids, calls, outcomes, the error table, ports, time.
 * Invariant: nothing here does I/O, keeps state or knows a subsystem. It may import nothing above itself.
 */
import type { Random } from './random.ts';

type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** An agent's process id: dense from 1, never reused. */
export type Pid = Brand<number, 'Pid'>;
/** One syscall: `c` + 9 base-32 digits of milliseconds + 7 random ones; sorts by time. */
export type CallId = Brand<string, 'CallId'>;
/** One turn (user input to final answer): `t` + the same 16 digits. */
export type TurnId = Brand<string, 'TurnId'>;
/** A durable question to a person: `q` + the same 16 digits. */
export type ApprovalId = Brand<string, 'ApprovalId'>;
/** A caller's credential issued by mezz: `k` + the same 16 digits. Never the secret itself. */
export type KeyId = Brand<string, 'KeyId'>;
export type OwnerId = Brand<string, 'OwnerId'>;
/** Whose money or plan: a configured name, or `client:<provider>:<digest>` for a client's own login. */
export type AccountId = Brand<string, 'AccountId'>;
export type BackendId = Brand<string, 'BackendId'>;

// Crockford base 32, lower case: no i, l, o, u.
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** 16 base-32 digits: 9 of time (until year 3084), 7 random (35 bits). */
export function sortableDigits(atMs: number, random: Random): string {
  let text = '';
  let time = atMs;
  for (let i = 0; i < 9; i++) {
    text = DIGITS[time % 32] + text;
    time = Math.floor(time / 32);
  }
  for (const byte of random.bytes(7)) text += DIGITS[byte & 31];
  return text;
}

/** Sorts after every call that arrived before this instant, and before all others. */
export const callIdsFrom = (atMs: number): string =>
  `c${sortableDigits(atMs, { bytes: (count) => new Uint8Array(count), unit: () => 0 }).slice(0, 9)}`;

export const newCallId = (atMs: number, random: Random) => `c${sortableDigits(atMs, random)}` as CallId;
export const newTurnId = (atMs: number, random: Random) => `t${sortableDigits(atMs, random)}` as TurnId;
export const newApprovalId = (atMs: number, random: Random) =>
  `q${sortableDigits(atMs, random)}` as ApprovalId;
export const newKeyId = (atMs: number, random: Random) => `k${sortableDigits(atMs, random)}` as KeyId;

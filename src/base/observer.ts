/**
 * What those who watch the kernel are told, as it happens. An observer answers nothing, waits for nothing and throws
 * nothing: watching changes no call. What it is told names no content and no credential.
 */
import type { ErrorCode } from './errors.ts';
import type { NanoUsd, Usage } from './usage.ts';

/** One call that left the gate: by its END, or refused. */
export interface CallReport {
  readonly kind: string;
  /** `ok`, or a code of the error table. */
  readonly outcome: 'ok' | ErrorCode;
  /** Where it ran; null where it never reached a backend. */
  readonly backend: string | null;
  /** The upstream's HTTP status, 0 without an answer. */
  readonly status: number;
  /** From arrival to dispatch; null where it never started. */
  readonly waitedMs: number | null;
  /** From arrival to the first byte of the answer; null without one. */
  readonly firstByteMs: number | null;
  /** From arrival to END or refusal. */
  readonly tookMs: number;
  readonly usage: Usage;
  readonly cost: NanoUsd;
}

export interface Observer {
  /** The access policies decided; a call that waited is decided again. `rule`: the first that decided. */
  decided(effect: 'permit' | 'forbid' | 'ask', rule: string): void;
  ended(call: CallReport): void;
  /** Refused before there was an agent: told, never journaled. */
  refusedAtDoor(code: ErrorCode): void;
}

/** Tells all of them, in order. */
export const observeAll = (observers: readonly Observer[]): Observer => ({
  decided: (effect, rule) => {
    for (const observer of observers) observer.decided(effect, rule);
  },
  ended: (call) => {
    for (const observer of observers) observer.ended(call);
  },
  refusedAtDoor: (code) => {
    for (const observer of observers) observer.refusedAtDoor(code);
  },
});

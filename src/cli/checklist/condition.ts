/**
 * checklist/ owns the five questions as experiments: each condition is tried on this machine, from outside, on a
 * subject: mezz, by a kernel of its own that is gone afterwards, or another product that a description names.
 * Invariant: an answer is what the experiment just showed, with the calls that show it; what is not built says so.
 * It must not know: how a subject does what is asked of it. An experiment speaks to a Subject alone; what a product
 * does not offer it says, with what it tried instead.
 */
import type { Subject } from './subject.ts';

/** `not built`: there is nothing to try yet. `cannot tell`: it was tried and showed neither. */
export type Verdict = 'yes' | 'no' | 'cannot tell' | 'not built';

export interface Evidence {
  readonly verdict: Verdict;
  /** What was seen, in one line. */
  readonly saw: string;
  /** Ids of the calls that show it, as the product that was tried has them. */
  readonly calls: readonly string[];
}

export interface Condition {
  /** `1a`: the question and its part. */
  readonly id: string;
  readonly text: string;
  /** Absent where nothing is built that could be tried; `missing` then says what. */
  readonly experiment?: (subject: Subject) => Promise<Evidence>;
  readonly missing?: string;
}

export interface Question {
  readonly number: number;
  readonly text: string;
  readonly conditions: readonly Condition[];
}

export const yes = (saw: string, ...calls: string[]): Evidence => ({ verdict: 'yes', saw, calls });
export const no = (saw: string, ...calls: string[]): Evidence => ({ verdict: 'no', saw, calls });

/** yes when it holds, no when it does not; the sentence says what was seen either way. */
export const shows = (holds: boolean, saw: string, ...calls: string[]): Evidence =>
  holds ? yes(saw, ...calls) : no(saw, ...calls);

/** The subject has nothing to try it with: what that is, and what was tried instead. */
export const lacks = (what: string, tried: string, ...calls: string[]): Evidence => ({
  verdict: 'cannot tell',
  saw: `it offers no ${what}${tried === '' ? '' : `; tried: ${tried}`}`,
  calls,
});

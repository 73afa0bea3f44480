/**
 * drivers/engine/ owns the embedded engine: llama.cpp in a child process of its own, one for each model that is loaded.
 * Invariant: whatever the child does (abort, run out of memory, say nothing) ends as an answer to each caller, and the
 * kernel goes on; no secret of the kernel is in the child's environment. It must not know the gate. The child's side is
 * child.ts and what it imports; this file is all that both sides share.
 */
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';

/** What a child is started with: its first message. */
export interface Opening {
  /** URL of node-llama-cpp's entry file. */
  readonly component: string;
  readonly modelPath: string;
  readonly threads: number;
  /** Answers written at once, and those kept while they are stopped; each has a window of its own in memory. */
  readonly sequences: number;
  /** The most tokens of one conversation. */
  readonly windowTokens: number;
}

/** What the child asks of the model once it is ready. */
export type Job =
  | { readonly kind: 'generate'; readonly request: NeutralRequest; readonly sampling: Sampling }
  | { readonly kind: 'count'; readonly request: NeutralRequest }
  | { readonly kind: 'embed'; readonly texts: readonly string[] };

/** What only some dialects say of it; absent where the request does not. */
export interface Sampling {
  readonly topK?: number;
  readonly seed?: number;
}

/** Why a job was not done: the request's own fault, in HTTP's words. */
export interface JobRefusal {
  readonly status: number;
  readonly message: string;
}

export type ToChild =
  | ({ readonly kind: 'open' } & Opening)
  | { readonly kind: 'job'; readonly id: number; readonly job: Job }
  /** This answer stops before its next step, and goes on. */
  | { readonly kind: 'suspend' | 'proceed'; readonly id: number }
  /** Nobody waits for this job any more. */
  | { readonly kind: 'stop'; readonly id: number };

export type FromChild =
  /** The library works; the model comes next. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'unusable'; readonly message: string }
  | { readonly kind: 'events'; readonly id: number; readonly events: readonly NeutralEvent[] }
  /** No step of this answer runs any more. `steps`: how many of the model ended between the word and this. */
  | { readonly kind: 'suspended'; readonly id: number; readonly steps: number }
  | { readonly kind: 'done'; readonly id: number; readonly result?: JsonRecord }
  | { readonly kind: 'refused'; readonly id: number; readonly refusal: JobRefusal };

/** The member of an embedding's result that holds the vectors, and the one that counts their tokens. */
export interface Embedded {
  readonly vectors: readonly (readonly number[])[];
  readonly tokens: number;
}

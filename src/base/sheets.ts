/** What `mezz top`, `mezz free` and `mezz pmap` show beyond rows of agents, backends and limits. */
import type { NanoUsd } from './usage.ts';

/** How full a model's context was at one call, as its provider counted the tokens. */
export interface ContextFill {
  readonly call: string;
  readonly model: string;
  /** Of the prompt, those read from and written to a cache included. */
  readonly tokens: number;
  readonly cached: number;
  /** What the model takes, prompt and answer together; null where nobody says. */
  readonly window: number | null;
}

/** What moves at an agent while one watches it. */
export interface Pulse {
  /** Of its calls that came within the sheet's span. */
  readonly recent: { readonly requests: number; readonly tokens: number; readonly cost: NanoUsd };
  /** The fullest of its last requests: clients also send small ones beside their conversation. */
  readonly context: ContextFill | null;
  /** The fullest plan window of its account. */
  readonly plan: {
    readonly name: string;
    readonly usedShare: number;
    readonly resetsAt: number | null;
  } | null;
}

/** What is left where mezz itself runs. Sizes in bytes. */
export interface RoomView {
  readonly journal: { readonly entries: number; readonly fileBytes: number; readonly blobBytes: number };
  readonly diskFreeBytes: number;
  readonly memory: {
    readonly residentBytes: number;
    readonly heapBytes: number;
    readonly bufferBytes: number;
  };
  readonly waiting: number;
}

export type PieceName =
  | 'system'
  | 'tools'
  | 'user'
  | 'assistant'
  | 'thinking'
  | 'tool calls'
  | 'tool results'
  | 'media'
  | 'rest';

/** A part of a request. */
export interface Piece {
  readonly what: PieceName;
  /** A tool's name, where it has one. */
  readonly name: string | null;
  /** Which message it is in, from 0; null outside the messages. */
  readonly message: number | null;
  readonly bytes: number;
}

/** All pieces of one kind. */
export interface PieceSum {
  readonly what: PieceName;
  readonly count: number;
  readonly bytes: number;
  /** The prompt's tokens shared out by bytes; null where the provider counted none. */
  readonly tokens: number | null;
}

/** What the protocol says of contexts, of what is left, and of backends that are to be added. */
import type { HintName } from './model.ts';
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

/** What an agent's context is made of; `why` nothing can be said of it, where that is so. */
export interface ContextMap {
  readonly context: ContextFill | null;
  readonly bytes: number;
  readonly pieces: readonly PieceSum[];
  readonly largest: readonly Piece[];
  readonly why: string | null;
}

/** What a model takes, and what agents of a client sent with their first requests, where enough were seen. */
export interface WindowFit {
  /** The model's name at its backend, and the backend's address; null where none serves it. */
  readonly model: string | null;
  readonly url: string | null;
  readonly window: number | null;
  readonly seen: { readonly tokens: number; readonly agents: number } | null;
}

/** A local backend that is to stand in mezz.yaml. */
export interface BackendDraft {
  readonly id: string;
  readonly url: string;
  readonly dialects: readonly string[];
  readonly slots: number;
  /** What the engine says that it understands. */
  readonly hints?: readonly HintName[];
  readonly models: readonly { readonly name: string; readonly window?: number }[];
}

/** What was written into mezz.yaml, what stood there before and stays, and why something is not in force. */
export interface SettingsChange {
  readonly file: string;
  readonly added: readonly string[];
  readonly kept: readonly string[];
  readonly problems: readonly string[];
}

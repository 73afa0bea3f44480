/** A model call as it travels from the door to a driver: bytes, and what was read in them. */
import type { Refusal } from './errors.ts';
import type { Usage } from './usage.ts';

export type DialectName = 'openai-responses' | 'openai-chat' | 'anthropic' | 'openai-embeddings';

/** Dialects that say a conversation: requests can be translated between them. */
export type NeutralDialect = Exclude<DialectName, 'openai-embeddings'>;

/** Half-open byte range in a decoded body. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A provider-hosted tool that the request declares: it would run behind the gate's back. */
export interface HostedTool {
  readonly type: string;
  /** true: connectors, code execution and the like; false: web search and other read-only ones. */
  readonly acts: boolean;
}

/** A tool call in a model's answer, or the client's result for one in a later request. */
export interface ToolIntent {
  readonly id: string;
  readonly name: string;
  /** JSON text of the arguments (or the raw text of a custom tool). */
  readonly argumentsText: string;
}
export interface ToolResultFact {
  readonly id: string;
  readonly isError: boolean;
}

/** What one scan of a request body says. Fields mezz does not know are not here and travel all the same. */
export interface RequestFacts {
  readonly dialect: DialectName;
  readonly model: string;
  readonly stream: boolean;
  /** The bound on output tokens that the request sets, if it sets one. */
  readonly maxOutput?: number;
  /** Number of answers asked for (chat `n`), 1 by default. */
  readonly choices: number;
  /** Every element of `messages` | `input`, in order. A string `input` is one range. */
  readonly messages: readonly Range[];
  readonly system?: Range;
  /** `hash`: SHA-256 of its bytes in hex, where it is known already. */
  readonly tools?: Range & { readonly hash?: string };
  readonly hostedTools: readonly HostedTool[];
  readonly toolResults: readonly ToolResultFact[];
  /** Ids of objects that live upstream (stored responses, conversations, files, batches). */
  readonly objects: readonly string[];
  /** Does the last message come from the user (a new turn), or is it a tool result (the turn goes on)? */
  readonly lastIsUser: boolean;
  /** `prompt_cache_key`, `metadata.user_id`, `previous_response_id`: hints of which conversation this is. */
  readonly conversationHint?: string;
}

/** What came back. `intents` are the tool calls the model asks its client to make. */
export interface ResponseFacts {
  readonly usage?: Usage;
  readonly responseId?: string;
  readonly model?: string;
  readonly stopReason?: string;
  readonly intents: readonly ToolIntent[];
  /** Ids of objects created upstream by this answer. */
  readonly objects: readonly string[];
}

/** The closed list of changes mezz ever makes to bytes that pass; each is a pure function in wire/transforms/. */
export type TransformName = 'alias' | 'usage' | 'unseal' | 'translate' | 'held' | 'hints' | 'resume';

/** What a backend is told beside the request, where its settings say that it understands it (wire/transforms/hints.ts). */
export const HINTS = ['priority', 'dynamo', 'llm-d', 'prompt-cache-key', 'cache-1h'] as const;
export type HintName = (typeof HINTS)[number];

/** Where a driver writes the answer. The door implements it; bytes written here may have left already. */
export interface ResponseSink {
  /** Names the transforms that were applied to the call, and what they lost, before its head: headers say so. */
  transformed(names: readonly TransformName[], losses: readonly string[]): void;
  /** The call waits at the gate, or goes on: a client that hears nothing for long would give it up. */
  waits(isWaiting: boolean): void;
  /** Once, first. `headers` is flat: name, value, name, value. */
  head(status: number, headers: readonly string[]): void;
  /** false: the client is slow, wait for `drained()` before the next. */
  write(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
}

/** What the way back of a translated call needs to know of the way there. */
export interface Translation {
  readonly client: NeutralDialect;
  readonly backend: NeutralDialect;
  /** The tools that the backend was told otherwise than its client did, by the name it knows. */
  readonly tools: ReadonlyMap<string, ClientTool>;
  /** The name the client asked for. */
  readonly model: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** Chat: did the client ask for the usage chunk? */
  readonly includeUsage: boolean;
}

/** A tool as its client knows it. */
export interface ClientTool {
  readonly name: string;
  readonly namespace: string | undefined;
  /** Takes text: the backend was told a function of one text. */
  readonly custom: boolean;
}

/** One HTTP request to a model API, exactly as the client made it. */
export interface ModelCall {
  readonly dialect: DialectName;
  readonly method: string;
  /** Path and query behind the dialect's base path (e.g. `/messages?beta=true` for `/v1/messages?beta=true`). */
  readonly path: string;
  /** Flat raw headers of the client; the door removed hop-by-hop headers and mezz's own credentials. */
  readonly headers: readonly string[];
  /** As received, still compressed if the client compressed it. */
  readonly body: Uint8Array;
  /** Decompressed; the same object as `body` when it was not compressed. */
  readonly decoded: Uint8Array;
  readonly facts: RequestFacts;
  /** What was changed in the body, or must be undone in the answer; absent when nothing was. */
  readonly transforms?: readonly TransformName[];
  /** Set where the backend speaks another dialect than the client: the way back for its answer. */
  readonly translation?: Translation;
  /** Paths of request members that translation could not carry over, each once. */
  readonly losses?: readonly string[];
  readonly sink: ResponseSink;
  /** Told the headers of the answer when they come: a body that is not streamed leaves only with its end. */
  readonly heard?: (headers: readonly string[]) => void;
  /** Told now and then how many tokens of the answer are written, by a backend that counts them. */
  readonly written?: (tokens: number) => void;
  /** Aborted when the client leaves or the call is killed. */
  readonly signal: AbortSignal;
}

/**
 * How a perform ended. `tail` is the part of the answer that the sink has not got: the terminal event, or a whole
 * body that was not streamed. The door writes it when END is durable.
 */
export type ModelOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: readonly string[];
      readonly headSent: boolean;
      readonly tail: Uint8Array;
      readonly facts: ResponseFacts;
      /** Upstream answered with an error status: passed on as it came. */
      readonly upstreamError: boolean;
      readonly firstByteAtMs: number;
      readonly bytesOut: number;
    }
  | {
      readonly kind: 'broken';
      readonly refusal: Refusal;
      readonly headSent: boolean;
      /** What is known of the partial answer; usage is booked from it. */
      readonly facts: ResponseFacts;
      readonly bytesOut: number;
      /** Whole events of a stream that the client has got. */
      readonly eventsOut: number;
      /** Did any byte of the request leave? If not, nothing can have happened upstream. */
      readonly sent: boolean;
    };

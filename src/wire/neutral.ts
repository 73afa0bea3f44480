/**
 * One request, one answer and one stream as every dialect can say them: what a request in one dialect becomes before a
 * backend of another gets it. What only one dialect has stays in `extras` (or is an `other` node) where it stood; an
 * encoder of another dialect names it as lost, never drops it silently.
 */
import type { Json, JsonRecord } from '../base/json.ts';
import type { NeutralDialect } from '../base/model.ts';
import type { Usage } from '../base/usage.ts';

/** Members that no other dialect has, by the names they had. */
export type Extras = JsonRecord;

export type MediaSource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'data'; readonly mediaType: string; readonly base64: string }
  /** A file that lives at one provider: no other has it. */
  | { readonly kind: 'file'; readonly id: string; readonly at: 'anthropic' | 'openai' };

export type NeutralPart =
  | { readonly kind: 'text'; readonly text: string; readonly extras: Extras }
  | { readonly kind: 'refusal'; readonly text: string; readonly extras: Extras }
  | {
      readonly kind: 'image';
      readonly source: MediaSource;
      /** How closely to look: `low`, `high`, `auto`. */
      readonly detail?: string | undefined;
      readonly extras: Extras;
    }
  | {
      readonly kind: 'file';
      readonly name: string | undefined;
      /** `text`: a document that is plain text. */
      readonly source: MediaSource | { readonly kind: 'text'; readonly text: string };
      readonly extras: Extras;
    }
  | Reasoning
  | ToolUse
  | {
      readonly kind: 'result';
      readonly id: string;
      readonly custom: boolean;
      readonly isError: boolean;
      readonly parts: readonly NeutralPart[];
      readonly extras: Extras;
    }
  /** Something only this dialect knows: a hosted tool's call, an audio clip. */
  | { readonly kind: 'other'; readonly type: string; readonly item: JsonRecord };

export interface Reasoning {
  readonly kind: 'reasoning';
  /** What may be read of it. */
  readonly text: string;
  /** What its provider needs back to go on thinking: a signed or encrypted item, valid at that provider alone. */
  readonly sealed: Sealed | undefined;
  readonly extras: Extras;
}
export interface Sealed {
  readonly dialect: NeutralDialect;
  readonly item: JsonRecord;
}

export interface ToolUse {
  readonly kind: 'call';
  readonly id: string;
  readonly name: string;
  /** Where the client groups its tools: the group that this one is in. */
  readonly namespace?: string | undefined;
  /** JSON text, or the raw input of a custom tool. */
  readonly input: string;
  readonly custom: boolean;
  readonly extras: Extras;
}

export interface NeutralMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant';
  readonly parts: readonly NeutralPart[];
  readonly extras: Extras;
}

export type NeutralTool =
  | {
      readonly kind: 'function';
      readonly name: string;
      readonly namespace?: string | undefined;
      readonly description: string | undefined;
      /** JSON Schema of the arguments. */
      readonly schema: Json;
      readonly strict: boolean | undefined;
      readonly extras: Extras;
    }
  /** Takes text instead of JSON. */
  | {
      readonly kind: 'custom';
      readonly name: string;
      readonly namespace?: string | undefined;
      readonly description: string | undefined;
      readonly format: Json | undefined;
      readonly extras: Extras;
    }
  | { readonly kind: 'other'; readonly type: string; readonly item: JsonRecord };

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string; readonly custom: boolean };

export type AnswerFormat =
  | { readonly kind: 'object' }
  | {
      readonly kind: 'schema';
      readonly name: string | undefined;
      readonly schema: Json;
      readonly strict: boolean | undefined;
      readonly extras: Extras;
    };

export interface NeutralRequest {
  readonly from: NeutralDialect;
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly NeutralMessage[];
  readonly tools: readonly NeutralTool[];
  readonly choice: ToolChoice | undefined;
  /** May one answer hold several tool calls? */
  readonly parallel: boolean | undefined;
  /** Tokens. */
  readonly maxOutput: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly stop: readonly string[];
  readonly format: AnswerFormat | undefined;
  /** How hard to think, in the words the dialects share: `none minimal low medium high xhigh max`. */
  readonly effort: string | undefined;
  readonly user: string | undefined;
  readonly cacheKey: string | undefined;
  readonly extras: Extras;
}

export type Stop = 'end' | 'length' | 'calls' | 'stop_sequence' | 'filter' | 'pause';

export interface NeutralAnswer {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly NeutralPart[];
  readonly stop: Stop;
  readonly usage: Usage;
}

/** A stream in order: `start`, then parts that open, grow and close, then `end` or `error`. Indexes only grow. */
export type NeutralEvent =
  /** `usage`: what is known before the first word, where a dialect says it then. */
  | { readonly kind: 'start'; readonly id: string; readonly model: string; readonly usage?: Usage }
  | { readonly kind: 'open'; readonly index: number; readonly part: OpenPart }
  | { readonly kind: 'delta'; readonly index: number; readonly text: string }
  | { readonly kind: 'close'; readonly index: number; readonly sealed?: Sealed | undefined }
  | { readonly kind: 'end'; readonly stop: Stop; readonly usage: Usage }
  /** `code`: one of OpenAI's, for clients that act on it. */
  | { readonly kind: 'error'; readonly message: string; readonly code?: string };

export type OpenPart =
  | { readonly kind: 'text' | 'refusal' | 'reasoning' }
  | ({ readonly kind: 'call' } & Pick<ToolUse, 'id' | 'name' | 'namespace' | 'custom'>);

/** What a request could not carry over, by path without indexes, each once. */
export class Losses {
  readonly #same: boolean;
  readonly #found = new Set<string>();

  constructor(from: NeutralDialect, to: NeutralDialect) {
    this.#same = from === to;
  }

  /** The extras as they are where the dialect stays; elsewhere nothing, and each one is named. */
  keep(extras: Extras, path: string): Extras {
    if (this.#same) return extras;
    for (const name of Object.keys(extras)) this.#found.add(path === '' ? name : `${path}.${name}`);
    return {};
  }

  lose(path: string): void {
    this.#found.add(path);
  }

  list(): readonly string[] {
    return [...this.#found].sort();
  }
}

/**
 * Turns as Chat and Messages want them: neighbours of one role joined (Responses says each call and each result in an
 * item of its own), results directly behind the calls they answer and first in their turn.
 */
export function mergeTurns(messages: readonly NeutralMessage[]): NeutralMessage[] {
  const merged: NeutralMessage[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (isSystem(message)) merged.push(message);
    else if (last?.role === message.role) merged[merged.length - 1] = join(last, message);
    else if (message.role === 'user' && last && isSystem(last)) behindCalls(merged, message);
    else merged.push(message);
  }
  return merged;
}

const isSystem = ({ role }: NeutralMessage): boolean => role === 'system' || role === 'developer';
const isResult = (part: NeutralPart): boolean => part.kind === 'result';

function join(first: NeutralMessage, second: NeutralMessage): NeutralMessage {
  const parts = [...first.parts, ...second.parts];
  return {
    role: first.role,
    parts: [...parts.filter(isResult), ...parts.filter((part) => !isResult(part))],
    extras: { ...first.extras, ...second.extras },
  };
}

/** What a client says between a call and its result stands behind both. */
function behindCalls(merged: NeutralMessage[], message: NeutralMessage): void {
  const results = message.parts.filter(isResult);
  const at = merged.findLastIndex((earlier) => !isSystem(earlier));
  const turn = merged[at];
  if (results.length === 0 || !turn) {
    merged.push(message);
    return;
  }
  const answers: NeutralMessage = { role: 'user', parts: results, extras: {} };
  if (turn.role === 'user') merged[at] = join(turn, answers);
  else merged.splice(at + 1, 0, answers);
  const rest = message.parts.filter((part) => !isResult(part));
  if (rest.length > 0) merged.push({ ...message, parts: rest });
}

/** A custom tool for dialects that know only functions: its text is the one argument. */
export const CUSTOM_SCHEMA: Json = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as plain text.' } },
  required: ['input'],
  additionalProperties: false,
};

/** The JSON text of a call's arguments, whatever kind of tool it calls. */
export const functionInput = (call: ToolUse): string =>
  call.custom ? JSON.stringify({ input: call.input }) : call.input;

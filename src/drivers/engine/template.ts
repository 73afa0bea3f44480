/** What a model's chat template makes of a request: the text to read, and the marks of what is written after it. */
import type { ChatWrapper, LlamaText } from 'node-llama-cpp';
import { isRecord, type Json, parseJson } from '../../base/json.ts';
import type { NeutralRequest } from '../../wire/neutral.ts';
import type { CallableTool } from './grammar.ts';
import { callableTools, functionsOf, historyOf } from './prompt.ts';
import type { JobRefusal } from './protocol.ts';
import type { Mark } from './scanner.ts';

export type MarkKind = 'end' | 'stop' | 'call' | 'think' | 'thought';

export interface Prompt {
  readonly text: LlamaText;
  readonly tools: readonly CallableTool[];
  readonly marks: readonly Mark<MarkKind>[];
  readonly call: CallSpelling;
  /** The template has begun a thought already: what is written first is the rest of it. */
  readonly thinking: boolean;
}

/** How this model writes a call. */
export interface CallSpelling {
  readonly before: string;
  /** The tool's name and what stands between it and the arguments. */
  named(name: string): string;
}

export function promptOf(wrapper: ChatWrapper, request: NeutralRequest): Prompt | JobRefusal {
  const history = historyOf(request.messages);
  if ('status' in history) return history;
  const tools = callableTools(request);
  const call = spellingOf(wrapper);
  const { contextText, stopGenerationTriggers } = wrapper.generateContextState({
    chatHistory: history,
    ...(tools.length > 0
      ? { availableFunctions: functionsOf(request, tools), documentFunctionParams: true }
      : {}),
  });
  const { thought } = wrapper.settings.segments ?? {};
  const thinking = isRecord(thought?.prefix) && thought.prefix.type === 'openedOnStart';
  const marks: readonly Mark<MarkKind>[] = [
    ...request.stop.map((text) => ({ kind: 'stop' as const, text })),
    ...stopGenerationTriggers.map((text) => ({ kind: 'end' as const, text: plain(text) })),
    ...(tools.length > 0 ? [{ kind: 'call' as const, text: call.before }] : []),
    { kind: 'think', text: plain(thought?.prefix) },
    { kind: 'thought', text: plain(thought?.suffix) },
  ];
  return { text: contextText, tools, call, thinking, marks: marks.filter(({ text }) => text !== '') };
}

function spellingOf({ settings }: ChatWrapper): CallSpelling {
  const { call, parallelism } = settings.functions;
  const between = plain(call.paramsPrefix);
  return {
    before: plain(parallelism?.call.sectionPrefix) + plain(call.prefix),
    named: (name) => name + between.replaceAll('{{functionName}}', name),
  };
}

/** The characters of a piece of a template; a token that has none of its own (the end of a text) is none. */
const plain = (piece: unknown): string => characters(parseJson(JSON.stringify(piece ?? '')));

/** Of a piece as it writes itself down. */
function characters(piece: Json | undefined): string {
  if (typeof piece === 'string') return piece;
  if (Array.isArray(piece)) return piece.map(characters).join('');
  return isRecord(piece) && piece.type === 'specialTokensText' ? String(piece.value) : '';
}

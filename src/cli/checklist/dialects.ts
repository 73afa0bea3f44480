import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';

/** How a model is asked in a dialect, and where its answer calls a tool. */
export interface Speech {
  readonly path: string;
  body(model: string, text: string, tool: string | undefined): JsonRecord;
  /** The id of an answer's call of this tool. */
  toolCall(answer: JsonRecord, tool: string): string | undefined;
}

export const DIALECT_NAMES = ['anthropic', 'openai-chat', 'openai-responses'] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

const TOKENS = 500;
const SCHEMA: JsonRecord = { type: 'object', properties: { command: { type: 'string' } } };
const said = (text: string): Json => [{ role: 'user', content: text }];
const listOf = (value: Json | undefined): readonly JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const idIn = (
  items: readonly JsonRecord[],
  nameOf: (item: JsonRecord) => Json | undefined,
  tool: string,
  id: string,
): string | undefined => {
  const found = items.find((item) => nameOf(item) === tool)?.[id];
  return typeof found === 'string' ? found : undefined;
};

export const SPEECH: Readonly<Record<DialectName, Speech>> = {
  anthropic: {
    path: '/messages',
    body: (model, text, tool) => ({
      ...{ model, max_tokens: TOKENS, messages: said(text) },
      ...(tool ? { tools: [{ name: tool, input_schema: SCHEMA }] } : {}),
    }),
    toolCall: ({ content }, tool) => idIn(listOf(content), ({ name }) => name, tool, 'id'),
  },
  'openai-chat': {
    path: '/chat/completions',
    body: (model, text, tool) => ({
      ...{ model, max_tokens: TOKENS, messages: said(text) },
      ...(tool ? { tools: [{ type: 'function', function: { name: tool, parameters: SCHEMA } }] } : {}),
    }),
    toolCall: ({ choices }, tool) => {
      const message = listOf(choices)[0]?.message;
      const calls = isRecord(message) ? listOf(message.tool_calls) : [];
      return idIn(calls, (call) => (isRecord(call.function) ? call.function.name : undefined), tool, 'id');
    },
  },
  'openai-responses': {
    path: '/responses',
    body: (model, text, tool) => ({
      ...{ model, max_output_tokens: TOKENS, input: said(text) },
      ...(tool ? { tools: [{ type: 'function', name: tool, parameters: SCHEMA }] } : {}),
    }),
    toolCall: ({ output }, tool) => idIn(listOf(output), ({ name }) => name, tool, 'call_id'),
  },
};

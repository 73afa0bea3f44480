/** A request as the chat template of a model takes it. What a model that reads text cannot take is said, not dropped. */
import type { ChatHistoryItem, ChatModelFunctionCall, ChatModelFunctions } from 'node-llama-cpp';
import { type Json, parseJson } from '../../base/json.ts';
import {
  CUSTOM_SCHEMA,
  functionInput,
  type NeutralMessage,
  type NeutralPart,
  type NeutralRequest,
  type NeutralTool,
} from '../../wire/neutral.ts';
import type { CallableTool } from './grammar.ts';
import type { JobRefusal } from './protocol.ts';

type Result = Extract<NeutralPart, { kind: 'result' }>;

/** The conversation up to the answer that is to be written: its last item is the model's. */
export function historyOf(messages: readonly NeutralMessage[]): ChatHistoryItem[] | JobRefusal {
  const history: ChatHistoryItem[] = [];
  const calls = new Map<string, ChatModelFunctionCall>();
  for (const message of messages) {
    const foreign = message.parts.find(isForeign);
    if (foreign) {
      const what = foreign.kind === 'other' ? foreign.type : foreign.kind;
      return {
        status: 400,
        message: `The engine's models read text alone, and this request holds: ${what}.`,
      };
    }
    if (message.role === 'assistant') history.push(modelItem(message.parts, calls));
    else if (message.role === 'user') history.push(...userItems(message.parts, calls));
    else history.push({ type: 'system', text: textOf(message.parts) });
  }
  if (history.at(-1)?.type !== 'model') history.push({ type: 'model', response: [] });
  return history;
}

function modelItem(
  parts: readonly NeutralPart[],
  calls: Map<string, ChatModelFunctionCall>,
): ChatHistoryItem {
  const response = parts.flatMap((part): (string | ChatModelFunctionCall)[] => {
    if (part.kind === 'text' || part.kind === 'refusal') return [part.text];
    if (part.kind !== 'call') return [];
    const params: Json = parseJson(functionInput(part)) ?? part.input;
    const call: ChatModelFunctionCall = { type: 'functionCall', name: part.name, params, result: undefined };
    calls.set(part.id, call);
    return [call];
  });
  return { type: 'model', response };
}

/** A result belongs to the call it answers, wherever in the conversation that stands. */
function userItems(
  parts: readonly NeutralPart[],
  calls: ReadonlyMap<string, ChatModelFunctionCall>,
): ChatHistoryItem[] {
  const said: string[] = [];
  for (const part of parts) {
    const call = part.kind === 'result' ? calls.get(part.id) : undefined;
    if (part.kind === 'result' && call) call.result = resultText(part);
    else said.push(textOf([part]));
  }
  return said.length === 0 ? [] : [{ type: 'user', text: said.join('\n') }];
}

const resultText = ({ parts, isError }: Result): string => `${isError ? 'Error: ' : ''}${textOf(parts)}`;

function textOf(parts: readonly NeutralPart[]): string {
  return parts
    .map((part) => {
      if (part.kind === 'text' || part.kind === 'refusal') return part.text;
      return part.kind === 'result' ? resultText(part) : '';
    })
    .join('');
}

const isForeign = (part: NeutralPart): part is Extract<NeutralPart, { kind: 'image' | 'file' | 'other' }> =>
  part.kind === 'image' ||
  part.kind === 'file' ||
  part.kind === 'other' ||
  (part.kind === 'result' && part.parts.some(isForeign));

/** The tools a model may call now: all of them, the one that was chosen, or none. Hosted tools are not run here. */
export function callableTools({ tools, choice }: NeutralRequest): CallableTool[] {
  if (choice === 'none') return [];
  const own = tools.filter((tool) => tool.kind !== 'other');
  const chosen = typeof choice === 'object' ? own.filter(({ name }) => name === choice.name) : own;
  return chosen.map((tool) => ({ name: tool.name, schema: schemaOf(tool) }));
}

/** The same tools as the template describes them to the model. */
export function functionsOf(
  { tools }: NeutralRequest,
  callable: readonly CallableTool[],
): ChatModelFunctions {
  const described = new Map(
    tools.flatMap((tool) => (tool.kind === 'other' ? [] : [[tool.name, tool.description]])),
  );
  return Object.fromEntries(
    callable.map(({ name, schema }) => {
      const description = described.get(name);
      const text = JSON.stringify(schema);
      // The template's own description knows none of these, and never ends where a schema contains itself.
      if (/"(\$ref|anyOf|oneOf|allOf)"/.test(text))
        return [name, { description: `${description ?? ''} Parameters: ${text}` }];
      const params = schema as NonNullable<ChatModelFunctions[string]['params']>;
      return [name, { params, ...(description === undefined ? {} : { description }) }];
    }),
  );
}

const schemaOf = (tool: Exclude<NeutralTool, { kind: 'other' }>): Json =>
  tool.kind === 'custom' ? CUSTOM_SCHEMA : tool.schema;

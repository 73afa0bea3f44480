/** How a client of each dialect writes a conversation, from each API's documents and from nothing in src/. */
import type { Json, JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { type Conversation, MARK, type Shown } from './conversations.ts';

const PIXEL = 'iVBORw0KGgo=';
const SCHEMA = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] };
const id = (step: number, call: number): string => `call_${step}_${call}`;

/** Without members that are undefined. */
const some = (values: { readonly [name: string]: Json | undefined }): JsonRecord =>
  JSON.parse(JSON.stringify(values));

class Writer {
  readonly talk: Conversation;
  readonly #textType: string;
  constructor(talk: Conversation, textType: string) {
    this.talk = talk;
    this.#textType = textType;
  }
  say(text: string): JsonRecord[] {
    return text === '' ? [] : [{ type: this.#textType, text, ...this.mark('text') }];
  }
  mark(place: string): JsonRecord {
    return this.talk.marks.has(place) ? { [`${MARK}-${place}`]: MARK } : {};
  }
  get named(): string | undefined {
    return this.talk.choice === 'one' ? this.talk.tools[0] : undefined;
  }
}

const messagesShown = ({ kind }: Shown): JsonRecord =>
  kind === 'image'
    ? { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }
    : kind === 'url'
      ? { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }
      : kind === 'file'
        ? { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a file' } }
        : { type: 'image', source: { type: 'file', file_id: `file_${MARK}` } };

function messagesTurns(talk: Conversation, w: Writer): JsonRecord[] {
  return talk.steps.flatMap((step, at): JsonRecord[] => [
    {
      role: 'assistant',
      content: [
        ...(step.thought === '' ? [] : [{ type: 'thinking', thinking: step.thought, signature: MARK }]),
        ...w.say(step.text || 'So.'),
        ...step.calls.map((call, i) => ({
          type: 'tool_use',
          id: id(at, i),
          name: call.name,
          input: call.args,
          ...w.mark('call'),
        })),
      ],
    },
    {
      role: 'user',
      content: [
        ...step.results.map((result, i) => ({
          type: 'tool_result',
          tool_use_id: id(at, i),
          content: [...w.say(result.text), ...result.shown.map(messagesShown)],
          is_error: result.isError,
          ...w.mark('result'),
        })),
        ...w.say(step.user || 'Go on.'),
        ...step.shown.map(messagesShown),
      ],
      ...w.mark('message'),
    },
    ...(step.aside === '' ? [] : [{ role: 'system', content: step.aside }]),
  ]);
}

function messages(talk: Conversation): JsonRecord {
  const w = new Writer(talk, 'text');
  const choice = { none: 'none', required: 'any', one: 'tool', auto: 'auto', strange: MARK };
  const kind = choice[talk.choice ?? 'auto'];
  return some({
    model: 'm',
    system: talk.system === '' ? undefined : w.say(talk.system),
    messages: [{ role: 'user', content: talk.first }, ...messagesTurns(talk, w)],
    tools: [
      ...talk.tools.map((name) => ({
        name,
        description: `Does ${name}.`,
        input_schema: SCHEMA,
        ...w.mark('tool'),
      })),
      ...(talk.hosted ? [{ type: MARK, name: 'hosted' }] : []),
    ],
    tool_choice:
      talk.choice === undefined && !talk.single
        ? undefined
        : some({
            type: kind === 'tool' && !w.named ? 'auto' : kind,
            name: kind === 'tool' ? w.named : undefined,
            disable_parallel_tool_use: talk.single && kind !== 'none' ? true : undefined,
          }),
    max_tokens: talk.max ?? 100,
    temperature: talk.temperature === undefined ? undefined : Math.min(1, talk.temperature),
    stop_sequences: talk.stop,
    output_config: some({
      effort: talk.effort,
      format:
        talk.format === 'schema' ? { type: 'json_schema', schema: SCHEMA, ...w.mark('format') } : undefined,
      ...w.mark('nested'),
    }),
    ...w.mark('top'),
  });
}

const chatShown = ({ kind, close }: Shown): JsonRecord =>
  kind === 'file'
    ? { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${PIXEL}` } }
    : kind === 'stored'
      ? { type: 'file', file: { file_id: `file-${MARK}` } }
      : {
          type: 'image_url',
          image_url: {
            url: kind === 'url' ? 'https://example.com/a.png' : `data:image/png;base64,${PIXEL}`,
            ...(close ? { detail: 'high' } : {}),
          },
        };

function chatTurns(talk: Conversation, w: Writer): JsonRecord[] {
  return talk.steps.flatMap((step, at): JsonRecord[] => [
    some({
      role: 'assistant',
      content: step.text || 'So.',
      reasoning_content: step.thought === '' ? undefined : `${step.thought}${MARK}`,
      tool_calls:
        step.calls.length === 0
          ? undefined
          : step.calls.map((call, i) => ({
              id: id(at, i),
              type: 'function',
              function: { name: call.name, arguments: JSON.stringify(call.args) },
              ...w.mark('call'),
            })),
    }),
    ...step.results.map((result, i) => ({
      role: 'tool',
      tool_call_id: id(at, i),
      content: result.text,
      ...w.mark('result'),
    })),
    {
      role: 'user',
      content: [...w.say(step.user || 'Go on.'), ...step.shown.map(chatShown)],
      ...w.mark('message'),
    },
    ...(step.aside === '' ? [] : [{ role: 'developer', content: step.aside }]),
  ]);
}

function chat(talk: Conversation): JsonRecord {
  const w = new Writer(talk, 'text');
  const format = some({ name: 'f', schema: SCHEMA, ...w.mark('format') });
  return some({
    model: 'm',
    messages: [
      ...(talk.system === '' ? [] : [{ role: 'system', content: talk.system }]),
      { role: 'user', content: talk.first },
      ...chatTurns(talk, w),
    ],
    tools: [
      ...talk.tools.map((name) => ({
        type: 'function',
        function: { name, description: `Does ${name}.`, parameters: SCHEMA, ...w.mark('tool') },
      })),
      ...(talk.hosted ? [{ type: MARK }] : []),
    ],
    tool_choice: openaiChoice(talk, w.named && { type: 'function', function: { name: w.named } }),
    parallel_tool_calls: talk.single ? false : undefined,
    max_completion_tokens: talk.max,
    temperature: talk.temperature,
    stop: talk.stop.length === 1 ? talk.stop[0] : talk.stop.slice(0, 4),
    reasoning_effort: talk.effort,
    response_format:
      talk.format === 'schema'
        ? { type: 'json_schema', json_schema: format }
        : talk.format && { type: 'json_object' },
    stream_options: w.mark('nested'),
    ...w.mark('top'),
  });
}

const openaiChoice = (talk: Conversation, named: Json | undefined): Json | undefined =>
  talk.choice === 'one' ? (named ?? 'auto') : talk.choice === 'strange' ? { type: MARK } : talk.choice;

const responsesShown = ({ kind, close }: Shown): JsonRecord =>
  kind === 'file'
    ? { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${PIXEL}` }
    : some({
        type: 'input_image',
        ...(kind === 'stored'
          ? { file_id: `file-${MARK}` }
          : { image_url: kind === 'url' ? 'https://example.com/a.png' : `data:image/png;base64,${PIXEL}` }),
        detail: close ? 'high' : undefined,
      });

function responsesTurns(talk: Conversation, w: Writer): JsonRecord[] {
  return talk.steps.flatMap((step, at): JsonRecord[] => [
    ...(step.thought === ''
      ? []
      : [
          {
            type: 'reasoning',
            id: 'rs_1',
            summary: [{ type: 'summary_text', text: step.thought }],
            encrypted_content: MARK,
          },
        ]),
    {
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text: step.text || 'So.', annotations: [] }],
    },
    ...step.calls.map((call, i) => ({
      type: 'function_call',
      call_id: id(at, i),
      name: call.name,
      arguments: JSON.stringify(call.args),
      ...w.mark('call'),
    })),
    // A client may speak before it has the results.
    ...(step.aside === '' ? [] : [{ type: 'message', role: 'developer', content: step.aside }]),
    ...step.results.map((result, i) => ({
      type: 'function_call_output',
      call_id: id(at, i),
      output:
        result.shown.length === 0
          ? result.text
          : [...w.say(result.text), ...result.shown.map(responsesShown)],
      ...w.mark('result'),
    })),
    {
      type: 'message',
      role: 'user',
      content: [...w.say(step.user || 'Go on.'), ...step.shown.map(responsesShown)],
      ...w.mark('message'),
    },
  ]);
}

function responses(talk: Conversation): JsonRecord {
  const w = new Writer(talk, 'input_text');
  return some({
    model: 'm',
    instructions: talk.system,
    input: [{ role: 'user', content: talk.first }, ...responsesTurns(talk, w)],
    tools: [
      ...talk.tools.map((name) => ({
        type: 'function',
        name,
        description: `Does ${name}.`,
        parameters: SCHEMA,
        strict: false,
        ...w.mark('tool'),
      })),
      ...(talk.hosted ? [{ type: MARK }] : []),
    ],
    tool_choice: openaiChoice(talk, w.named && { type: 'function', name: w.named }),
    parallel_tool_calls: talk.single ? false : undefined,
    max_output_tokens: talk.max,
    temperature: talk.temperature,
    reasoning: some({ effort: talk.effort, ...w.mark('nested') }),
    text: some({
      format:
        talk.format === 'schema'
          ? { type: 'json_schema', name: 'f', schema: SCHEMA, ...w.mark('format') }
          : talk.format && { type: 'json_object' },
    }),
    ...w.mark('top'),
  });
}

export const WRITE: { readonly [N in NeutralDialect]: (talk: Conversation) => JsonRecord } = {
  anthropic: messages,
  'openai-chat': chat,
  'openai-responses': responses,
};

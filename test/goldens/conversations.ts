/** Random conversations, and how a client of each dialect writes one. Members that only one API has carry a mark. */
import fc from 'fast-check';
import type { Json, JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';

const PIXEL = 'iVBORw0KGgo=';
/** In everything that may be lost: where it is gone, the report must have named it. */
export const MARK = 'only-here';

interface Shown {
  readonly kind: 'image' | 'url' | 'file' | 'stored';
  readonly close: boolean;
}
interface Step {
  readonly thought: string;
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: JsonRecord }[];
  /** What each call got; none of its own for a call without. */
  readonly results: readonly {
    readonly text: string;
    readonly shown: readonly Shown[];
    readonly isError: boolean;
  }[];
  readonly aside: string;
  readonly user: string;
  readonly shown: readonly Shown[];
}
export interface Conversation {
  readonly system: string;
  readonly first: string;
  readonly steps: readonly Step[];
  readonly tools: readonly string[];
  readonly hosted: boolean;
  readonly choice: 'auto' | 'none' | 'required' | 'one' | 'strange' | undefined;
  readonly single: boolean;
  readonly max: number | undefined;
  readonly temperature: number | undefined;
  readonly stop: readonly string[];
  readonly effort: 'low' | 'high' | undefined;
  readonly format: 'schema' | 'object' | undefined;
  /** Where a member that no other dialect has stands. */
  readonly marks: ReadonlySet<string>;
}

const prose = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => `w${text.replace(/\s/g, '_')}`),
  fc.constantFrom('Grüße, 世界 🌍', 'two\nlines', '{"like": "json"}', 'data: [DONE]'),
);
const maybe = (text: fc.Arbitrary<string>) => fc.oneof({ weight: 2, arbitrary: text }, fc.constant(''));
const shown = fc.array(
  fc.record({ kind: fc.constantFrom('image', 'url', 'file', 'stored'), close: fc.boolean() }),
  { maxLength: 2 },
) as fc.Arbitrary<Shown[]>;
const TOOLS = ['read', 'shell', 'mcp__files__list'];
const step: fc.Arbitrary<Step> = fc
  .record({
    thought: maybe(prose),
    text: maybe(prose),
    calls: fc.array(
      fc.record({
        name: fc.constantFrom(...TOOLS),
        args: fc.dictionary(prose, fc.jsonValue({ maxDepth: 2 })),
      }),
      { maxLength: 3 },
    ) as fc.Arbitrary<Step['calls']>,
    outcomes: fc.array(fc.record({ text: maybe(prose), shown, isError: fc.boolean() }), {
      minLength: 3,
      maxLength: 3,
    }),
    aside: maybe(prose),
    user: maybe(prose),
    shown,
  })
  .map(({ outcomes, ...rest }) => ({
    ...rest,
    results: rest.calls.map((_, at) => outcomes[at] as Step['results'][number]),
  }));

/** Where marks may stand, in each dialect's own members. */
export const PLACES = ['top', 'message', 'text', 'tool', 'call', 'result', 'format', 'nested'] as const;

export const conversation: fc.Arbitrary<Conversation> = fc.record({
  system: maybe(prose),
  first: prose,
  steps: fc.array(step, { maxLength: 3 }),
  tools: fc.subarray(TOOLS),
  hosted: fc.boolean(),
  choice: fc.constantFrom('auto', 'none', 'required', 'one', 'strange', undefined),
  single: fc.boolean(),
  max: fc.constantFrom(undefined, 9, 4096),
  temperature: fc.constantFrom(undefined, 0, 0.5, 1.5),
  stop: fc.array(prose, { maxLength: 6 }),
  effort: fc.constantFrom(undefined, 'low', 'high'),
  format: fc.constantFrom(undefined, 'schema', 'object'),
  marks: fc.subarray([...PLACES]).map((places) => new Set<string>(places)),
});

const SCHEMA = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] };
const id = (step: number, call: number): string => `call_${step}_${call}`;

/** Without members that are undefined. */
const some = (values: { readonly [name: string]: Json | undefined }): JsonRecord =>
  JSON.parse(JSON.stringify(values));

class Writer {
  readonly talk: Conversation;
  constructor(talk: Conversation) {
    this.talk = talk;
  }
  mark(place: string): JsonRecord {
    return this.talk.marks.has(place) ? { [`${MARK}-${place}`]: MARK } : {};
  }
  get named(): string | undefined {
    return this.talk.choice === 'one' ? this.talk.tools[0] : undefined;
  }
}

function messages(talk: Conversation): JsonRecord {
  const w = new Writer(talk);
  const show = ({ kind }: Shown): JsonRecord =>
    kind === 'image'
      ? { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }
      : kind === 'url'
        ? { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }
        : kind === 'file'
          ? { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a file' } }
          : { type: 'image', source: { type: 'file', file_id: `file_${MARK}` } };
  const say = (text: string): JsonRecord[] =>
    text === '' ? [] : [{ type: 'text', text, ...w.mark('text') }];
  const turns = talk.steps.flatMap((step, at): JsonRecord[] => [
    {
      role: 'assistant',
      content: [
        ...(step.thought === '' ? [] : [{ type: 'thinking', thinking: step.thought, signature: MARK }]),
        ...say(step.text || 'So.'),
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
          content: [...say(result.text), ...result.shown.map(show)],
          is_error: result.isError,
          ...w.mark('result'),
        })),
        ...say(step.user || 'Go on.'),
        ...step.shown.map(show),
      ],
      ...w.mark('message'),
    },
    ...(step.aside === '' ? [] : [{ role: 'system', content: step.aside }]),
  ]);
  const choice = { none: 'none', required: 'any', one: 'tool', auto: 'auto', strange: MARK };
  const kind = choice[talk.choice ?? 'auto'];
  return some({
    model: 'm',
    system: talk.system === '' ? undefined : say(talk.system),
    messages: [{ role: 'user', content: talk.first }, ...turns],
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

function chat(talk: Conversation): JsonRecord {
  const w = new Writer(talk);
  const show = ({ kind, close }: Shown): JsonRecord =>
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
  const say = (text: string): JsonRecord[] =>
    text === '' ? [] : [{ type: 'text', text, ...w.mark('text') }];
  const turns = talk.steps.flatMap((step, at): JsonRecord[] => [
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
    { role: 'user', content: [...say(step.user || 'Go on.'), ...step.shown.map(show)], ...w.mark('message') },
    ...(step.aside === '' ? [] : [{ role: 'developer', content: step.aside }]),
  ]);
  const format = some({ name: 'f', schema: SCHEMA, ...w.mark('format') });
  return some({
    model: 'm',
    messages: [
      ...(talk.system === '' ? [] : [{ role: 'system', content: talk.system }]),
      { role: 'user', content: talk.first },
      ...turns,
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

function responses(talk: Conversation): JsonRecord {
  const w = new Writer(talk);
  const show = ({ kind, close }: Shown): JsonRecord =>
    kind === 'file'
      ? { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${PIXEL}` }
      : some({
          type: 'input_image',
          ...(kind === 'stored'
            ? { file_id: `file-${MARK}` }
            : { image_url: kind === 'url' ? 'https://example.com/a.png' : `data:image/png;base64,${PIXEL}` }),
          detail: close ? 'high' : undefined,
        });
  const say = (text: string): JsonRecord[] =>
    text === '' ? [] : [{ type: 'input_text', text, ...w.mark('text') }];
  const turns = talk.steps.flatMap((step, at): JsonRecord[] => [
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
      output: result.shown.length === 0 ? result.text : [...say(result.text), ...result.shown.map(show)],
      ...w.mark('result'),
    })),
    {
      type: 'message',
      role: 'user',
      content: [...say(step.user || 'Go on.'), ...step.shown.map(show)],
      ...w.mark('message'),
    },
  ]);
  return some({
    model: 'm',
    instructions: talk.system,
    input: [{ role: 'user', content: talk.first }, ...turns],
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

/**
 * What a request or an answer says, read from each API's own documents and from nothing in src/: two bodies of different
 * dialects say the same when their meanings are equal. Where one dialect tells less apart, its coarser word is used for
 * all: turns of one role are one turn, lines are lines whatever part they stand in.
 */
import { isRecord, type Json, type JsonRecord, parseJson } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';

export interface Call {
  readonly id: string;
  readonly name: string;
  /** The arguments; the text of a custom tool is the one argument `input`. */
  readonly args: Json;
}
export interface Result {
  readonly id: string;
  readonly text: string;
  readonly shown: readonly string[];
  readonly isError: boolean;
}
export interface Turn {
  readonly role: string;
  readonly text: string;
  readonly refusal: string;
  /** Images and files, as URLs. */
  readonly shown: readonly string[];
  /** What can be read of thoughts, with their seal. */
  readonly thoughts: readonly string[];
  readonly calls: readonly Call[];
  readonly results: readonly Result[];
}
export interface Asked {
  readonly turns: readonly Turn[];
  readonly tools: readonly { readonly name: string; readonly description: string; readonly schema: Json }[];
  /** The settings that all dialects share, each absent where it says the default. */
  readonly settings: JsonRecord;
}
export interface Said extends Omit<Turn, 'role' | 'results'> {
  readonly stop: 'end' | 'calls' | 'length' | 'declined';
  /** Tokens: input in all, of it read from and written to a cache; output in all, of it reasoning. */
  readonly usage: Readonly<Record<'input' | 'cacheRead' | 'cacheWrite' | 'output' | 'reasoning', number>>;
}

export const list = (value: Json | undefined): JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
export const inner = (value: Json | undefined): JsonRecord => (isRecord(value) ? value : {});
export const word = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const number = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);

const NOTHING: Omit<Turn, 'role'> = {
  text: '',
  refusal: '',
  shown: [],
  thoughts: [],
  calls: [],
  results: [],
};
const lines = (...texts: readonly string[]): string =>
  texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.trim() !== '')
    .join('\n');

/** Neighbours of one role joined, turns of nothing left out, results behind their calls in the order of their ids. */
export function joinTurns(turns: readonly Turn[]): Turn[] {
  const joined = neighbours(turns);
  const called = new Set(joined.flatMap(({ calls }) => calls.map(({ id }) => id)));
  const results = joined.flatMap((turn) => turn.results);
  const placed = joined.flatMap((turn) => {
    const ids = new Set(turn.calls.map(({ id }) => id));
    const own = { role: 'user', ...NOTHING, results: results.filter(({ id }) => ids.has(id)) };
    return [{ ...turn, results: turn.results.filter(({ id }) => !called.has(id)) }, own];
  });
  const byId = (a: Result, b: Result) => (a.id < b.id ? -1 : 1);
  return neighbours(placed).map((turn) => ({ ...turn, results: [...turn.results].sort(byId) }));
}

function neighbours(turns: readonly Turn[]): Turn[] {
  const joined: Turn[] = [];
  for (const turn of turns) {
    if (isEmpty(turn)) continue;
    const last = joined.at(-1);
    if (last?.role !== turn.role) joined.push({ ...turn, text: lines(turn.text) });
    else joined[joined.length - 1] = join(last, turn);
  }
  return joined;
}

const isEmpty = (turn: Turn): boolean =>
  lines(turn.text, turn.refusal) === '' &&
  [turn.shown, turn.thoughts, turn.calls, turn.results].every((part) => part.length === 0);

const join = (a: Turn, b: Turn): Turn => ({
  role: a.role,
  text: lines(a.text, b.text),
  refusal: lines(a.refusal, b.refusal),
  shown: [...a.shown, ...b.shown],
  thoughts: [...a.thoughts, ...b.thoughts],
  calls: [...a.calls, ...b.calls],
  results: [...a.results, ...b.results],
});

/** Content of any dialect: their part types do not clash. */
function content(value: Json | undefined): Pick<Turn, 'text' | 'refusal' | 'shown'> {
  if (typeof value === 'string') return { text: lines(value), refusal: '', shown: [] };
  const parts = list(value);
  return {
    text: lines(
      ...parts
        .filter(({ type }) => /^(text|input_text|output_text)$/.test(word(type)))
        .map((part) => word(part.text)),
    ),
    refusal: lines(...parts.map((part) => (part.type === 'refusal' ? word(part.refusal) : ''))),
    shown: parts.flatMap(shownIn),
  };
}

function shownIn(part: JsonRecord): string[] {
  const source = inner(part.source);
  const file = inner(part.file);
  switch (part.type) {
    case 'image':
    case 'document':
      if (source.type === 'text') return [`text:${word(source.data)}`];
      return [
        word(source.url) ||
          word(source.file_id) ||
          `data:${word(source.media_type)};base64,${word(source.data)}`,
      ];
    case 'image_url':
      return [closely(word(inner(part.image_url).url), inner(part.image_url).detail)];
    case 'file':
      return [word(file.file_data) || word(file.file_id)];
    case 'input_image':
      return [closely(word(part.image_url) || word(part.file_id), part.detail)];
    case 'input_file':
      return [word(part.file_url) || word(part.file_data) || word(part.file_id)];
    default:
      return [];
  }
}

/** How closely to look stands behind the URL. */
const closely = (url: string, detail: Json | undefined): string =>
  word(detail) === '' ? url : `${url} ${word(detail)}`;
const argsOf = (text: string): Json => parseJson(text === '' ? '{}' : text) ?? text;
const seal = (text: string, sealed: string): string => `${text}|${sealed}`;

// Messages

function blocks(role: string, value: Json | undefined): Turn {
  const parts = list(value);
  const of = (...types: readonly string[]) => parts.filter(({ type }) => types.includes(word(type)));
  return {
    role,
    ...content(value),
    thoughts: of('thinking', 'redacted_thinking').map((part) =>
      seal(word(part.thinking), word(part.signature) || word(part.data)),
    ),
    calls: of('tool_use').map((part) => ({
      id: word(part.id),
      name: word(part.name),
      args: part.input ?? {},
    })),
    results: of('tool_result').map((part) => ({
      id: word(part.tool_use_id),
      ...pick(content(part.content)),
      isError: part.is_error === true,
    })),
  };
}

const pick = ({ text, shown }: Pick<Turn, 'text' | 'shown'>) => ({ text, shown });

function askedMessages(body: JsonRecord): Asked {
  const choice = inner(body.tool_choice);
  const choices: Readonly<Record<string, string>> = {
    any: 'required',
    tool: word(choice.name),
    none: 'none',
  };
  const output = inner(body.output_config);
  return {
    turns: joinTurns([
      blocks('system', body.system),
      ...list(body.messages).map((message) => blocks(word(message.role), message.content)),
    ]),
    tools: list(body.tools)
      .filter(({ type }) => type === undefined || type === 'custom')
      .map((tool) => ({
        name: word(tool.name),
        description: word(tool.description),
        schema: tool.input_schema ?? {},
      })),
    settings: settings({
      model: body.model,
      stream: body.stream,
      max: body.max_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      stop: body.stop_sequences,
      choice: choices[word(choice.type)],
      single: choice.disable_parallel_tool_use === true,
      effort: output.effort,
      format: inner(output.format).schema,
    }),
  };
}

/** Without what says the default. */
const settings = (values: { readonly [name: string]: Json | undefined }): JsonRecord =>
  Object.fromEntries(
    Object.entries(values).filter(
      (entry): entry is [string, Json] =>
        entry[1] !== undefined && entry[1] !== false && !(Array.isArray(entry[1]) && entry[1].length === 0),
    ),
  );

// Chat

const CUSTOM_SCHEMA = 'one text';
const custom = (schema: Json): Json => (inner(inner(schema).properties).input ? CUSTOM_SCHEMA : schema);

function chatTurn(message: JsonRecord): Turn {
  const role = word(message.role);
  if (role === 'tool')
    return {
      role: 'user',
      ...NOTHING,
      results: [{ id: word(message.tool_call_id), ...pick(content(message.content)), isError: false }],
    };
  const said = content(message.content);
  const member = ['reasoning_content', 'reasoning'].find((name) => word(message[name]) !== '');
  return {
    role: role === 'developer' ? 'system' : role,
    ...said,
    refusal: lines(said.refusal, word(message.refusal)),
    thoughts: member ? [seal(word(message[member]), member)] : [],
    calls: list(message.tool_calls).map((call) => ({
      id: word(call.id),
      name: word(inner(call.function ?? call.custom).name),
      args:
        call.type === 'custom'
          ? { input: word(inner(call.custom).input) }
          : argsOf(word(inner(call.function).arguments)),
    })),
    results: [],
  };
}

function askedChat(body: JsonRecord): Asked {
  const { stop } = body;
  const format = inner(body.response_format);
  return {
    turns: joinTurns(list(body.messages).map(chatTurn)),
    tools: list(body.tools)
      .filter(({ type }) => type === 'function' || type === 'custom')
      .map((tool) => {
        const made = inner(tool.function ?? tool.custom);
        const schema = tool.type === 'custom' ? CUSTOM_SCHEMA : custom(made.parameters ?? {});
        return { name: word(made.name), description: word(made.description), schema };
      }),
    settings: settings({
      model: body.model,
      stream: body.stream,
      max: body.max_completion_tokens ?? body.max_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      stop: typeof stop === 'string' ? [stop] : stop,
      ...openaiChoice(body),
      effort: body.reasoning_effort,
      format: inner(format.json_schema).schema ?? (format.type === 'json_object' ? 'object' : undefined),
    }),
  };
}

function openaiChoice(body: JsonRecord): { readonly [name: string]: Json | undefined } {
  const choice = body.tool_choice;
  const made = inner(choice);
  const name = word(made.name) || word(inner(made.function ?? made.custom).name);
  return {
    choice: name || (choice === 'auto' ? undefined : word(choice) || undefined),
    single: body.parallel_tool_calls === false,
  };
}

// Responses

/** Messages and Chat have no groups: a tool's group is part of its name there. */
const flat = (namespace: string, name: string): string =>
  namespace === '' ? name : `${namespace}${namespace.endsWith('__') ? '' : '__'}${name}`;

function itemTurn(item: JsonRecord): Turn {
  const role = word(item.role);
  switch (item.type ?? 'message') {
    case 'message':
      return { role: role === 'developer' ? 'system' : role, ...NOTHING, ...content(item.content) };
    case 'function_call':
    case 'custom_tool_call':
      return { role: 'assistant', ...NOTHING, calls: [itemCall(item)] };
    case 'function_call_output':
    case 'custom_tool_call_output':
      return {
        role: 'user',
        ...NOTHING,
        results: [{ id: word(item.call_id), ...pick(content(item.output)), isError: false }],
      };
    case 'reasoning': {
      const texts = [...list(item.summary), ...list(item.content)].map((part) => word(part.text));
      return {
        role: 'assistant',
        ...NOTHING,
        thoughts: [seal(texts.join('\n\n'), word(item.encrypted_content))],
      };
    }
    default:
      return { role: 'assistant', ...NOTHING };
  }
}

const itemCall = (item: JsonRecord): Call => ({
  id: word(item.call_id),
  name: flat(word(item.namespace), word(item.name)),
  args: item.type === 'custom_tool_call' ? { input: word(item.input) } : argsOf(word(item.arguments)),
});

function askedResponses(body: JsonRecord): Asked {
  const items: JsonRecord[] =
    typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : list(body.input);
  const tools = [
    ...list(body.tools),
    ...items.flatMap((item) => (item.type === 'additional_tools' ? list(item.tools) : [])),
  ];
  const format = inner(inner(body.text).format);
  const turns = items.filter((item) => item.type !== 'additional_tools').map(itemTurn);
  return {
    turns: joinTurns([{ role: 'system', ...NOTHING, text: word(body.instructions) }, ...turns]),
    tools: tools.flatMap((tool) => grouped(tool, '')),
    settings: settings({
      model: body.model,
      stream: body.stream,
      max: body.max_output_tokens,
      temperature: body.temperature,
      topP: body.top_p,
      ...openaiChoice(body),
      effort: inner(body.reasoning).effort,
      format: format.schema ?? (format.type === 'json_object' ? 'object' : undefined),
    }),
  };
}

function grouped(tool: JsonRecord, namespace: string): Asked['tools'][number][] {
  const [name, description] = [word(tool.name), word(tool.description)];
  if (tool.type === 'namespace') return list(tool.tools).flatMap((member) => grouped(member, name));
  if (tool.type === 'custom') return [{ name: flat(namespace, name), description, schema: CUSTOM_SCHEMA }];
  return tool.type === 'function'
    ? [{ name: flat(namespace, name), description, schema: custom(tool.parameters ?? {}) }]
    : [];
}

const ASKED = { anthropic: askedMessages, 'openai-chat': askedChat, 'openai-responses': askedResponses };
/** What a request asks. */
export function asked(dialect: NeutralDialect, body: JsonRecord): Asked {
  const read = ASKED[dialect](body);
  return { ...read, tools: read.tools.map((tool) => ({ ...tool, schema: custom(tool.schema) })) };
}

// Answers

const DECLINED = new Set(['refusal', 'content_filter']);
const STOPS: Readonly<Record<string, Said['stop']>> = {
  max_tokens: 'length',
  length: 'length',
  max_output_tokens: 'length',
  tool_use: 'calls',
  tool_calls: 'calls',
};

function saidOf(turn: Turn, reason: string, usage: Said['usage']): Said {
  const declined = DECLINED.has(reason) || turn.refusal !== '';
  const { role: _role, results: _results, ...rest } = turn;
  const stop = declined ? 'declined' : (STOPS[reason] ?? 'end');
  // That it declined is said by the end of an answer.
  return { ...rest, text: lines(turn.text, turn.refusal), refusal: '', stop, usage };
}

function openaiUsage(usage: JsonRecord): Said['usage'] {
  const read = inner(usage.input_tokens_details ?? usage.prompt_tokens_details);
  const written = inner(usage.output_tokens_details ?? usage.completion_tokens_details);
  return {
    input: number(usage.input_tokens ?? usage.prompt_tokens),
    cacheRead: number(read.cached_tokens),
    cacheWrite: number(read.cache_write_tokens),
    output: number(usage.output_tokens ?? usage.completion_tokens),
    reasoning: number(written.reasoning_tokens),
  };
}

/** What a whole answer says. */
export function said(dialect: NeutralDialect, body: JsonRecord): Said {
  if (dialect === 'anthropic') {
    const usage = inner(body.usage);
    const [cacheRead, cacheWrite] = [
      number(usage.cache_read_input_tokens),
      number(usage.cache_creation_input_tokens),
    ];
    return saidOf(blocks('assistant', body.content), word(body.stop_reason), {
      input: number(usage.input_tokens) + cacheRead + cacheWrite,
      cacheRead,
      cacheWrite,
      output: number(usage.output_tokens),
      reasoning: number(inner(usage.output_tokens_details).thinking_tokens),
    });
  }
  const usage = openaiUsage(inner(body.usage));
  if (dialect === 'openai-chat') {
    const choice = list(body.choices)[0] ?? {};
    const turn = joinTurns([chatTurn(inner(choice.message))])[0] as Turn;
    const reason = word(choice.finish_reason);
    // Some engines say `stop` where the model called tools.
    return saidOf(turn, reason === 'stop' && turn.calls.length > 0 ? 'tool_calls' : reason, usage);
  }
  const turn = joinTurns(list(body.output).map(itemTurn))[0] ?? { role: 'assistant', ...NOTHING };
  const reason =
    word(inner(body.incomplete_details).reason) || (turn.calls.length > 0 ? 'tool_calls' : 'stop');
  return saidOf(turn, reason, usage);
}

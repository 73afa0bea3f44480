/** How an answer is taken apart while it is written, by a model that says what it is told. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { LlamaContextSequence, LlamaGrammarEvaluationState, Token } from 'node-llama-cpp';
import { collectAnswer } from '../../wire/collect.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { CODECS } from '../../wire/translate.ts';
import type { Mark } from './scanner.ts';
import { Steps } from './steps.ts';
import type { MarkKind } from './template.ts';
import { Writing } from './writing.ts';

const MARKS: readonly Mark<MarkKind>[] = [
  { kind: 'stop', text: 'STOP' },
  { kind: 'end', text: '<end>' },
  { kind: 'call', text: '<call>' },
  { kind: 'think', text: '<think>' },
  { kind: 'thought', text: '</think>' },
];
const READ = { name: 'read', description: 'd', input_schema: { type: 'object' } };

/** One token of many letters; every other one is a character. */
const LONG = '\uE000';
const LONG_TEXT = '<call>nothing';

/** Says `free`, and once it is held to a grammar `held`; what it was given is in its own memory. */
function speaker(free: string, held: string) {
  const read: number[] = [];
  /** What it was given when it was first held to a grammar. */
  const given: string[] = [];
  const said = { free: [...free], held: [...held] };
  const sequence = {
    context: { batchSize: 8 },
    model: {
      tokenize: (text: string) => [...text].map((one) => one.codePointAt(0)),
      detokenize: (tokens: number[]) => String.fromCodePoint(...tokens).replaceAll(LONG, LONG_TEXT),
    },
    get nextTokenIndex() {
      return read.length;
    },
    async evaluateWithoutGeneratingNewTokens(tokens: number[]) {
      read.push(...tokens);
    },
    async *evaluate(tokens: number[], options: { grammarEvaluationState?: unknown }) {
      read.push(...tokens);
      if (options.grammarEvaluationState && said.held.length === held.length)
        given.push(String.fromCodePoint(...tokens));
      const next = (options.grammarEvaluationState ? said.held : said.free).shift();
      if (next !== undefined) yield next.codePointAt(0) as Token;
    },
  };
  return { sequence: sequence as unknown as LlamaContextSequence, given };
}

async function write(
  free: string,
  held = '',
  more: { asked?: object; most?: number; thinking?: boolean; tools?: NeutralRequest['tools'] } = {},
) {
  const request: NeutralRequest = CODECS.anthropic.decodeRequest({
    model: 'm',
    messages: [{ role: 'user', content: 'hi' }],
    tools: [READ],
    ...more.asked,
  });
  const { sequence, given } = speaker(free, held);
  const tools = more.tools ?? request.tools;
  const events: NeutralEvent[] = [];
  const grammars: string[] = [];
  const writing = new Writing(
    {
      request: { ...request, tools },
      prompt: {
        text: undefined as never,
        tools: [
          { name: 'read', schema: { type: 'object' } },
          { name: 'read_all', schema: { type: 'object' } },
        ],
        marks: MARKS,
        thinking: more.thinking ?? false,
        call: { before: '<call>', named: (name) => `${name}(` },
      },
      tokens: [...'prompt of some length'].map((one) => one.codePointAt(0) as Token),
      evaluation: {},
      seed: 1,
      format: undefined,
      mostTokens: more.most ?? 1000,
      newGrammar: (text) => {
        grammars.push(text.split('\n', 1)[0] as string);
        return {} as LlamaGrammarEvaluationState;
      },
      emit: (event) => events.push(event),
      latch: new Steps().newLatch(),
      signal: new AbortController().signal,
    },
    sequence,
  );
  const written = await writing.run();
  const parts = collectAnswer(events).parts.map((part) => {
    if (part.kind === 'call') return `${part.name} ${part.input}`;
    return 'text' in part ? `${part.kind}: ${part.text}` : part.kind;
  });
  return { written, parts, grammars, given };
}

test('text, thoughts and what ends them are told apart by the marks of the template', async () => {
  const { written, parts } = await write('<think>hm</think>So <be it.<end>never read');
  assert.deepEqual(parts, ['reasoning: hm', 'text: So <be it.']);
  assert.equal(written?.stop, 'end');
  assert.equal(written?.reasoning, 'hm</think>'.length);
  assert.deepEqual((await write('one STOP two')).parts, ['text: one ']);
  assert.equal((await write('one STOP two')).written?.stop, 'stop_sequence');
  assert.deepEqual((await write('so</think>yes', '', { thinking: true })).parts, [
    'reasoning: so',
    'text: yes',
  ]);
  const cut = await write('abcdef<e', '', { most: 4 });
  assert.deepEqual([cut.parts, cut.written?.stop, cut.written?.output], [['text: abcd'], 'length', 4]);
});

test('a call that the model begins by itself is held to its tools from there on', async () => {
  const { written, parts, grammars, given } = await write('I look. <call>read and', 'read_all({"a":1}');
  assert.deepEqual(parts, ['text: I look. ', 'read_all {"a":1}']);
  assert.equal(written?.stop, 'calls');
  assert.deepEqual(grammars, ['root ::= "read(" object | "read_all(" object']);
  assert.equal(given[0], '>');
  const none = await write(`${LONG} of the kind`);
  assert.deepEqual(none.parts, ['text: <call>nothing of the kind']);
  const short = await write('<call>', 'read({"a":"', { most: 12 });
  assert.deepEqual([short.parts, short.written?.stop], [[], 'length']);
});

test('a call that was asked for begins the answer; the text of a custom tool comes without its wrapping', async () => {
  const forced = await write('no', 'read({}', { asked: { tool_choice: { type: 'any' } } });
  assert.deepEqual(forced.parts, ['read {}']);
  assert.equal(forced.written?.output, '<call>read({}'.length);
  assert.equal(forced.given[0], 'll>');
  const custom = {
    kind: 'custom',
    name: 'read',
    description: undefined,
    format: undefined,
    extras: {},
  } as const;
  const plain = await write('<call>', 'read({"input":"all of \\"it\\""}', { tools: [custom] });
  assert.deepEqual(plain.parts, ['read all of "it"']);
});

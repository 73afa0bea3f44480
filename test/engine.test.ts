/** The embedded engine for real, on the tiny model: it proves mechanism; what that model says means nothing. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type JsonRecord, parseJson } from '../src/base/json.ts';
import type { NeutralDialect } from '../src/base/model.ts';
import { promptOf } from '../src/drivers/engine/template.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import type { NeutralAnswer } from '../src/wire/neutral.ts';
import { DIALECTS } from '../src/wire/registry.ts';
import { CODECS } from '../src/wire/translate.ts';
import {
  answerOf,
  asking as ask,
  callable,
  errorOf,
  PATHS,
  SPOKEN,
  textOf,
  usageAsked,
  withoutMezz,
} from './engine/asking.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';

const WINDOW = 4096;
const SEQUENCES = 4;
const SETTINGS = `
backends: { engine: { slots: 8, engine: { threads: 1, sequences: ${SEQUENCES}, window: ${WINDOW} } } }
models: { house: { backends: [engine], alias: engine/tiny, price: free } }

# The same is asked again until a model is back: that is no loop.
loop: { repeats: 100000 }
`;
const asking = (dialect: NeutralDialect, text: string, most: number, more: JsonRecord = {}) =>
  ask(dialect, text, most, { model: 'engine/tiny', ...more });

test('the marks of each family of models are those of its own template', async () => {
  const { ChatMLChatWrapper, DeepSeekChatWrapper, Llama3_1ChatWrapper, QwenChatWrapper } = await import(
    'node-llama-cpp'
  );
  const tools = [{ name: 'read', input_schema: { type: 'object' } }];
  const request = CODECS.anthropic.decodeRequest({ ...asking('anthropic', 'hi', 5), tools });
  const seen = [QwenChatWrapper, Llama3_1ChatWrapper, DeepSeekChatWrapper, ChatMLChatWrapper].map(
    (Family) => {
      const prompt = promptOf(new Family(), request);
      assert.ok(!('status' in prompt));
      const think = prompt.marks.find(({ kind }) => kind === 'think')?.text;
      return [prompt.call.before, prompt.call.named('read'), think];
    },
  );
  assert.deepEqual(seen, [
    ['<tool_call>\n{"name": "', 'read", "arguments": ', '<think>\n'],
    ['<function=', 'read>', undefined],
    ['<function=', 'read>', '<think>'],
    ['||call: ', 'read(', undefined],
  ]);
});

describe('the engine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-engine-'));
  const tiny = join(directory, 'tiny.gguf');
  let kernel: TestKernel;
  let base: string;
  const post = (dialect: NeutralDialect, body: JsonRecord) =>
    send(base + PATHS[dialect], JSON.stringify(body));
  /** A model file of these bytes, in the place of any other of that name. */
  const shelve = async (name: string, change: (path: string) => void) => {
    const path = join(kernel.stateDir, 'models', `${name}.gguf`);
    writeFileSync(path, tinyGguf());
    change(path);
  };
  const pidOf = async () => {
    const { files } = await kernel.control.call('models', {});
    return files.find(({ id }) => id === 'tiny')?.osPid ?? undefined;
  };
  before(async () => {
    writeFileSync(tiny, tinyGguf());
    const configPath = join(directory, 'mezz.yaml');
    writeFileSync(configPath, SETTINGS, { mode: 0o600 });
    kernel = await startKernel(undefined, '', { configPath });
    await kernel.control.call('model.add', {});
    const { origin, token } = await kernel.agent();
    base = `${origin}/a/${token}`;
  });
  after(async () => {
    await kernel.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a greedy answer is the engine’s own, in every dialect, whole and streamed, with its true counts', async () => {
    const questions = ['hi', 'what is a kernel?', 'ä ö ü'];
    const own = await withoutMezz(tiny, WINDOW, questions, 60);
    assert.ok(own.some((text) => text.length > 20));
    for (const dialect of SPOKEN)
      for (const [at, question] of questions.entries())
        for (const stream of [false, true]) {
          const reply = await post(
            dialect,
            asking(dialect, question, 60, { stream, ...usageAsked(dialect, stream) }),
          );
          const answer = answerOf(dialect, reply, stream);
          assert.equal(textOf(answer), own[at]);
          // A token is a byte here: the counts can be checked by hand.
          assert.equal(answer.usage.output, own[at]?.length);
          assert.equal(answer.stop, answer.usage.output === 60 ? 'length' : 'end');
          const prompt = `user\n${question}\nassistant\n`;
          assert.equal(answer.usage.input + answer.usage.cacheRead, Buffer.byteLength(prompt) + 4);
        }
    const { agents } = await kernel.control.call('ps', {});
    assert.equal(agents[0]?.cost, 0);
    assert.ok((agents[0]?.usage.output ?? 0) > 0);
  });

  test('more at once than it has sequences: each gets its own answer', async () => {
    const questions = Array.from({ length: 10 }, (_, at) => `question ${at}`);
    const alone = [];
    for (const question of questions)
      alone.push(
        textOf(answerOf('anthropic', await post('anthropic', asking('anthropic', question, 40)), false)),
      );
    const together = await Promise.all(
      questions.map(async (question) =>
        textOf(answerOf('anthropic', await post('anthropic', asking('anthropic', question, 40)), false)),
      ),
    );
    assert.deepEqual(together, alone);
    assert.ok(new Set(alone).size > 5);
  });

  test('a stop sequence ends the answer and is not in it', async () => {
    const [whole] = await withoutMezz(tiny, WINDOW, ['hi there'], 40);
    const stop = whole?.slice(4, 6) as string;
    const reply = await post('anthropic', asking('anthropic', 'hi there', 40, { stop_sequences: [stop] }));
    const answer = answerOf('anthropic', reply, false);
    assert.equal(answer.stop, 'stop_sequence');
    assert.equal(textOf(answer), whole?.slice(0, whole.indexOf(stop)));
  });

  const SCHEMAS: readonly JsonRecord[] = [
    { type: 'object' },
    { type: 'object', properties: {}, additionalProperties: false },
    {
      type: 'object',
      properties: { path: { type: 'string', maxLength: 12 }, line: { type: 'integer', minimum: 1 } },
      required: ['path'],
      additionalProperties: false,
    },
    {
      type: 'object',
      properties: {
        kind: { enum: ['a "quoted" one', 'back\\slash', 'ä', 7, null] },
        on: { type: 'boolean' },
        share: { type: ['number', 'null'], minimum: 0 },
        tags: { type: 'array', items: { const: 'x' }, minItems: 1, maxItems: 3 },
        nested: { anyOf: [{ $ref: '#/$defs/leaf' }, { type: 'null' }] },
      },
      required: ['kind', 'on', 'share', 'tags', 'nested'],
      $defs: {
        leaf: {
          type: 'object',
          properties: { next: { $ref: '#/$defs/leaf' }, n: { type: 'integer' } },
          required: ['n'],
          additionalProperties: false,
        },
      },
    },
    {
      allOf: [
        {
          type: 'object',
          properties: { a: { type: 'string', minLength: 2, maxLength: 4 } },
          required: ['a'],
        },
      ],
    },
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'boolean' }, c: { type: 'null' } },
      additionalProperties: false,
      minProperties: 0,
    },
  ];

  test('every call of a tool that was made fits the schema of the tool', async () => {
    const ajv = new Ajv2020({ strict: false });
    let calls = 0;
    for (const [at, schema] of SCHEMAS.entries()) {
      const fits = ajv.compile(schema);
      for (let seed = 0; seed < 6; seed++) {
        const dialect = SPOKEN[seed % SPOKEN.length] as NeutralDialect;
        const stream = seed % 2 === 0;
        const more = { ...callable(dialect, `tool_${at}`, schema), temperature: 2, seed, stream };
        const answer = answerOf(
          dialect,
          await post(dialect, asking(dialect, `call ${seed}`, 400, more)),
          stream,
        );
        const call = answer.parts.find((part) => part.kind === 'call');
        // A call that the bound on output cut is not there at all.
        if (answer.stop === 'length') {
          assert.equal(call, undefined);
          continue;
        }
        assert.ok(call?.kind === 'call' && answer.stop === 'calls');
        assert.equal(call.name, `tool_${at}`);
        assert.ok(fits(parseJson(call.input)), `${call.input} ${ajv.errorsText(fits.errors)}`);
        calls++;
      }
    }
    assert.ok(calls >= 25, `${calls} calls`);
  });

  test('a call and its result go back to the model, and a format is kept', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' } },
      required: ['ok'],
      additionalProperties: false,
    };
    const history = {
      model: 'house',
      max_completion_tokens: 200,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'read x' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'read', arguments: '{"path":"x"}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'forty-two' },
      ],
      tools: [{ type: 'function', function: { name: 'read', parameters: { type: 'object' } } }],
      response_format: { type: 'json_schema', json_schema: { name: 'verdict', schema } },
    };
    const answer = answerOf('openai-chat', await post('openai-chat', history), false);
    assert.deepEqual(Object.keys(parseJson(textOf(answer)) as JsonRecord), ['ok']);
    const longer = await post('openai-chat', { ...history, messages: history.messages.slice(0, 2) });
    const before = answerOf('openai-chat', longer, false).usage;
    const tokens = ({ input, cacheRead }: NeutralAnswer['usage']) => input + cacheRead;
    assert.ok(tokens(answer.usage) > tokens(before) + 'forty-two'.length);
  });

  test('counts and embeds', async () => {
    const counted = await send(
      `${base}/v1/messages/count_tokens`,
      JSON.stringify({ model: 'engine/tiny', messages: [{ role: 'user', content: 'hi' }] }),
    );
    assert.deepEqual(JSON.parse(counted.body.toString()), { input_tokens: 22 });
    const embed = async (more: JsonRecord) => {
      const { status, body } = await send(
        `${base}/v1/embeddings`,
        JSON.stringify({ model: 'engine/tiny', ...more }),
      );
      assert.equal(status, 200, body.toString());
      return JSON.parse(body.toString());
    };
    const { data, usage } = await embed({ input: ['one', 'two', 'one'] });
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
    const [one, two, again] = data.map(({ embedding }: { embedding: number[] }) => embedding);
    assert.equal(usage.prompt_tokens, 9);
    assert.ok(
      Math.abs(dot(one, one) - 1) < 1e-6 && Math.abs(dot(one, again) - 1) < 1e-6 && dot(one, two) < 0.999,
    );
    const packed = Buffer.from(
      (await embed({ input: 'one', encoding_format: 'base64' })).data[0].embedding,
      'base64',
    );
    assert.equal(packed.length, one.length * 4);
    assert.ok(Math.abs(packed.readFloatLE(0) - one[0]) < 1e-6);
    const tokens = await send(
      `${base}/v1/embeddings`,
      JSON.stringify({ model: 'engine/tiny', input: [[1, 2]] }),
    );
    assert.equal(tokens.status, 400);
  });

  test('what cannot be answered is refused in the dialect that was spoken, and disturbs nothing', async () => {
    await post('anthropic', asking('anthropic', 'hi', 5));
    const pid = await pidOf();
    assert.ok(pid);
    for (const dialect of SPOKEN) {
      const long = await post(dialect, asking(dialect, 'x'.repeat(WINDOW), 5));
      assert.equal(long.status, 400);
      assert.match(errorOf(long), new RegExp(`prompt has 41\\d\\d tokens.* holds ${WINDOW}`));
      const unknown = await post(dialect, asking(dialect, 'hi', 5, { model: 'engine/none' }));
      assert.equal(unknown.status, 404);
      assert.match(errorOf(unknown), /no model engine\/none; here are engine\/tiny/);
    }
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
    const seen = await post('anthropic', {
      model: 'engine/tiny',
      max_tokens: 5,
      messages: [{ role: 'user', content: [image] }],
    });
    assert.equal(seen.status, 400);
    assert.match(errorOf(seen), /text alone.*image/);
    assert.equal(await pidOf(), pid);
  });

  test('its models are listed by their whole names', async () => {
    const { body } = await send(`${base}/v1/models`, '', {}, 'GET');
    const ids = JSON.parse(body.toString()).data.map(({ id }: { id: string }) => id);
    assert.ok(ids.includes('engine/tiny') && ids.includes('house'));
    assert.ok(!ids.some((id: string) => id.includes('*')));
  });

  test('a client that leaves frees its sequence', async () => {
    const leave = () =>
      new Promise<void>((resolve) => {
        const body = JSON.stringify(
          asking('openai-chat', 'tell me all', 4000, { stream: true, ...endless('openai-chat') }),
        );
        const call = request(base + PATHS['openai-chat'], { method: 'POST' }, (response) => {
          response.once('data', () => call.destroy());
        });
        call.on('close', resolve);
        call.on('error', () => {});
        call.end(body);
      });
    for (let left = 0; left < 2; left++) await Promise.all(Array.from({ length: SEQUENCES }, leave));
    const answer = await post('anthropic', asking('anthropic', 'hi', 5));
    assert.equal(answer.status, 200);
    const busy = async () =>
      (await kernel.control.call('backends', {})).backends.find(({ id }) => id === 'engine')?.busy;
    while ((await busy()) !== 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('an engine that is killed in the middle of answers ends them all, and comes back', async () => {
    await post('anthropic', asking('anthropic', 'hi', 5));
    const pid = await pidOf();
    assert.ok(pid);
    let begun = 0;
    const kill = () => {
      if (++begun === SPOKEN.length) process.kill(pid, 'SIGKILL');
    };
    const texts = await Promise.all(SPOKEN.map((dialect) => interrupted(base, dialect, kill)));
    for (const [at, text] of texts.entries()) {
      assert.match(text, /The engine died while it worked \(SIGKILL\)/);
      const machine = DIALECTS[SPOKEN[at] as NeutralDialect].newStream();
      machine.push(Buffer.from(text));
      assert.equal(machine.finish().kind, 'error');
    }
    let reply = await post('anthropic', asking('anthropic', 'hi', 5));
    for (let tries = 0; reply.status !== 200 && tries < 200; tries++) {
      assert.match(errorOf(reply), /engine died/);
      assert.ok(Number(reply.headers['retry-after']) >= 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      reply = await post('anthropic', asking('anthropic', 'hi', 5));
    }
    assert.equal(reply.status, 200);
    assert.notEqual(await pidOf(), pid);
  });

  test('damaged files, and one larger than memory, are refused with the reason; other models go on', async () => {
    const size = tinyGguf().length;
    const cases: readonly (readonly [string, (path: string) => void, RegExp])[] = [
      ['empty', (path) => truncateSync(path, 0), /damaged: it ends/],
      ['text', (path) => writeFileSync(path, 'no model at all'), /damaged: it is no GGUF file/],
      ['headless', (path) => truncateSync(path, 2000), /damaged: it ends/],
      ['half', (path) => truncateSync(path, size / 2), /cannot load|died while it loaded/],
      ['counts', (path) => writeFileSync(path, flipped(8, 0xff)), /damaged|cannot load|died while it loaded/],
      ['huge', (path) => truncateSync(path, 2 ** 42), /does not fit: it needs 4398\.0 GB/],
    ];
    for (const [name, change, why] of cases) {
      await shelve(name, change);
      const reply = await post(
        'openai-responses',
        asking('openai-responses', 'hi', 5, { model: `engine/${name}` }),
      );
      assert.equal(reply.status, 422, `${name}: ${reply.body}`);
      assert.match(errorOf(reply), why, name);
      if (name !== 'half') continue;
      // While it pauses after a death, nothing is tried: the same reason comes at once, and when to ask again.
      const again = await post('anthropic', asking('anthropic', 'hi', 5, { model: `engine/${name}` }));
      assert.equal(errorOf(again), errorOf(reply));
      assert.ok(Number(again.headers['retry-after']) >= 1);
    }
    const { files } = await kernel.control.call('models', {});
    assert.equal(files.find(({ id }) => id === 'text')?.name, 'damaged: it is no GGUF file');
    assert.equal((await post('anthropic', asking('anthropic', 'hi', 5))).status, 200);
  });
});

test('an engine whose kernel is gone ends by itself', async () => {
  const child = fork(new URL('../src/drivers/engine/child.ts', import.meta.url), { stdio: 'ignore' });
  await new Promise((resolve) => child.once('spawn', resolve));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  assert.equal(await ended, 0);
});

/** A format whose answer does not end before the window does, as each dialect says it. */
function endless(dialect: NeutralDialect): JsonRecord {
  const schema = { type: 'array', items: { const: 'on and on' }, minItems: 900 };
  const named = { name: 'all', schema };
  if (dialect === 'anthropic') return { output_config: { format: { type: 'json_schema', schema } } };
  if (dialect === 'openai-chat') return { response_format: { type: 'json_schema', json_schema: named } };
  return { text: { format: { type: 'json_schema', ...named } } };
}

function flipped(at: number, value: number): Buffer {
  const bytes = tinyGguf();
  bytes[at] = value;
  return bytes;
}

/** The text of a long stream, which tells when it has begun. */
function interrupted(base: string, dialect: NeutralDialect, begun: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(base + PATHS[dialect], { method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text === '') begun();
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end(JSON.stringify(asking(dialect, 'go on', 4000, { stream: true, ...endless(dialect) })));
  });
}

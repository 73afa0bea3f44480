/** Answers of the embedded engine that are stopped and go on, on the tiny model: it proves mechanism and says nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { measureExactness } from '../bench/lab/exactness.ts';
import type { JsonRecord } from '../src/base/json.ts';
import { systemClock } from '../src/drivers/clock.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import { LAB_DEFAULTS } from '../src/drivers/lab/options.ts';
import { type Lab, openLab } from '../src/drivers/lab/server.ts';
import { PATIENCE } from '../src/gateway/limits.ts';
import type { NeutralAnswer } from '../src/wire/neutral.ts';
import { answerOf, asking, PATHS, textOf, usageAsked } from './engine/asking.ts';
import { Listening } from './engine/listening.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';

describe('an answer of the engine that is stopped and goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-preemption-'));
  const modelPath = join(directory, 'tiny.gguf');
  writeFileSync(modelPath, tinyGguf());
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const temperature of [0, 0.8])
    test(`has the tokens it would have had, at temperature ${temperature}, while others are written`, async () => {
      const seen = await measureExactness({
        modelPath,
        windowTokens: 4096,
        answers: 10,
        stops: 6,
        together: 4,
        mostTokens: 30,
        mostWords: 60,
        temperature,
        seed: 11,
      });
      assert.equal(seen.identical, seen.answers);
      assert.ok(seen.points >= 25, `${seen.points} points`);
      assert.ok(seen.others >= seen.points / 2, `others went on at ${seen.others} events`);
      assert.equal(seen.own, 0);
      assert.ok(Math.max(...seen.steps.keys()) <= 1, JSON.stringify([...seen.steps]));
    });
});

const SETTINGS = `
backends: { engine: { slots: 1, engine: { threads: 1, sequences: 1, kept: 1, window: 2048 } } }
loop: { repeats: 100000 }
`;
const LONG = 300;

describe('calls at the engine through the kernel', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-preemption-'));
  let kernel: TestKernel;
  /** A question whose answer is long, and that answer. */
  let question = '';
  let whole = '';
  const body = (text: string, more: JsonRecord = {}) =>
    JSON.stringify({ ...asking('openai-chat', text, 2 * LONG, { model: 'engine/tiny', ...more }) });
  const streamed = (text: string) =>
    body(text, { stream: true, ...usageAsked('openai-chat', true), temperature: 0.8, seed: 5 });
  const agentAt = async (name: string, nice: number) => {
    const launch = await kernel.agent(name);
    await kernel.control.call('nice', { agent: name, nice });
    return `${launch.origin}/a/${launch.token}${PATHS['openai-chat']}`;
  };
  const callsOf = async (agent: string) => (await kernel.control.call('calls', { agent })).calls;
  const kindsOf = async (call: string) => {
    const { steps, entries } = await kernel.control.call('trace', { call });
    return { stages: steps.map(({ stage }) => stage), entries };
  };
  before(async () => {
    const configPath = join(directory, 'mezz.yaml');
    writeFileSync(configPath, SETTINGS, { mode: 0o600 });
    const patience = { ...PATIENCE, quietMs: 20, heartbeatMs: 20 };
    kernel = await startKernel(undefined, '', { configPath, patience });
    await kernel.control.call('model.add', {});
    const alone = await agentAt('alone', 0);
    for (let i = 0; whole.length < LONG; i++) {
      question = `what is level ${i}?`;
      whole = textOf(answerOf('openai-chat', await send(alone, streamed(question)), true));
    }
  });
  after(async () => {
    await kernel.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('one stops for another that goes before it, its stream unbroken, and goes on to the same end', async () => {
    const [batch, urgent] = [await agentAt('batch', 10), await agentAt('urgent', -5)];
    const stream = new Listening(batch, streamed(question));
    await stream.until(({ text }) => text.length > 5);
    await send(urgent, body('now'));
    const before = stream.text;
    assert.ok(before.length < whole.length, 'the answer is not written yet');
    assert.equal(textOf(answerOf('openai-chat', await stream.ended, true)), whole);
    const [stopped] = await callsOf('batch');
    assert.deepEqual([stopped?.state, stopped?.usage?.output], ['done', whole.length]);
    const { stages, entries } = await kindsOf(stopped?.id ?? '');
    assert.deepEqual(
      stages.filter((stage) => ['start', 'suspend', 'proceed', 'end'].includes(stage)),
      ['start', 'suspend', 'proceed', 'end'],
    );
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ['call.start', 'call.end'],
    );
    assert.equal(entries[1]?.suspended, 1);
    const [passed] = await callsOf('urgent');
    const first = (await kindsOf(passed?.id ?? '')).entries[0];
    assert.match(String(first?.order), new RegExp(`call ${stopped?.id} was stopped for it`));
  });

  test('mezz pause stops what runs between two tokens; its client is kept, others go on, and resume ends it as it was', async () => {
    const [held, other] = [await agentAt('held', 0), await agentAt('other', 0)];
    const stream = new Listening(held, streamed(question));
    await stream.until(({ text }) => text.length > 5);
    await kernel.control.call('signal', { agent: 'held', signal: 'pause' });
    await stream.until(({ beats }) => beats >= 2);
    const { text } = stream;
    assert.ok(text.length < whole.length, 'the answer is not written yet');
    const { waits } = await kernel.control.call('why', { subject: 'held' });
    assert.match(waits[0]?.reasons[0] ?? '', /stopped between two tokens: its agent is paused/);
    const answer = answerOf('openai-chat', await send(other, body('meanwhile')), false);
    assert.ok(textOf(answer).length > 0);
    const { beats } = stream;
    await stream.until((now) => now.beats > beats);
    assert.equal(stream.text, text);
    await kernel.control.call('signal', { agent: 'held', signal: 'resume' });
    assert.equal(textOf(answerOf('openai-chat', await stream.ended, true)), whole);
    const [call] = await callsOf('held');
    assert.deepEqual([call?.state, call?.usage?.output], ['done', whole.length]);
  });

  test('a client that leaves while its call stands still leaves nothing behind', async () => {
    const [gone, next] = [await agentAt('gone', 0), await agentAt('next', 0)];
    const stream = new Listening(gone, streamed(question));
    await stream.until(({ text }) => text.length > 5);
    await kernel.control.call('signal', { agent: 'gone', signal: 'pause' });
    await stream.until(({ beats }) => beats >= 1);
    stream.leave();
    for (const text of ['one', 'two', 'three']) await send(next, body(text));
    const [call] = await callsOf('gone');
    assert.equal(call?.code, 'cancelled');
    const { backends } = await kernel.control.call('backends', {});
    const engine = backends.find(({ id }) => id === 'engine');
    assert.deepEqual([engine?.busy, engine?.waiting], [0, 0]);
  });
});

const continuing = (origin: string) => `
backends:
  box: { url: '${origin}/v1', dialects: [openai-chat, anthropic], credential: local, slots: 1, cacheTokens: 200000, continues: true, prefills: true }
models: { said: { backends: [box], price: free } }
`;
const TOOLS = {
  'openai-chat': [{ type: 'function', function: { name: 'note', parameters: { type: 'object' } } }],
  anthropic: [{ name: 'note', input_schema: { type: 'object' } }],
};
/** What is more than text to go on from, and how it shows in the stream. */
const LEFT_ALONE: Readonly<Record<'openai-chat' | 'anthropic', readonly (readonly [string, JsonRecord])[]>> =
  {
    'openai-chat': [['"content":"', { response_format: { type: 'json_object' } }]],
    anthropic: [
      ['"text_delta"', { thinking: { type: 'enabled', budget_tokens: 1024 } }],
      ['"text_delta"', { output_config: { format: { type: 'json_schema', schema: {} } } }],
    ],
  };

for (const dialect of ['openai-chat', 'anthropic'] as const)
  describe(`${dialect}: calls at a server that continues what was broken off`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'mezz-preemption-'));
    let kernel: TestKernel;
    let lab: Lab;
    let whole: NeutralAnswer;
    const body = (text: string, more: JsonRecord = {}) =>
      JSON.stringify({ ...asking(dialect, text, 2 * LONG, { model: 'said', ...more }) });
    const streamed = (text: string, more: JsonRecord = {}) =>
      body(text, { stream: true, ...usageAsked(dialect, true), ...more });
    const QUESTION = '@lab say 200';
    const agentAt = async (name: string, nice: number) => {
      const launch = await kernel.agent(name);
      await kernel.control.call('nice', { agent: name, nice });
      return `${launch.origin}/a/${launch.token}${PATHS[dialect]}`;
    };
    const lastOf = async (agent: string) => {
      const { calls } = await kernel.control.call('calls', { agent });
      const { entries } = await kernel.control.call('trace', { call: calls[0]?.id ?? '' });
      return { call: calls[0], entries };
    };
    /** The same words, one START and END, and no token counted twice: a piece of the lab's may be a token and a half. */
    const isWhole = async (agent: string, stream: Listening) => {
      const answer = answerOf(dialect, await stream.ended, true);
      assert.equal(textOf(answer), textOf(whole));
      const { call, entries } = await lastOf(agent);
      assert.deepEqual([call?.state, entries.map(({ kind }) => kind)], ['done', ['call.start', 'call.end']]);
      assert.equal(entries[1]?.suspended, 1);
      const { input, cacheRead, output } = answer.usage;
      const total = input + cacheRead + output;
      const expected = whole.usage.input + whole.usage.cacheRead + whole.usage.output;
      assert.ok(Math.abs(total - expected) < expected / 10, `${total} tokens for ${expected}`);
    };
    before(async () => {
      const configPath = join(directory, 'mezz.yaml');
      lab = await openLab({ ...LAB_DEFAULTS, decodeRate: 300, slots: 1 }, systemClock);
      writeFileSync(configPath, continuing(lab.origin), { mode: 0o600 });
      const patience = { ...PATIENCE, quietMs: 20, heartbeatMs: 20 };
      kernel = await startKernel(undefined, '', { configPath, patience });
      whole = answerOf(dialect, await send(await agentAt('first', 0), streamed(QUESTION)), true);
      const { backends } = await kernel.control.call('backends', {});
      assert.equal(backends.find(({ id }) => id === 'box')?.preemption.level, 'G3');
    });
    after(async () => {
      await kernel.close();
      await lab.close();
      rmSync(directory, { recursive: true, force: true });
    });

    test('one is broken off for another that goes before it, and goes on with the words it had still to say', async () => {
      const [batch, urgent] = [await agentAt('batch', 10), await agentAt('urgent', -5)];
      const stream = new Listening(batch, streamed(QUESTION));
      await stream.until(({ text }) => text.length > 20);
      await send(urgent, body('@lab say 3'));
      assert.ok(stream.text.length < textOf(whole).length, 'the answer is not written yet');
      await isWhole('batch', stream);
      const { call, entries } = await lastOf('urgent');
      assert.equal(call?.state, 'done');
      assert.match(String(entries[0]?.order), /was stopped for it/);
    });

    test('a pause breaks it off between two events, and resume continues it', async () => {
      const held = await agentAt('held', 0);
      const stream = new Listening(held, streamed(QUESTION));
      await stream.until(({ text }) => text.length > 20);
      await kernel.control.call('signal', { agent: 'held', signal: 'pause' });
      await stream.until(({ beats }) => beats >= 2);
      const { text } = stream;
      await stream.until(({ beats }) => beats >= 5);
      assert.equal(stream.text, text);
      await kernel.control.call('signal', { agent: 'held', signal: 'resume' });
      await isWhole('held', stream);
    });

    test('a tool call that has begun, and an answer held to a format, are not broken off', async () => {
      const called = await agentAt('called', 0);
      const args = JSON.stringify({ text: 'word '.repeat(120) });
      for (const [what, text, more] of [
        [
          dialect === 'anthropic' ? '"tool_use"' : '"tool_calls"',
          `@lab call note ${args}`,
          { tools: TOOLS[dialect] },
        ],
        ...LEFT_ALONE[dialect].map(([shows, more]) => [shows, QUESTION, more] as const),
      ] as const) {
        const stream = new Listening(called, streamed(text, more));
        await stream.until(({ raw }) => raw.includes(what));
        await kernel.control.call('signal', { agent: 'called', signal: 'pause' });
        assert.equal((await stream.ended).status, 200);
        assert.equal((await lastOf('called')).entries[1]?.suspended, undefined, what);
        await kernel.control.call('signal', { agent: 'called', signal: 'resume' });
      }
    });
  });

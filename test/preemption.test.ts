/** Answers of the embedded engine that are stopped and go on, on the tiny model: it proves mechanism and says nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { measureExactness } from '../bench/lab/exactness.ts';
import type { JsonRecord } from '../src/base/json.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import { PATIENCE } from '../src/gateway/limits.ts';
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

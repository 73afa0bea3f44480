/** Answers that go on by the ids of their tokens, at a server that answers as llama-server does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import type { JsonRecord } from '../src/base/json.ts';
import { PATIENCE } from '../src/gateway/limits.ts';
import { answerOf, asking, PATHS, textOf, usageAsked } from './engine/asking.ts';
import { Listening } from './engine/listening.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { type FakeLlama, openLlama } from './upstream/llama.ts';

/** Tokens of an answer before it is broken off. */
const SOME = 10;

describe('an answer that goes on by its token ids', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-resume-'));
  const servers = new Map<string, FakeLlama>();
  let kernel: TestKernel;
  before(async () => {
    servers.set('tells', await openLlama());
    servers.set('hides', await openLlama({ hides: 3 }));
    servers.set('refuses', await openLlama({ refuses: true }));
    const backends = [...servers].map(
      ([id, { origin }]) =>
        `  ${id}: { url: '${origin}/v1', dialects: [openai-chat], credential: local, slots: 1, continues: tokens }`,
    );
    const models = [...servers.keys()].map((id) => `  m-${id}: { backends: [${id}], price: free }`);
    const configPath = join(directory, 'mezz.yaml');
    const settings = ['backends:', ...backends, 'models:', ...models, 'loop: { repeats: 100000 }', ''];
    writeFileSync(configPath, settings.join('\n'), { mode: 0o600 });
    kernel = await startKernel(undefined, '', {
      configPath,
      patience: { ...PATIENCE, quietMs: 20, heartbeatMs: 20 },
    });
  });
  after(async () => {
    await kernel.close();
    for (const server of servers.values()) await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Asks, pauses the agent and lets it go on so often, and gives the answer, what the server was asked and the record. */
  async function brokenOff(id: string, times: number, more: JsonRecord = {}) {
    const server = servers.get(id) as FakeLlama;
    const from = server.asked.length;
    const name = `${id}${from}`;
    const { origin, token } = await kernel.agent(name);
    const body = asking('openai-chat', `${name}?`, 100, {
      model: `m-${id}`,
      stream: true,
      ...usageAsked('openai-chat', true),
      ...more,
    });
    const stream = new Listening(`${origin}/a/${token}${PATHS['openai-chat']}`, JSON.stringify(body));
    for (let n = 1; n <= times; n++) {
      await stream.until(({ text }) => text.includes(server.words[n * SOME] as string));
      await kernel.control.call('signal', { agent: name, signal: 'pause' });
      const { beats } = stream;
      await stream.until((now) => now.beats > beats);
      await kernel.control.call('signal', { agent: name, signal: 'resume' });
    }
    const reply = await stream.ended;
    const [call] = (await kernel.control.call('calls', { agent: name })).calls;
    const { entries } = await kernel.control.call('trace', { call: call?.id ?? '' });
    const answer = answerOf('openai-chat', reply, true);
    return {
      server,
      asked: server.asked.slice(from),
      reply,
      call,
      entries,
      raw: stream.raw,
      text: textOf(answer),
      usage: answer.usage,
    };
  }

  test('has every token once, over two breaks, its usage counted once and nothing of the question left in it', async () => {
    const { server, asked, reply, call, entries, raw, text, usage } = await brokenOff('tells', 2);
    assert.equal(text, server.words.slice(0, 100).join(''));
    assert.deepEqual(
      asked.map(({ path }) => path),
      ['/v1/chat/completions', '/apply-template', '/v1/completions', '/apply-template', '/v1/completions'],
    );
    const prompts = asked
      .filter(({ path }) => path === '/v1/completions')
      .map(({ body }) => body.prompt as (string | number)[]);
    for (const [prompt, ...ids] of prompts) {
      assert.equal(prompt, `<${JSON.stringify(asked[0]?.body.messages)}>`);
      assert.deepEqual(
        ids,
        Array.from(ids, (_, at) => 1000 + at),
      );
      assert.ok(ids.length > SOME);
    }
    assert.deepEqual([usage.input + usage.cacheRead, usage.cacheRead, usage.output], [20, 7, 100]);
    assert.deepEqual([call?.usage?.output, entries[1]?.suspended], [100, 2]);
    assert.equal(reply.headers['x-mezz-transforms'], 'resume');
    assert.doesNotMatch(raw, /logprobs|timings|"text"/);
    assert.equal(new Set(raw.match(/"id":"c\d+"/g)).size, 1);
  });

  test('goes on from its words where not every token was told, where no ids are taken, and where it has tools', async () => {
    const tools = [{ type: 'function', function: { name: 'note', parameters: { type: 'object' } } }];
    for (const [id, more] of [
      ['hides', {}],
      ['refuses', {}],
      ['tells', { tools }],
    ] as const) {
      const { server, asked, text } = await brokenOff(id, 1, more as JsonRecord);
      // A piece of text counts as one token of those that are left, and one of these is two.
      assert.equal(text, server.words.slice(0, id === 'hides' ? 101 : 100).join(''), id);
      assert.equal(asked.at(-1)?.path, '/v1/chat/completions');
      assert.equal(asked.at(-1)?.body.continue_final_message, true);
    }
  });
});

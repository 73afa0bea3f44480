/** Hints through a real kernel: only for backends that are said to understand them, named, and never over the client. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { send, startKernel } from './kernel.ts';

const MORE = (origin: string) => `
  queued: { url: '${origin}/v1', dialects: [openai-chat], credential: local, hints: [priority, dynamo] }
`;

test('an engine is told priority and session where its settings say so: named, compressed or not, translated or not', async () => {
  const kernel = await startKernel();
  try {
    const file = `${kernel.stateDir}/mezz.yaml`;
    const text = readFileSync(file, 'utf8').replace(
      '\nmodels:',
      `${MORE(kernel.upstream.origin)}models:\n  house: { backends: [queued], price: free }`,
    );
    writeFileSync(file, text);
    assert.deepEqual((await kernel.control.call('config.reload', {})).problems, []);
    const first = await kernel.agent('first');
    const second = await kernel.agent('second');
    await kernel.control.call('nice', { agent: 'first', nice: -5 });
    const last = () => kernel.upstream.requests.at(-1);
    const chat = '{"model":"house","messages":[{"role":"user","content":"hi"}]}';
    const ask = (token: string, body: string | Buffer, headers: Record<string, string> = {}) =>
      send(`${first.origin}/v1/chat/completions`, body, { 'x-mezz-key': token, ...headers });

    const reply = await ask(first.token, chat);
    assert.equal(reply.headers['x-mezz-transforms'], 'hints');
    assert.equal(last()?.body.toString(), chat.replace('{', '{"priority":-5,'));
    assert.equal(last()?.headers['x-dynamo-request-priority'], '5');
    const session = last()?.headers['x-dynamo-session-id'];
    assert.match(String(session), /^[0-9a-f]{32}$/);
    const { entries } = await kernel.control.call('trace', { call: String(reply.headers['x-mezz-call']) });
    assert.match(JSON.stringify(entries), /"hints"/);

    await ask(first.token, chat.replace('hi', 'again'));
    assert.equal(last()?.headers['x-dynamo-session-id'], session, 'one conversation has one name');
    await ask(second.token, chat);
    assert.equal(last()?.body.toString(), chat, 'nothing to say of an ordinary priority');
    assert.notEqual(last()?.headers['x-dynamo-session-id'], session);

    const zipped = await ask(first.token, gzipSync(chat), { 'content-encoding': 'gzip' });
    assert.equal(zipped.status, 200);
    assert.equal(last()?.json.priority, -5);
    assert.equal(last()?.headers['content-encoding'], undefined);

    const message = { model: 'house', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };
    const translated = await send(`${first.origin}/v1/messages`, JSON.stringify(message), {
      'x-mezz-key': first.token,
    });
    assert.equal(translated.headers['x-mezz-transforms'], 'translate, hints');
    assert.equal(last()?.json.priority, -5);

    await send(`${first.origin}/v1/messages`, JSON.stringify({ ...message, model: 'claude-x' }), {
      'x-mezz-key': first.token,
    });
    assert.equal(last()?.headers['x-dynamo-session-id'], undefined, 'no other backend hears of it');
  } finally {
    await kernel.close();
  }
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { send, startKernel } from './kernel.ts';

test('without key, login or model the shipped lab answers, labelled, free, in the order that mezz decides', async () => {
  const kernel = await startKernel();
  try {
    const { origin, token, pid } = await kernel.agent();
    const ask = (text: string, path = '/v1/messages', more: object = {}) =>
      send(
        `${origin}/a/${token}${path}`,
        JSON.stringify({
          model: 'lab',
          max_tokens: 99,
          messages: [{ role: 'user', content: text }],
          ...more,
        }),
      );
    const first = await ask('@lab say 6');
    assert.equal(first.status, 200);
    const { content, usage } = JSON.parse(first.body.toString());
    assert.match(content[0].text, /^\[lab\] /);
    assert.equal(content[0].text.split(' ').length, 6);
    assert.ok(usage.output_tokens > 0);
    const again = JSON.parse((await ask('@lab say 6')).body.toString());
    assert.deepEqual(again.content, content);
    assert.ok(again.usage.cache_read_input_tokens > 0, 'the lab has a prefix cache');
    const streamed = await ask('@lab say 6', '/v1/chat/completions', { stream: true });
    assert.match(streamed.body.toString(), /\[DONE\]/);

    // More at once than the backend has slots: they wait here, not there, and each is answered.
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => ask(`@lab say ${i + 2}`)));
    assert.deepEqual(
      many.map(({ status }) => status),
      Array(6).fill(200),
    );
    const { calls } = await kernel.control.call('calls', { limit: 6 });
    const traces = await Promise.all(calls.map(({ id }) => kernel.control.call('trace', { call: id })));
    const waited = traces.filter(({ steps }) => steps.some((step) => step.detail === 'slot lab'));
    assert.equal(waited.length, 4);

    const { backends } = await kernel.control.call('backends', {});
    const lab = backends.find(({ id }) => id === 'lab');
    assert.deepEqual([lab?.label, lab?.ready, lab?.slots], ['lab', true, 2]);
    const { agents } = await kernel.control.call('ps', {});
    const view = agents.find((agent) => agent.pid === pid);
    assert.equal(view?.cost, 0);
    assert.equal(view?.calls, 9);
    assert.equal(kernel.upstream.requests.length, 0);
  } finally {
    await kernel.close();
  }
});

/** Hints: what is added is only what was asked for, what the client says stays, and every other byte is where it was. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type DialectName, HINTS, type HintName } from '../../base/model.ts';
import { seededRandom } from '../../base/random.ts';
import { addHints } from './hints.ts';

const ME = { nice: -5, session: 'a1b2' };

function hinted(
  dialect: DialectName,
  text: string,
  names: readonly HintName[],
  headers: readonly string[] = [],
  caller = ME,
) {
  const found = addHints({ dialect, body: Buffer.from(text), headers }, names, caller);
  return found && { body: Buffer.from(found.body).toString(), headers: found.headers };
}

describe('hints', () => {
  it('say each engine in its own way what it understands, and nothing where nothing is to be said', () => {
    assert.equal(hinted('openai-chat', '{ "model":"m"}', ['priority'])?.body, '{"priority":-5, "model":"m"}');
    assert.equal(
      hinted('openai-responses', '{"model":"m"}', ['prompt-cache-key'])?.body,
      '{"prompt_cache_key":"a1b2","model":"m"}',
    );
    assert.deepEqual(hinted('openai-chat', '{"model":"m"}', ['dynamo', 'llm-d'])?.headers, [
      'x-dynamo-session-id',
      'a1b2',
      'x-dynamo-request-priority',
      '5',
      'x-llm-d-inference-fairness-id',
      'a1b2',
    ]);
    assert.equal(hinted('openai-chat', '{"model":"m"}', ['priority'], [], { ...ME, nice: 0 }), undefined);
    assert.equal(
      hinted('anthropic', '{"model":"m"}', ['priority', 'prompt-cache-key', 'cache-1h']),
      undefined,
    );
    assert.equal(hinted('openai-chat', '{"model":"m"}', []), undefined);
    assert.equal(hinted('openai-chat', '', HINTS), undefined);
  });

  it('change nothing that the client says itself', () => {
    const own = '{"model":"m","priority":3,"prompt_cache_key":"mine"}';
    assert.equal(hinted('openai-chat', own, ['priority', 'prompt-cache-key']), undefined);
    const said = ['X-Dynamo-Session-Id', 'mine', 'x-dynamo-request-priority', '1'];
    assert.equal(hinted('openai-chat', '{"model":"m"}', ['dynamo'], said), undefined);
    // Dynamo's header would go before the priority in the body.
    assert.deepEqual(hinted('openai-chat', '{"model":"m","nvext":{}}', ['dynamo'])?.headers, [
      'x-dynamo-session-id',
      'a1b2',
    ]);
  });

  it('cached prefixes stay an hour where the client marked them and chose no time; tools and their arguments are theirs', () => {
    const body = (mark: string) =>
      `{"model":"m", "cache_control" : ${mark},"tools":[{"name":"t","input_schema":{"properties":{"cache_control":{"type":"ephemeral"}}}},{"name":"u","cache_control":${mark}}],"system":[{"type":"text","text":"\\"cache_control\\":{}","cache_control":${mark}}],"messages":[{"role":"user","content":"plain"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"t","input":{"cache_control":{"type":"ephemeral"}}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"x","cache_control": ${mark}}]}]}]}`;
    const plain = '{"type":"ephemeral"}';
    const long = '{"type":"ephemeral","ttl":"1h"}';
    assert.equal(hinted('anthropic', body(plain), ['cache-1h'])?.body, body(long));
    assert.equal(hinted('anthropic', body(long), ['cache-1h']), undefined);
    const mixed = body(plain).replace(
      `"system":[{"type":"text","text":"\\"cache_control\\":{}","cache_control":${plain}`,
      `"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"5m"}`,
    );
    assert.match(mixed, /5m/);
    assert.equal(hinted('anthropic', mixed, ['cache-1h']), undefined, 'a shorter one must not follow');
    assert.equal(hinted('openai-chat', body(plain), ['cache-1h']), undefined);
  });

  it('any body: taking out what was added gives the bytes that were', () => {
    const random = seededRandom(7);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random.unit() * items.length)] as T;
    for (let round = 0; round < 500; round++) {
      const own = [
        '"model": "m"',
        '"priority":1',
        '"prompt_cache_key":"k"',
        '"nvext":{"agent_hints":{}}',
        '"big":12345678901234567890',
        '"x":"{\\"priority\\":1}"',
        '"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]',
      ].filter(() => random.unit() < 0.5);
      const text = `${pick(['', ' ', '\n'])}{${pick(['', ' '])}${own.join(pick([',', ' , ']))}}`;
      const dialect = pick(['openai-chat', 'openai-responses', 'anthropic', 'openai-embeddings'] as const);
      const names = HINTS.filter(() => random.unit() < 0.6);
      const found = hinted(dialect, text, names, ['accept', '*/*']);
      if (!found) continue;
      const value = JSON.parse(found.body);
      const before = JSON.parse(text);
      for (const [name, old] of Object.entries(before))
        if (name !== 'messages') assert.deepEqual(value[name], old, text);
      const added = Object.keys(value).filter((name) => !(name in before));
      assert.ok(added.every((name) => name === 'priority' || name === 'prompt_cache_key'));
      const undone = found.body
        .replaceAll(',"ttl":"1h"', '')
        .replace(/(?<=^\s*\{)((?:"priority":-5|"prompt_cache_key":"a1b2"),?)+/, (all) =>
          added.length > 0 ? '' : all,
        );
      assert.equal(undone, text);
      assert.deepEqual(found.headers.slice(0, 2), ['accept', '*/*']);
    }
  });
});

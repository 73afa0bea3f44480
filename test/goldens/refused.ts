/** What each API is documented to refuse, or takes only as documented: a translated request must have none of it. */
import assert from 'node:assert/strict';
import type { JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { inner, list, word } from './meaning.ts';

export function assertTaken(dialect: NeutralDialect, body: JsonRecord): void {
  if (list(body.tools).length === 0) assert.equal(body.tool_choice, undefined, 'no choice among no tools');
  if (dialect === 'anthropic') assertMessages(body);
  else if (dialect === 'openai-chat') assertChat(body);
  const names = list(body.tools).map((tool) => word(tool.name) || word(inner(tool.function).name));
  for (const name of names) assert.match(name, /^[\w-]{1,64}$/);
  assert.equal(new Set(names).size, names.length, 'each tool has a name of its own');
}

function assertMessages(body: JsonRecord): void {
  assert.ok(typeof body.max_tokens === 'number');
  assert.ok(Number(body.temperature ?? 0) <= 1);
  for (const tool of list(body.tools)) assert.equal(inner(tool.input_schema).type, 'object');
  const messages = list(body.messages);
  for (const [at, { role, content }] of messages.entries()) {
    assert.ok(role === 'user' || role === 'assistant');
    assert.ok(list(content).length > 0, 'no turn of nothing');
    for (const block of list(content))
      if (block.type === 'text') assert.notEqual(word(block.text).trim(), '');
    const calls = list(content).filter(({ type }) => type === 'tool_use');
    const next = list(messages[at + 1]?.content).slice(0, calls.length);
    assert.deepEqual(
      next.map(({ tool_use_id: id }) => word(id)).sort(),
      calls.map(({ id }) => word(id)).sort(),
      'results are the first that follows their calls',
    );
  }
}

function assertChat(body: JsonRecord): void {
  assert.ok(!Array.isArray(body.stop) || body.stop.length <= 4);
  const messages = list(body.messages);
  for (const [at, { role, content, tool_calls: calls }] of messages.entries()) {
    if (role === 'tool')
      assert.ok(
        list(content).every(({ type }) => type === 'text'),
        'a tool answers in text',
      );
    if (role === 'assistant')
      assert.ok(word(content) !== '' || list(content).length + list(calls).length > 0);
    const next = messages.slice(at + 1, at + 1 + list(calls).length);
    assert.deepEqual(
      next.map(({ tool_call_id: id }) => word(id)).sort(),
      list(calls)
        .map(({ id }) => word(id))
        .sort(),
      'results are the first that follows their calls',
    );
  }
}

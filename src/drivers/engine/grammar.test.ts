import assert from 'node:assert/strict';
import test from 'node:test';
import { callGrammar, schemaGrammar } from './grammar.ts';
import { Scanner } from './scanner.ts';

const root = (grammar: string | undefined) => grammar?.split('\n', 1)[0];

test('a grammar begins with what the schema is', () => {
  assert.equal(root(schemaGrammar({ enum: ['a"b', 1] })), 'root ::= r0');
  assert.match(String(schemaGrammar({ enum: ['a"b', 1] })), /^r0 ::= "\\"a\\\\\\"b\\"" \| "1"$/m);
  assert.equal(root(schemaGrammar({ type: 'boolean' })), 'root ::= boolean');
  const write = (name: string) => `${name}(`;
  const tools = [
    { name: 'read', schema: { type: 'object' } },
    { name: 'stop', schema: { additionalProperties: false } },
  ];
  assert.equal(root(callGrammar(tools, write)), 'root ::= "read(" object | "stop(" r0');
});

test('a schema that contains itself has an end, one that is too large is told', () => {
  const self = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] };
  assert.match(String(schemaGrammar(self)), /r0 ::= "\{" "\\"next\\"" colon r0 "\}"/);
  const names = Array.from({ length: 400 }, (_, at) => [`property_${at}`, { type: 'string' }]);
  assert.equal(schemaGrammar({ type: 'object', properties: Object.fromEntries(names) }), undefined);
});

test('a mark is found however the text is cut, and nothing else is held back', () => {
  const marks = [{ kind: 'end', text: '<end>' } as const];
  for (let cut = 0; cut <= 9; cut++) {
    const scanner = new Scanner<'end'>();
    const first = scanner.push('ab<end>cd'.slice(0, cut), marks);
    const second = first.mark ? undefined : scanner.push('ab<end>cd'.slice(cut), marks);
    assert.equal(first.text + (second?.text ?? ''), 'ab');
    assert.ok('cd'.startsWith((first.mark ?? second?.mark)?.behind ?? 'none'));
  }
  const scanner = new Scanner<'end'>();
  assert.equal(scanner.push('a<e', marks).text, 'a');
  assert.equal(scanner.push('lse', marks).text, '<else');
  assert.equal(scanner.push('<', marks).text, '');
  assert.equal(scanner.rest(), '<');
});

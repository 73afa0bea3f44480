import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainReader } from './chain.ts';

test('a longer request keeps its prefix ids and parses only new messages; spelling changes exact ids alone', () => {
  let parsed = 0;
  const reader = new ChainReader((bytes) => {
    parsed++;
    return JSON.stringify(JSON.parse(Buffer.from(bytes).toString()));
  });
  const read = (parts: string[]) => {
    let end = 0;
    const ranges = parts.map((part) => {
      const start = end;
      end += part.length;
      return { start, end };
    });
    return reader.read(Buffer.from(parts.join('')), ranges);
  };
  const two = read(['{"a":1}', '{"b":2}']);
  const three = read(['{"a":1}', '{"b":2}', '{"c":3}']);
  assert.deepEqual(three.slice(0, 2), two);
  assert.equal(parsed, 3);
  const spaced = read(['{"a": 1}', '{"b":2}']);
  assert.equal(spaced[1]?.canonical, two[1]?.canonical);
  assert.notEqual(spaced[1]?.exact, two[1]?.exact);
  const other = read(['{"z":9}', '{"b":2}']);
  assert.notEqual(other[1]?.canonical, two[1]?.canonical);
  assert.notEqual(other[1]?.exact, two[1]?.exact);
});

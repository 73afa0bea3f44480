import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChainReader } from './chain.ts';

/** A reader, what it parsed so far, and how it reads messages written one after the other. */
function open() {
  const parsed: string[] = [];
  const reader = new ChainReader((bytes) => {
    const text = Buffer.from(bytes).toString();
    parsed.push(text);
    return JSON.stringify(JSON.parse(text));
  });
  const read = (parts: readonly string[]) => {
    let end = 0;
    const ranges = parts.map((part) => {
      const start = end;
      end += part.length;
      return { start, end };
    });
    return reader.read(Buffer.from(parts.join('')), ranges);
  };
  return { parsed, read };
}

test('a longer request keeps its prefix ids and parses only new messages; spelling changes exact ids alone', () => {
  const { parsed, read } = open();
  const two = read(['{"a":1}', '{"b":2}']);
  const three = read(['{"a":1}', '{"b":2}', '{"c":3}']);
  assert.deepEqual(three.slice(0, 2), two);
  assert.equal(parsed.length, 3);
  const spaced = read(['{"a": 1}', '{"b":2}']);
  assert.equal(spaced[1]?.canonical, two[1]?.canonical);
  assert.notEqual(spaced[1]?.exact, two[1]?.exact);
  const other = read(['{"z":9}', '{"b":2}']);
  assert.notEqual(other[1]?.canonical, two[1]?.canonical);
  assert.notEqual(other[1]?.exact, two[1]?.exact);
});

test('what a reader remembers changes no link: conversations that grow, fork, are repeated or differ early', () => {
  const message = fc.integer({ min: 0, max: 2 }).map((n) => `{"n":${n},"pad":"${'x'.repeat(60)}"}`);
  const requests = fc.array(
    fc.record({ from: fc.nat(20), keep: fc.nat(20), more: fc.array(message, { maxLength: 4 }) }),
    { minLength: 2, maxLength: 20 },
  );
  fc.assert(
    fc.property(requests, (steps) => {
      const { read } = open();
      const sent: string[][] = [Array.from({ length: 8 }, () => `{"n":0,"pad":"${'x'.repeat(60)}"}`)];
      for (const { from, keep, more } of steps) {
        const parts = [...(sent[from % sent.length] as string[]).slice(0, keep), ...more];
        sent.push(parts);
        assert.deepEqual(read(parts), open().read(parts));
      }
    }),
    { numRuns: 100 },
  );
});

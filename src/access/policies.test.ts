import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePolicies, type Validated } from './policies.ts';

const schema = readFileSync(new URL('../../policies/schema.cedarschema', import.meta.url), 'utf8');
const GOOD = '@id("a") permit (principal, action, resource);';
const ILL_TYPED = '@id("b") permit (principal, action, resource) when { context.nonsense };';

class Seen implements Validated {
  readonly digests: string[];
  constructor(digests: string[] = []) {
    this.digests = digests;
  }
  has(digest: string): boolean {
    return this.digests.includes(digest);
  }
  add(digest: string): void {
    this.digests.push(digest);
  }
}
const failures = (text: string, validated: Validated): string[] =>
  parsePolicies(schema, text, validated).findings.flatMap(({ level, id }) => (level === 'fail' ? [id] : []));

test('a text without a mistake is remembered as valid, one with a mistake is not', () => {
  const seen = new Seen();
  assert.deepEqual(failures(GOOD, seen), []);
  assert.equal(seen.digests.length, 1);
  assert.deepEqual([...new Set(failures(ILL_TYPED, seen))], ['policy.type']);
  assert.equal(seen.digests.length, 1);
});

test('what is remembered as valid is not validated again, and a text is another one by a single space', () => {
  const trusting: Validated = { has: () => true, add: () => assert.fail('validated again') };
  assert.deepEqual(failures(`${ILL_TYPED} `, trusting), []);
  const seen = new Seen();
  failures(`${GOOD} `, seen);
  failures(`${GOOD}  `, seen);
  assert.equal(new Set(seen.digests).size, 2);
});

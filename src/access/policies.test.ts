import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Access, type AccessRequest } from './decide.ts';
import { ENGINE_VERSION, engine } from './engine.ts';
import { parsePolicies, type Validated, type Written } from './policies.ts';

const schema = readFileSync(new URL('../../policies/schema.cedarschema', import.meta.url), 'utf8');
const SHIPPED = readFileSync(new URL('../../policies/default.cedar', import.meta.url), 'utf8');
const GOOD = '@id("a") permit (principal, action, resource);';
const ILL_TYPED = '@id("b") permit (principal, action, resource) when { context.nonsense };';

const TWICE = `${GOOD}\n${GOOD}`;
const REQUEST: AccessRequest = {
  chain: [{ pid: 1, name: 'a', owner: 'o', client: 'c', depth: 0, groups: [] }],
  action: 'model.generate',
  resource: { type: 'Model', id: 'm', parents: [] },
  args: {},
  labels: [],
  facts: { hostedTools: [], permittedHostedTools: [], level: 'seen', localHour: 0 },
  approved: false,
};

class Seen implements Validated {
  readonly kept = new Map<string, readonly Written[]>();
  get(digest: string): readonly Written[] | undefined {
    return this.kept.get(digest);
  }
  set(digest: string, policies: readonly Written[]): void {
    this.kept.set(digest, policies);
  }
}
const failures = (text: string, validated: Validated): string[] =>
  parsePolicies(schema, text, validated).findings.flatMap(({ level, id }) => (level === 'fail' ? [id] : []));

test('a text without a mistake is remembered as valid, one with a mistake is not', () => {
  const seen = new Seen();
  assert.deepEqual(failures(GOOD, seen), []);
  assert.equal(seen.kept.size, 1);
  assert.deepEqual([...new Set(failures(ILL_TYPED, seen))], ['policy.type']);
  assert.deepEqual([...new Set(failures('permit (', seen))], ['policy.syntax']);
  assert.deepEqual([...new Set(failures(TWICE, seen))], ['policy.id']);
  assert.equal(seen.kept.size, 1);
});

test('what is remembered as valid is not validated again, and a text is another one by a single space', () => {
  const trusting: Validated = { get: () => [], set: () => assert.fail('validated again') };
  assert.deepEqual(failures(`${ILL_TYPED} `, trusting), []);
  const seen = new Seen();
  failures(`${GOOD} `, seen);
  failures(`${GOOD}  `, seen);
  assert.equal(seen.kept.size, 2);
});

test('a remembered text means what it meant when the engine read it', () => {
  const seen = new Seen();
  const read = parsePolicies(`${schema}\n`, SHIPPED, seen);
  const kept = JSON.parse(JSON.stringify([...seen.kept.values()])) as [Written[]];
  const set = () => assert.fail('read again');
  const remembered = parsePolicies(`${schema}\n\n`, SHIPPED, { get: () => kept[0], set });
  assert.deepEqual(remembered, read);
  assert.ok(read.policies.length > 5 && read.policies.some(({ reads }) => reads.has('command')));
});

test('the version that stands for the engine is its own', () => {
  assert.equal(engine().getCedarVersion(), ENGINE_VERSION);
});

test('an engine that is warm has decided for nobody', () => {
  const access = new Access({ schema, policies: SHIPPED, profile: 'default' });
  access.warm();
  assert.equal(access.decide(REQUEST).memo, false);
  assert.equal(access.decide(REQUEST).memo, true);
});

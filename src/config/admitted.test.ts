import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Admitted, readConfig } from './read.ts';

class Kept implements Admitted {
  readonly digests = new Map<string, boolean>();
  get(digest: string): boolean | undefined {
    return this.digests.get(digest);
  }
  set(digest: string, isAdmitted: boolean): void {
    this.digests.set(digest, isAdmitted);
  }
}
const read = (text: string, admitted?: Admitted) => readConfig('mezz.yaml', text, '/etc', '/home', admitted);
const GOOD = 'port: 4000\nbackends:\n  here: { url: http://127.0.0.1:1/v1, dialects: [openai-chat] }\n';

test('settings that the schema admits are remembered by a digest, and read the same when they are known', () => {
  const kept = new Kept();
  const first = read(GOOD, kept);
  assert.deepEqual(first.problems, []);
  assert.deepEqual([...kept.digests.values()], [true]);
  assert.deepEqual(read(GOOD, { get: () => true, set: () => assert.fail('checked again') }), first);
  read(`${GOOD}\n`, kept);
  assert.equal(kept.digests.size, 2);
});

test('what the schema refuses is never remembered, and a mistake that it does not see is found every time', () => {
  const kept = new Kept();
  assert.equal(read('prot: 4000\n', kept).problems.length, 1);
  assert.equal(read('port: [\n', kept).problems.length, 1);
  assert.equal(kept.digests.size, 0);
  const beyond = 'models:\n  mine: { backends: [nowhere] }\n';
  const problems = read(beyond, kept).problems.map(({ message }) => message);
  assert.equal(problems.length, 1);
  assert.equal(kept.digests.size, 1);
  assert.deepEqual(
    read(beyond, kept).problems.map(({ message }) => message),
    problems,
  );
});

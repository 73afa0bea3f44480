/** Programs that speak the control protocol make mistakes: a request may be refused, and it never ends the kernel. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { VERBS, type VerbName } from '../../src/base/control.ts';
import type { Json } from '../../src/base/json.ts';
import type { Members, Shape } from '../../src/base/verb.ts';
import { startKernel } from '../kernel.ts';

/** `down` ends it as it should, and a process that is named here may be another's. */
const LEFT_OUT: readonly string[] = ['down', 'agent.started'];
const scratch = mkdtempSync(join(tmpdir(), 'mezz-control-'));

const texts = [
  ...['tester', 'toString', '__proto__', '', ' ', '\0', '🌍', 'x'.repeat(5000), '1', '0', 'me', 'scripted'],
  ...['agent:1', 'owner:me', 'account:__proto__', 'fifo', 'files', 'files__read', '/nowhere/x', '\n- {', '*'],
  ...[join(scratch, 'a'), join(scratch, 'a', 'b'), 'http://127.0.0.1:1', 'tool.call', 'model:gpt-x', '{}'],
];
const numbers = [0, 1, -1, 1.5, 20, 1e15, Number.MAX_SAFE_INTEGER, 1e300, -1e300];
const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(...texts),
  fc.constantFrom(...numbers),
  fc.boolean(),
  fc.constant(null),
);
const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: leaf },
  fc.array(leaf, { maxLength: 3 }),
  fc.dictionary(fc.constantFrom(...texts), leaf, { maxKeys: 3 }),
  fc.constant([{ path: join(scratch, 'x.json'), text: '{"mcpServers":{"__proto__":{"command":5}}}' }]),
  fc.constant({ toString: 1 }),
);

/** Most of its members are as they must be: what lies behind the look at them is to be reached. */
function requestTo(verb: VerbName, seeds: readonly (readonly [Json, Json, Json, Json, boolean])[]) {
  const members = Object.entries(VERBS[verb] as Members<unknown>) as [string, Shape<unknown>][];
  const entries = members.flatMap(([name, shape], at): [string, Json][] => {
    if (name === 'osPid') return [];
    const [a, b, c, wild, isWild] = seeds[at % seeds.length] as (typeof seeds)[number];
    const words = /one of (.*)$/.exec(shape.wrong('?', '') ?? '')?.[1]?.split(', ') ?? [];
    const chosen = words[Math.abs(JSON.stringify(a).length) % words.length];
    const good = [...(chosen ? [chosen] : []), a, b, c].find((one) => shape.wrong(one, '') === undefined);
    if (isWild) return [[name, wild]];
    if (good !== undefined) return [[name, good]];
    const last = [...texts, ...numbers, true, [], {}].find((one) => shape.wrong(one, '') === undefined);
    return last === undefined ? [] : [[name, last]];
  });
  return Object.fromEntries(entries);
}

const verbs = (Object.keys(VERBS) as VerbName[]).filter((verb) => !LEFT_OUT.includes(verb));
const seeds = fc.array(
  fc.tuple(
    value,
    value,
    value,
    value,
    fc.nat(9).map((n) => n === 0),
  ),
  { minLength: 6, maxLength: 6 },
);

test('whatever a program asks by the control protocol, it is answered and the kernel goes on', async () => {
  const kernel = await startKernel(() => ({ text: 'hi' }));
  const socketPath = join(kernel.stateDir, 'control.sock');
  const ask = (verb: string, body: object) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const call = request({ socketPath, path: `/v1/${verb}`, method: 'POST' }, (answer) => {
        let read = '';
        answer.on('data', (chunk: Buffer) => {
          read += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: read }));
      });
      call.on('error', reject);
      call.end(JSON.stringify(body));
    });
  try {
    await kernel.agent();
    const first = await ask('agent.open', { name: 'x', client: 5, cwd: '/', hooks: false });
    assert.equal(first.status, 400);
    assert.match(first.text, /agent\.open: client must be a text of at most/);
    const folder = await ask('model.add', { path: scratch, name: 'folder' });
    assert.match(folder.text, /there is no file/);
    const answered = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...verbs), seeds, async (verb, drawn) => {
        const { status, text } = await ask(verb, requestTo(verb, drawn));
        answered.set(status, (answered.get(status) ?? 0) + 1);
        assert.ok(status === 200 || 'error' in JSON.parse(text), text);
      }),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
    assert.ok((answered.get(200) ?? 0) > 50 && (answered.get(400) ?? 0) > 20, 'both kinds were reached');
    assert.equal((await ask('status', {})).status, 200);
  } finally {
    await kernel.close();
    rmSync(scratch, { recursive: true, force: true });
  }
});

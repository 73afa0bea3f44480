/** What strangers send may hold anything in any place: a translation refuses it or makes something of it, and never throws. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { isRecord, type Json } from '../../src/base/json.ts';
import { DIALECTS } from '../../src/wire/registry.ts';
import {
  TranslatedStream,
  translateAnswer,
  translateFailure,
  translateRequest,
} from '../../src/wire/translate.ts';
import { conversation } from './conversations.ts';
import { WRITE } from './writers.ts';

const NAMES = ['anthropic', 'openai-chat', 'openai-responses'] as const;
const FOLDER = new URL('fixtures/answers/', import.meta.url).pathname;
const answers = NAMES.flatMap((backend) =>
  readdirSync(FOLDER + backend).map((file) => ({
    backend,
    golden: JSON.parse(readFileSync(`${FOLDER}${backend}/${file}`, 'utf8')) as {
      whole?: Json;
      events: Json[];
    },
  })),
);

/** The value with one of its places, found by walking along `path`, holding `other`. */
function replaced(value: Json, path: readonly number[], other: Json): Json {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const [step, ...rest] = path;
  if (step === undefined || keys.length === 0) return other;
  const key = keys[step % keys.length] as string;
  if (Array.isArray(value))
    return value.map((one, at) => (String(at) === key ? replaced(one, rest, other) : one));
  return isRecord(value) ? { ...value, [key]: replaced(value[key] as Json, rest, other) } : other;
}
const path = fc.array(fc.nat(40), { minLength: 1, maxLength: 6 });
const other = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    null,
    '',
    [],
    {},
    [null],
    [[]],
    { toString: false },
    { type: 'text' },
    { type: 'tool_use' },
    'function_call',
    -1,
  ),
) as fc.Arbitrary<Json>;

test('requests', () => {
  fc.assert(
    fc.property(conversation, path, other, (talk, at, value) => {
      for (const client of NAMES)
        for (const backend of NAMES.filter((name) => name !== client)) {
          const body = Buffer.from(JSON.stringify(replaced(WRITE[client](talk), at, value)));
          if ('problem' in DIALECTS[client].readRequest(body)) continue;
          const made = translateRequest(body, client, backend, 'm', 0);
          assert.ok('code' in made || JSON.parse(made.body.toString()).model === 'm');
        }
    }),
    { numRuns: 100 },
  );
});

test('answers, streams and errors', () => {
  fc.assert(
    fc.property(fc.constantFrom(...answers), path, other, ({ backend, golden }, at, value) => {
      const { whole = null, events } = replaced({ whole: null, ...golden }, at, value) as Partial<
        typeof golden
      >;
      for (const client of NAMES.filter((name) => name !== backend)) {
        const translation = {
          client,
          backend,
          tools: new Map(),
          model: 'm',
          createdAt: 0,
          includeUsage: true,
        };
        const body = Buffer.from(JSON.stringify(whole));
        translateAnswer(body, translation);
        JSON.parse(String(translateFailure(500, body, translation)));
        const stream = new TranslatedStream(DIALECTS[backend].newStream(), translation);
        for (const event of Array.isArray(events) ? events : [])
          stream.push(Buffer.from(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`));
        assert.ok(stream.finish().kind);
      }
    }),
    { numRuns: 400 },
  );
});

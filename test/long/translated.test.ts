/**
 * Unmodified Claude Code and Codex whose models are served in a dialect that they do not speak: the whole tool loop,
 * with edits and sub-agents, through the kernel's translation.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NeutralDialect } from '../../src/base/model.ts';
import { type Client, claude, codex, stepwise } from '../agents/cases.ts';
import {
  assertBill,
  assertSound,
  assertTools,
  assertTree,
  assertWhole,
  inWorld,
  PROMPT,
  wholeRun,
} from '../agents/checks.ts';
import { fileNames, readCalls } from '../agents/evidence.ts';
import { defineEnclosed } from '../agents/suite.ts';
import type { Config, World } from '../agents/world.ts';
import { asked } from '../goldens/meaning.ts';
import { assertTaken } from '../goldens/refused.ts';
import type { Script, SeenRequest } from '../upstream/upstream.ts';

const PATHS: Readonly<Record<NeutralDialect, string>> = {
  anthropic: '/v1/messages',
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
};

const KEY = 'sk-other-scripted-0123456789abcdef';

const servedIn =
  (dialect: NeutralDialect): Config =>
  (origin, port) =>
    `
port: ${port}
backends:
  other: { url: '${origin}/v1', dialects: [${dialect}], credential: kernel, key: { file: ~/other.key } }
models:
  'claude-*': { backends: [other], alias: model-other, price: { input: 3, output: 15 } }
  'gpt-*': { backends: [other], alias: model-other, price: { input: 1, output: 2 } }
`;

/** The client's script for a model that sees another dialect: its groups of tools are part of their names there. */
function elsewhere(script: Script): Script {
  return (request) => {
    const reply = script(request);
    const tools = reply.tools?.map((tool) =>
      typeof tool.name === 'string'
        ? tool
        : { ...tool, name: new RegExp(tool.name.source.replace('^', '(^|__)')) },
    );
    return tools ? { ...reply, thought: 'First I look.', tools } : reply;
  };
}

const resultsIn = (dialect: NeutralDialect, { json }: SeenRequest): number =>
  asked(dialect, json).turns.reduce((sum, { results }) => sum + results.length, 0);

function assertServed(world: World, client: Client, dialect: NeutralDialect): void {
  for (const { url, headers, rawHeaders, body, json } of world.upstream.requests) {
    assert.equal(url, PATHS[dialect]);
    assert.equal(json.model, 'model-other');
    assertTaken(dialect, json);
    const { turns } = asked(dialect, json);
    assert.deepEqual(
      turns.flatMap(({ results }) => results.map(({ id }) => id)).sort(),
      turns.flatMap(({ calls }) => calls.map(({ id }) => id)).sort(),
      'every call has its result',
    );
    const thoughts = turns.flatMap((turn) => (turn.calls.length > 0 ? [turn.thoughts] : []));
    for (const [thought] of thoughts) {
      // Its own seal behind it, and none of mezz's.
      assert.match(thought ?? '', /^First I look\.\|(?!~mezz-seal).+/, 'what it thought before its calls');
    }
    const sent = rawHeaders.join('\n') + body.toString();
    for (const secret of client.logins[0].secrets)
      assert.ok(!sent.includes(secret), "the client's login reaches nobody else");
    assert.ok(headers.authorization === `Bearer ${KEY}` || headers['x-api-key'] === KEY);
  }
}

async function checkServed(client: Client, dialect: NeutralDialect): Promise<void> {
  const own = client.logins[0];
  const login = { ...own, files: { ...own.files, 'other.key': KEY } };
  const counting: Client = { ...client, results: (request) => resultsIn(dialect, request) };
  const script = (project: string) => elsewhere(stepwise(counting, ...wholeRun(client, project)));
  const check = async (world: World) => {
    const done = await world.mezz(
      ['run', '--name', 'fix', '--', ...client.command(PROMPT, false)],
      login.env,
    );
    assert.equal(done.code, 0, done.out + done.err);
    assert.match(done.out, /All done\./);
    assert.deepEqual(fileNames(world.project), ['deep.txt', 'notes.txt']);
    assert.equal(readFileSync(join(world.project, 'notes.txt'), 'utf8'), 'two\n');
    assertServed(world, client, dialect);
    const calls = await readCalls(world.control);
    assertWhole(calls);
    for (const { kind, start } of calls)
      if (kind === 'model.generate') assert.deepEqual(start?.transforms, ['translate']);
    assertTools(client, calls, await assertTree(world, client));
    await assertBill(world, login, calls);
    await assertSound(world);
  };
  await inWorld(script, login, check, servedIn(dialect));
}

defineEnclosed('clients served in another dialect', () => {
  for (const [client, dialects] of [
    [claude, ['openai-responses', 'openai-chat']],
    [codex, ['anthropic', 'openai-chat']],
  ] as const)
    for (const dialect of dialects)
      test(`${client.name} served by ${dialect}: its tool loop is done, its calls, results and thoughts come back to the model, its usage is billed`, () =>
        checkServed(client, dialect));
});

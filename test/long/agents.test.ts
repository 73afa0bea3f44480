/**
 * Unmodified Claude Code and Codex on mezz, in a network namespace that has loopback alone: their own logins, tools,
 * edits, sub-agents and hooks against a scripted upstream. What is skipped is said with its reason.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256Hex } from '../../src/base/hash.ts';
import { type Client, claude, codex, type Login, stepwise } from '../agents/cases.ts';
import {
  assertBill,
  assertCovered,
  assertSound,
  assertTools,
  assertTree,
  assertWhole,
  inWorld,
  PROMPT,
  wholeRun,
} from '../agents/checks.ts';
import { fileNames, filesWith, readCalls } from '../agents/evidence.ts';
import { defineEnclosed } from '../agents/suite.ts';
import { tapClient } from '../agents/tapped.ts';
import type { World } from '../agents/world.ts';
import type { Tap } from '../upstream/tap.ts';

function assertLogin(world: World, { headers, secrets }: Login): void {
  for (const request of world.upstream.requests)
    for (const [name, value] of Object.entries(headers)) assert.equal(request.headers[name], value);
  const sent = world.upstream.requests.map((request) => request.rawHeaders.join('\n')).join('\n');
  assert.doesNotMatch(sent, /mezz_/, "no credential of mezz's own leaves");
  for (const secret of secrets) assert.deepEqual(filesWith(world.stateDir, secret), []);
}

/** What left the client is what reached the upstream, and what the upstream answered is what the client got. */
function assertBytes(world: World, tap: Tap): void {
  const calls = tap.exchanges.filter((exchange) => exchange.method === 'POST');
  const { requests, answers } = world.upstream;
  const sent = requests.map((request) => request.sha256);
  assert.deepEqual(calls.map((call) => sha256Hex(call.sent)).sort(), [...sent].sort());
  assert.deepEqual(calls.map((call) => sha256Hex(call.received)).sort(), answers.map(sha256Hex).sort());
}

async function checkWholeRun(client: Client, login: Login): Promise<void> {
  const script = (project: string) => stepwise(client, ...wholeRun(client, project));
  await inWorld(script, login, async (world) => {
    const { tap, command } = await tapClient(world, client);
    const done = await world.mezz(['run', '--name', 'fix', '--', ...command(PROMPT, false)], login.env);
    await tap.close();
    assert.equal(done.code, 0, done.out + done.err);
    assert.match(done.out, /All done\./);
    assert.deepEqual(fileNames(world.project), ['deep.txt', 'notes.txt']);
    assert.equal(readFileSync(join(world.project, 'notes.txt'), 'utf8'), 'two\n');
    assertBytes(world, tap);
    const calls = await readCalls(world.control);
    assertWhole(calls);
    assertTools(client, calls, await assertTree(world, client));
    await assertBill(world, login, calls);
    await assertSound(world);
    assertLogin(world, login);
  });
}

const KEEP_OUT = `
@id("keep-out")
@reason("that name is kept out of")
forbid(principal, action, resource is Tool)
when { context.command like "*forbidden*" || context.path like "*forbidden*" };
`;

/** A shell call and an edit of the agent, a shell call of its sub-agent: all of them forbidden. */
async function checkDenied(client: Client, skip: boolean): Promise<void> {
  const login = client.logins[0];
  const script = (project: string) =>
    stepwise(
      client,
      [
        [client.shell('echo x > forbidden.txt')],
        [client.create(join(project, 'forbidden-edit.txt'), 'x')],
        ...client.delegate,
      ],
      [[client.shell('echo x > forbidden-sub.txt')]],
    );
  await inWorld(script, login, async (world) => {
    const policy = join(world.folder, 'keep-out.cedar');
    const shown = await world.mezz(['policy']);
    writeFileSync(policy, `${shown.out}\n${KEEP_OUT}`);
    const applied = await world.mezz(['policy', 'apply', policy]);
    assert.equal(applied.code, 0, applied.out + applied.err);
    const done = await world.mezz(['run', '--', ...client.command(PROMPT, skip)], login.env);
    assert.equal(done.code, 0, done.out + done.err);
    assert.deepEqual(fileNames(world.project), [], 'no trace on disk');
    const refused = (await readCalls(world.control)).filter((call) => call.state === 'refused');
    assert.deepEqual(
      refused.map((call) => [call.target, call.code]),
      [client.targets.shell, client.targets.create, client.targets.shell].map((target) => [target, 'denied']),
    );
    const told = world.upstream.requests.filter((request) =>
      request.body.includes('that name is kept out of'),
    );
    assert.ok(told.length >= 3, 'the model is told why');
    await assertCovered(world);
    await assertSound(world);
  });
}

/** Both calls wait for a person; the first is denied, the second approved. Each fails: there is nothing to push. */
async function checkAsked(client: Client): Promise<void> {
  const login = client.logins[0];
  const push = (name: string) => [client.shell(`touch ${name}; git push --force`)];
  const script = () => stepwise(client, [push('denied.txt'), push('approved.txt')]);
  await inWorld(script, login, async (world) => {
    const run = world.mezz(['run', '--', ...client.command(PROMPT, true)], login.env);
    const ended = run.then(() => true);
    for (const word of ['deny', 'approve']) {
      const question = await nextQuestion(world, ended);
      const answered = await world.mezz([word, question]);
      assert.equal(answered.code, 0, answered.out + answered.err);
    }
    const done = await run;
    assert.equal(done.code, 0, done.out + done.err);
    assert.deepEqual(fileNames(world.project), ['approved.txt']);
    const calls = (await readCalls(world.control)).filter((call) => call.kind === 'tool.call');
    assert.deepEqual(
      calls.map((call) => call.state),
      ['refused', client.afterFailure],
    );
    await assertCovered(world);
    await assertSound(world);
  });
}

/** The question that is open, as soon as its agent waits for it; the end of the run instead is a failure. */
async function nextQuestion(world: World, ended: Promise<boolean>): Promise<string> {
  const tick = () => new Promise<false>((resolve) => setTimeout(resolve, 20, false));
  for (;;) {
    const { approvals } = await world.control.call('inbox', {});
    const { agents } = await world.control.call('ps', {});
    if (approvals[0] && agents[0]?.state === 'waiting-for-you') return approvals[0].id;
    assert.equal(await Promise.race([ended, tick()]), false, 'the client ended unasked');
  }
}

/** No hook asks about it: it must not look as if one had. */
async function checkTyped(): Promise<void> {
  const source = `const { session_id } = await tools.exec_command({ cmd: 'cat > typed.txt', tty: true, yield_time_ms: 500 });
    await tools.write_stdin({ session_id, chars: 'typed\\n\\u0004', yield_time_ms: 500 });`;
  const script = () => stepwise(codex, [[{ name: /^exec$/, args: { input: source } }]]);
  const login = codex.logins[0];
  await inWorld(script, login, async (world) => {
    const done = await world.mezz(['run', '--', ...codex.command(PROMPT, true)], login.env);
    assert.equal(done.code, 0, done.out + done.err);
    assert.deepEqual(fileNames(world.project), ['typed.txt']);
    const { agents } = await world.control.call('ps', { all: true });
    assert.deepEqual(agents[0]?.coverage, { level: 'hooked', seen: 2, decided: 1 });
  });
}

/** The kernel is killed when the whole answer with a tool call has left it, and comes back for the next model call. */
async function checkKilled(client: Client): Promise<void> {
  const login = client.logins[0];
  const script = () =>
    stepwise(client, [[client.shell('echo x > gone.txt')], [client.shell('echo x > back.txt')]]);
  await inWorld(script, login, async (world) => {
    const { tap, command } = await tapClient(world, client, {
      before: (turn) => (turn === 1 ? world.up() : Promise.resolve()),
      whole: (turn) => (turn === 0 ? world.kill() : Promise.resolve()),
    });
    const done = await world.mezz(['run', '--name', 'fix', '--', ...command(PROMPT, true)], login.env);
    await tap.close();
    assert.equal(done.code, 0, done.out + done.err);
    assert.deepEqual(fileNames(world.project), ['back.txt'], 'nothing was done while nobody could be asked');
    const calls = await readCalls(world.control);
    assertWhole(calls);
    assert.deepEqual(
      calls.map((call) => call.kind),
      ['model.generate', 'model.generate', 'tool.call', 'model.generate'],
    );
    const { agents } = await world.control.call('ps', { all: true });
    assert.deepEqual(
      agents.map(({ name, state, exitCode, coverage }) => ({ name, state, exitCode, coverage })),
      [{ name: 'fix', state: 'exited', exitCode: 0, coverage: { level: 'hooked', seen: 2, decided: 1 } }],
    );
    await assertSound(world);
  });
}

/** A model that nobody serves: told at once in the client's own words, and its exit code is the command's. */
async function checkRefused(client: Client): Promise<void> {
  const login = client.logins[0];
  await inWorld(
    () => stepwise(client, []),
    login,
    async (world) => {
      const [program = '', ...args] = client.command(PROMPT, true);
      const command = [
        program,
        ...(program === 'codex' ? args.slice(0, 1) : []),
        '--model',
        'served-by-nobody',
      ];
      const done = await world.mezz(
        ['run', '--', ...command, ...args.slice(program === 'codex' ? 1 : 0)],
        login.env,
      );
      assert.equal(done.code, 1);
      assert.equal(world.upstream.requests.length, 0);
      const calls = await readCalls(world.control);
      for (const call of calls) assert.equal(call.code, 'model_unknown');
      assert.ok(calls.length >= 1 && calls.length <= client.triesRefused, `it tried ${calls.length} times`);
    },
  );
}

/** What the clients ask for round their base URL. A name that is not here is a way round mezz that nobody knows of. */
const NAMES_ASKED = ['ab.chatgpt.com', 'api.anthropic.com', 'api.github.com', 'chatgpt.com', 'github.com'];

function defineTests(asked: () => ReadonlySet<string>): void {
  for (const client of [claude, codex]) {
    for (const login of client.logins)
      test(`${client.name} with a ${login.name} runs unchanged: its tools and sub-agents are decided, journaled and billed, its login and bytes untouched`, () =>
        checkWholeRun(client, login));
    for (const skip of [false, true])
      test(`${client.name} does not do what is denied, its own permissions ${skip ? 'skipped' : 'on'}`, () =>
        checkDenied(client, skip));
    test(`${client.name} waits for a person where it must, and obeys the answer`, () => checkAsked(client));
    test(`${client.name} does nothing while the kernel is gone, and goes on when it is back`, () =>
      checkKilled(client));
    test(`${client.name} gives up at once on a call that is refused, and its exit code passes`, () =>
      checkRefused(client));
  }
  test('what Codex types into a running command counts as undecided', () => checkTyped());
  test('what the clients ask for round their base URL is known by name', () => {
    assert.deepEqual(
      [...asked()].filter((name) => !NAMES_ASKED.includes(name)),
      [],
    );
  });
}

defineEnclosed('unmodified clients', defineTests);

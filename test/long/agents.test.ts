/**
 * Unmodified Claude Code and Codex on mezz, in a network namespace that has loopback alone: their own logins, tools,
 * edits, sub-agents and hooks against a scripted upstream. What is skipped is said with its reason.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Client, claude, type Login, type Step, stepwise } from '../agents/cases.ts';
import { installClients } from '../agents/clients.ts';
import { isEnclosed, runEnclosed } from '../agents/enclosure.ts';
import { fileNames, filesWith, type Journaled, readCalls } from '../agents/evidence.ts';
import { openWorld, type World } from '../agents/world.ts';

/** The scripted upstream reports the same usage for every answer. */
const INPUT = 16;
const OUTPUT = 7;

/** A shell call, an edit, a sub-agent that makes a shell call of its own. */
const wholeRun = (client: Client, project: string): { main: readonly Step[]; sub: readonly Step[] } => ({
  main: [
    [client.shell('echo one > notes.txt')],
    ...client.edit(join(project, 'notes.txt'), 'one', 'two'),
    ...client.delegate,
  ],
  sub: [[client.shell('echo sub > sub.txt')]],
});

/** Every call of the journal began once, ended once and well. */
function assertWhole(calls: readonly Journaled[]): void {
  for (const call of calls) {
    assert.equal(call.state, 'done', `${call.target} is ${call.state}`);
    assert.deepEqual(call.kinds, ['call.start', 'call.end'], call.target);
  }
}

async function assertTree(world: World, client: Client): Promise<{ main: number; sub: number }> {
  const { agents } = await world.control.call('ps', { all: true });
  assert.equal(agents.length, 2, 'the agent and its sub-agent');
  const main = agents.find((agent) => agent.parent === null);
  const sub = agents.find((agent) => agent.parent !== null);
  assert.ok(main && sub);
  assert.equal(main.name, 'fix');
  assert.equal(main.client, client.program);
  assert.equal(sub.parent, main.pid);
  assert.match(sub.name, /^fix\./);
  for (const agent of agents) {
    assert.equal(agent.state, 'exited');
    assert.equal(agent.coverage.level, 'hooked');
    assert.ok(agent.coverage.seen > 0);
    assert.equal(agent.coverage.decided, agent.coverage.seen, `coverage of ${agent.name}`);
  }
  assert.equal(main.exitCode, 0);
  return { main: main.pid, sub: sub.pid };
}

/** The client's own tool calls, as the journal names them, of each agent in order. */
function assertTools(client: Client, calls: readonly Journaled[], pids: { main: number; sub: number }): void {
  const { shell, edit, delegate } = client.targets;
  const tools = calls.filter((call) => call.kind === 'tool.call');
  const of = (pid: number) => tools.filter((call) => call.agent === pid).map((call) => call.target);
  assert.deepEqual(of(pids.main), [shell, ...edit, ...delegate]);
  assert.deepEqual(of(pids.sub), [shell]);
  const ids = tools.map((call) => String(call.start?.toolUseId));
  assert.equal(new Set(ids).size, tools.length, 'each with an id of its own');
  for (const id of ids) assert.match(id, client.toolUseId);
}

async function assertBill(world: World, login: Login, calls: readonly Journaled[]): Promise<void> {
  const model = calls.filter((call) => call.kind === 'model.generate');
  assert.equal(model.length, world.upstream.requests.length, 'each model call reached the upstream once');
  const { total } = await world.control.call('bill', { by: 'agent' });
  assert.equal(total.requests, calls.length);
  assert.equal(total.usage.input + total.usage.cacheRead, model.length * INPUT);
  assert.equal(total.usage.output, model.length * OUTPUT);
  const { cost } = total;
  // A plan is not billed by use.
  if (login.name === 'subscription') assert.equal(cost, 0);
  else assert.ok(cost > 0 && cost === model.reduce((sum, call) => sum + (call.cost ?? 0), 0));
}

async function assertSound(world: World): Promise<void> {
  const verified = await world.mezz(['audit', 'verify']);
  assert.equal(verified.code, 0, verified.out + verified.err);
  assert.deepEqual((await world.control.call('fsck', {})).problems, []);
}

function assertLogin(world: World, { headers, secrets }: Login): void {
  for (const request of world.upstream.requests)
    for (const [name, value] of Object.entries(headers)) assert.equal(request.headers[name], value);
  const sent = world.upstream.requests.map((request) => request.rawHeaders.join('\n')).join('\n');
  assert.doesNotMatch(sent, /mezz_/, "no credential of mezz's own leaves");
  for (const secret of secrets) assert.deepEqual(filesWith(world.stateDir, secret), []);
}

async function checkWholeRun(client: Client, login: Login): Promise<void> {
  const world = await openWorld((project) => {
    const { main, sub } = wholeRun(client, project);
    return stepwise(client, main, sub);
  }, login.files);
  try {
    await world.up();
    const run = ['run', '--name', 'fix', '--', ...client.command('Do the work.', false)];
    const done = await world.mezz(run, login.env);
    assert.equal(done.code, 0, done.out + done.err);
    assert.match(done.out, /All done\./);
    assert.deepEqual(fileNames(world.project), ['notes.txt', 'sub.txt']);
    assert.equal(readFileSync(join(world.project, 'notes.txt'), 'utf8'), 'two\n');
    const calls = await readCalls(world.control);
    assertWhole(calls);
    assertTools(client, calls, await assertTree(world, client));
    await assertBill(world, login, calls);
    await assertSound(world);
    assertLogin(world, login);
  } finally {
    await world.close();
  }
}

function defineTests(): void {
  for (const client of [claude])
    for (const login of client.logins)
      test(`${client.name} with a ${login.name}: tools and sub-agent decided, journaled and billed, its login untouched`, () =>
        checkWholeRun(client, login));
}

if (isEnclosed()) defineTests();
else {
  const clients = installClients();
  const ran = 'missing' in clients ? clients : runEnclosed();
  if ('missing' in ran) test('unmodified clients', { skip: ran.missing }, () => {});
  else process.exitCode = ran.status;
}

/** What a run of a real client on a kernel must have left behind, whatever served its model calls. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { AgentView } from '../../src/base/control.ts';
import type { Script } from '../upstream/upstream.ts';
import type { Client, Login, Step } from './cases.ts';
import type { Journaled } from './evidence.ts';
import { type Config, openWorld, type World } from './world.ts';

export const PROMPT = 'Do the work.';
/** The scripted upstream reports the same usage for every answer. */
const INPUT = 16;
const OUTPUT = 7;

/** A shell call, an edit, a sub-agent, and that one's own, which makes a shell call. */
export const wholeRun = (client: Client, project: string): readonly (readonly Step[])[] => [
  [
    [client.shell('echo one > notes.txt')],
    ...client.edit(join(project, 'notes.txt'), 'one', 'two'),
    ...client.delegate,
  ],
  client.delegate,
  [[client.shell('echo deep > deep.txt')]],
];

export async function inWorld(
  script: (project: string) => Script,
  login: Login,
  check: (world: World) => Promise<void>,
  config?: Config,
): Promise<void> {
  const world = await openWorld(script, login.files, config);
  try {
    await world.up();
    await check(world);
  } finally {
    await world.close();
  }
}

/** Every call of the journal began once, ended once and well. */
export function assertWhole(calls: readonly Journaled[]): void {
  for (const call of calls) {
    assert.equal(call.state, 'done', `${call.target} is ${call.state}`);
    assert.deepEqual(call.kinds, ['call.start', 'call.end'], call.target);
  }
}

/** No call of an agent happened undecided. */
export async function assertCovered(world: World): Promise<readonly AgentView[]> {
  const { agents } = await world.control.call('ps', { all: true });
  for (const { name, state, coverage } of agents) {
    assert.equal(state, 'exited');
    assert.equal(coverage.level, 'hooked');
    assert.ok(coverage.seen > 0);
    assert.equal(coverage.decided, coverage.seen, `coverage of ${name}`);
  }
  return agents;
}

/** The agent, its sub-agent, and that one's own: each one row below the other. */
export async function assertTree(world: World, client: Client): Promise<readonly number[]> {
  const agents = await assertCovered(world);
  const pids = agents.map((agent) => agent.pid);
  assert.deepEqual(
    agents.map((agent) => agent.parent),
    [null, ...pids.slice(0, -1)],
  );
  assert.equal(agents.length, 3);
  for (const agent of agents) assert.equal(agent.client, client.program);
  assert.equal(agents[0]?.name, 'fix');
  assert.equal(agents[0]?.exitCode, 0);
  return pids;
}

/** The client's own tool calls, as the journal names them, of each agent in order. */
export function assertTools(client: Client, calls: readonly Journaled[], pids: readonly number[]): void {
  const { shell, edit, delegate } = client.targets;
  const tools = calls.filter((call) => call.kind === 'tool.call');
  assert.deepEqual(
    pids.map((pid) => tools.filter((call) => call.agent === pid).map((call) => call.target)),
    [[shell, ...edit, ...delegate], delegate, [shell]],
  );
  const ids = tools.map((call) => String(call.start?.toolUseId));
  assert.equal(new Set(ids).size, tools.length, 'each with an id of its own');
  for (const id of ids) assert.match(id, client.toolUseId);
}

export async function assertBill(world: World, login: Login, calls: readonly Journaled[]): Promise<void> {
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

export async function assertSound(world: World): Promise<void> {
  const verified = await world.mezz(['audit', 'verify']);
  assert.equal(verified.code, 0, verified.out + verified.err);
  assert.deepEqual((await world.control.call('fsck', {})).problems, []);
}

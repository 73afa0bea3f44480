/** Agents that a limit paused, in virtual time: when they wake, what never wakes them, and that a restart forgets nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Access } from '../access/decide.ts';
import { type Agent, agentPut } from '../agents/table.ts';
import { VirtualClock } from '../base/clock.ts';
import { newCallId, type OwnerId } from '../base/ids.ts';
import { seededRandom } from '../base/random.ts';
import { Prices } from '../budget/prices.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { AGENT } from '../db/schema/agents.ts';
import { fifo } from '../scheduler/policies/fifo.ts';
import { Catalog } from './catalog.ts';
import { resumedRows } from './exhausted.ts';
import { Flight } from './flight.ts';
import { Gate } from './gate.ts';
import { openParts } from './open.ts';

const HOUR = 3_600_000;
const EVENING = Date.UTC(2026, 0, 31, 20);
const MIDNIGHT = Date.UTC(2026, 1, 1);
const schema = readFileSync(new URL('../../policies/schema.cedarschema', import.meta.url), 'utf8');
const access = new Access({
  schema,
  policies: '@id("all") permit(principal, action, resource);',
  profile: 'default',
});
const random = seededRandom(7);
const settled = () => new Promise((resolve) => setImmediate(resolve));

class World {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly gate: Gate;
  private constructor(clock: VirtualClock, store: MemoryStore, gate: Gate) {
    this.clock = clock;
    this.store = store;
    this.gate = gate;
  }

  static async open(clock = new VirtualClock(EVENING), store = new MemoryStore()): Promise<World> {
    const parts = await openParts({
      store,
      clock,
      random,
      access,
      loop: { repeats: 1000, windowMs: 1, nanoUsdPerHour: 1e15 },
      scheduling: { policy: fifo, maxWaitMs: HOUR, queue: 10 },
      prices: new Prices([]),
      catalog: new Catalog({ backends: [], routes: [], hasKey: () => false }),
      settings: {
        askHoldMs: 1,
        askExpiresMs: 1,
        bodies: 'off',
        hostedTools: [],
        holdAll: false,
        onLimit: 'wait',
        maxHoldMs: 600_000,
      },
      backends: new Map(),
    });
    return new World(clock, store, new Gate(parts));
  }

  /** Another kernel on the same store, at the same time. */
  again(): Promise<World> {
    return World.open(new VirtualClock(this.clock.now()), this.store);
  }

  async agent(name: string, parent?: Agent): Promise<Agent> {
    const spec = { name, owner: 'ann' as OwnerId, client: 'generic', parent: parent?.pid ?? null };
    const agent = this.gate.parts.agents.add(spec, this.clock.now());
    await this.store.commit({ puts: [agentPut(agent)] });
    return agent;
  }

  /** One tool call of the agent: a request. */
  async call(agent: Agent): Promise<string> {
    const { parts } = this.gate;
    const id = newCallId(this.clock.now(), random);
    const payload = { tool: 'Read', server: 'generic', input: {}, toolUseId: id, how: 'hooked' as const };
    const flight = new Flight({
      call: { id, kind: 'tool.call', agent: agent.pid, arrivedAt: this.clock.now(), payload },
      chain: parts.agents.chain(agent),
      keyId: 'k',
      login: undefined,
      signal: undefined,
    });
    const walked = await this.gate.walk(flight);
    return walked.kind === 'refused' ? walked.refusal.code : 'ok';
  }

  async limit(scope: string, cap: number | null, period: 'total' | 'day' | '5h' = 'day'): Promise<void> {
    const set = this.gate.parts.ledger.setLimit({ scope, dimension: 'requests', period, cap, strict: false });
    const resumed = this.gate.exhausted.resume([`${scope}/requests/${period}`]);
    const rows = resumedRows(resumed);
    await this.store.commit({ puts: [...set.puts, ...rows.puts], deletes: set.deletes });
    this.gate.wake(resumed);
  }

  async advanceTo(at: number): Promise<void> {
    this.clock.advanceTo(at);
    await settled();
  }

  /** As it is in memory, and as the next kernel will find it. */
  async hold(agent: Agent): Promise<string> {
    const row = await this.store.get(AGENT, [agent.pid]);
    const live = this.gate.parts.agents.get(agent.pid);
    assert.equal(row?.hold, live?.hold, 'the row says the same');
    return `${live?.hold} ${live?.holdWhy ?? ''}`.trim();
  }
}

describe('an agent that a limit paused', () => {
  test('wakes when the period turns, also in the next kernel; one that an operator paused never does', async () => {
    const world = await World.open();
    const parent = await world.agent('parent');
    const child = await world.agent('child', parent);
    const paused = await world.agent('paused');
    await world.limit(`agent:${parent.pid}`, 1);
    assert.equal(await world.call(child), 'ok');
    paused.hold = 'paused';
    paused.holdWhy = 'by operator';
    await world.store.commit({ puts: [agentPut(paused)] });
    assert.equal(await world.call(child), 'over_budget', 'the limit of its parent');
    const why = `paused budget agent:${parent.pid}/requests/day`;
    assert.equal(await world.hold(child), why);
    await world.advanceTo(MIDNIGHT - 1);
    assert.equal(await world.hold(child), why);

    const next = await world.again();
    assert.equal(await next.hold(child), why);
    await next.advanceTo(MIDNIGHT);
    assert.equal(await next.hold(child), 'none');
    assert.equal(await next.hold(paused), 'paused by operator');
    const again = next.gate.parts.agents.get(child.pid) as Agent;
    assert.equal(await next.call(again), 'ok');
  });

  test('wakes at once in a kernel that starts after the period turned', async () => {
    const world = await World.open();
    const agent = await world.agent('agent');
    await world.limit('owner:ann', 0);
    assert.equal(await world.call(agent), 'over_budget');
    const next = await World.open(new VirtualClock(MIDNIGHT + HOUR), world.store);
    await next.advanceTo(MIDNIGHT + HOUR);
    assert.equal(await next.hold(agent), 'none');
  });

  test('wakes at the end of a plan window', async () => {
    const world = await World.open();
    const agent = await world.agent('agent');
    await world.limit('owner:ann', 1, '5h');
    assert.equal(await world.call(agent), 'ok');
    await world.advanceTo(EVENING + HOUR);
    assert.equal(await world.call(agent), 'over_budget');
    await world.advanceTo(EVENING + 5 * HOUR - 1);
    assert.equal(await world.hold(agent), 'paused budget owner:ann/requests/5h');
    await world.advanceTo(EVENING + 5 * HOUR);
    assert.equal(await world.hold(agent), 'none');
    assert.equal(await world.call(agent), 'ok');
  });

  test('wakes when its own limit is raised enough or removed, and by no other; calls below it go on', async () => {
    const world = await World.open();
    const agent = await world.agent('agent');
    const child = await world.agent('child', agent);
    const scope = `agent:${agent.pid}`;
    await world.limit('owner:ann', 9, 'total');
    await world.limit(scope, 2, 'total');
    for (const code of ['ok', 'ok', 'over_budget']) assert.equal(await world.call(agent), code);
    const why = `paused budget ${scope}/requests/total`;
    await world.limit('owner:ann', 99, 'total');
    assert.equal(await world.hold(agent), why, 'another limit was raised');
    await world.limit(scope, 1, 'total');
    assert.equal(await world.hold(agent), why, 'lowered');
    await world.limit(scope, 5, 'total');
    assert.equal(await world.hold(agent), 'none');

    await world.limit(scope, 2, 'total');
    assert.equal(await world.call(agent), 'over_budget');
    await world.limit('owner:ann', null, 'total');
    await world.limit(scope, null, 'total');
    assert.equal(await world.hold(agent), 'none');

    await world.limit(scope, 2, 'total');
    assert.equal(await world.call(agent), 'over_budget');
    // Its budget is raised by the operator's own hand, and the child asks meanwhile.
    world.gate.parts.ledger.setLimit({
      scope,
      dimension: 'requests',
      period: 'total',
      cap: 9,
      strict: false,
    });
    const waiting = world.call(child);
    await settled();
    assert.deepEqual(
      [...world.gate.parts.waits.all()].map(({ reason }) => reason),
      ['pause'],
    );
    await world.limit(scope, 9, 'total');
    assert.equal(await waiting, 'ok');
  });
});

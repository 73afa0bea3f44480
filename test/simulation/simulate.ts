/** One simulation from its seed: virtual minutes of work, crashes and restarts, then rest, and what the oracle saw. */
import { AGENT } from '../../src/db/schema/agents.ts';
import { proveBalances } from '../../src/gate/proof.ts';
import { verifyAudit } from '../../src/journal/audit.ts';
import type { Violation } from './oracle.ts';
import type { Sabotage } from './sabotage.ts';
import { act, openAgent, release } from './workload.ts';
import { World } from './world.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** What happened, one line a step. */
  readonly log: readonly string[];
  readonly counts: { readonly calls: number; readonly crashes: number; readonly entries: number };
}

const STEPS = 130;
const REST_STEPS = 4000;

export async function simulate(seed: number, sabotage?: Sabotage): Promise<Outcome> {
  const world = new World(seed, sabotage);
  const sound = () => world.oracle.violations.length === 0;
  world.boot();
  await until(world, () => world.isUp);
  for (let i = 0; i < 3; i++) openAgent(world);
  await until(world, () => world.operating === 0);
  for (let step = 0; step < STEPS && sound(); step++) await work(world);
  if (sound()) await rest(world);
  if (sound()) await check(world);
  const { entries } = world.views.durable;
  return {
    seed,
    violations: world.oracle.violations,
    log: world.log,
    counts: {
      calls: entries.filter(({ kind }) => kind === 'call.start').length,
      crashes: world.crashes,
      entries: entries.length,
    },
  };
}

/** A few acts at one instant, or time passes. */
async function work(world: World): Promise<void> {
  const { draws } = world;
  if (!world.isUp && draws.chance(40)) world.boot();
  if (draws.chance(55)) {
    for (
      let acts = draws.weighted({ 1: 70, 2: 20, 4: 10 });
      Number(acts) > 0;
      acts = String(Number(acts) - 1) as never
    )
      act(world);
  } else if (draws.chance(3)) world.line.clock.advanceTo(world.line.clock.now() + draws.int(1000, 120_000));
  else await world.line.step();
  await world.look();
}

async function until(world: World, done: () => boolean): Promise<void> {
  for (let step = 0; step < REST_STEPS && !done(); step++) {
    await world.line.step();
    await world.look();
  }
  if (!done()) world.oracle.report('comes-to-rest', 'the kernel still works after everything was let go');
}

/** Nothing new comes, nothing is held back: all that is under way must come to its end. */
async function rest(world: World): Promise<void> {
  world.death = undefined;
  world.diskFails = false;
  world.note('rest');
  for (let tries = 0; tries < 4; tries++) {
    if (!world.isUp) world.boot();
    await until(world, () => world.isUp || world.oracle.violations.length > 0);
    release(world);
    for (let step = 0; step < 40; step++) {
      await world.line.step();
      await world.look();
    }
  }
  for (const { leave } of world.sent) leave.abort();
  await until(world, () => world.sent.size === 0 && world.views.pending.size === 0);
}

async function check(world: World): Promise<void> {
  const { life, oracle } = world;
  if (!life) return oracle.report('comes-to-rest', 'there is no kernel at rest');
  const { gate } = life;
  oracle.atRest();
  const { scheduler, waits, ledger } = gate.parts;
  for (const name of ['east', 'west', 'here'])
    if (scheduler.busy(name) > 0)
      oracle.report('slots-returned', `${scheduler.busy(name)} slots of ${name} are taken at rest`);
  if (scheduler.waiting() > 0)
    oracle.report('slots-returned', `${scheduler.waiting()} calls are queued at rest`);
  if (waits.size > 0 || gate.flights.size > 0) oracle.report('waits-named', 'calls are left at rest');
  for (const limit of ledger.limits())
    if (limit.held !== 0) oracle.report('held-returned', `${limit.id} holds ${limit.held} at rest`);
  for (const agent of gate.parts.agents.all()) {
    const row: Readonly<Record<string, unknown>> = world.views.durable.get(AGENT, agent.pid) ?? {};
    const wrong = Object.entries(agent).filter(([column, value]) => row[column] !== value);
    for (const [column, value] of wrong)
      oracle.report(
        'rows-are-memory',
        `agent ${agent.pid} has ${column} ${value} in memory, ${row[column]} in its row`,
      );
  }
  const audit = await inTime(world, verifyAudit(gate.parts.store));
  for (const { code, seq, detail } of audit?.findings ?? [])
    oracle.report('audit', `${code} at ${seq}: ${detail}`);
  const proof = await inTime(world, proveBalances(gate.parts));
  for (const problem of proof?.problems ?? []) oracle.report('proof', problem);
}

/** What the promise gives, once enough virtual time has passed. */
async function inTime<T>(world: World, promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  void promise.then((done) => {
    result = done;
  });
  await until(world, () => result !== undefined);
  return result;
}

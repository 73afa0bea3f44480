/**
 * Opens the parts of a kernel on a store: the same for kernel.ts, which hands in the machine's clock, randomness and
 * SQLite, and for the simulator, which hands in virtual ones.
 */
import { Approvals } from '../access/approvals.ts';
import type { Access, Profile } from '../access/decide.ts';
import { Freezes } from '../access/freeze.ts';
import { Keys } from '../access/keys.ts';
import { type LoopSettings, Loops } from '../access/loop.ts';
import { Coverage } from '../agents/coverage.ts';
import { AgentTable } from '../agents/table.ts';
import { Turns } from '../agents/turns.ts';
import type { Clock } from '../base/clock.ts';
import { type Observer, observeAll } from '../base/observer.ts';
import type { BackendSpec, ToolServer, Workspace } from '../base/ports.ts';
import type { Random } from '../base/random.ts';
import { Accounts } from '../budget/accounts.ts';
import { Estimator } from '../budget/estimate.ts';
import { Ledger } from '../budget/ledger.ts';
import { Reserves } from '../budget/reserves.ts';
import { Windows } from '../budget/windows.ts';
import { SERVICE } from '../db/schema/scheduler.ts';
import type { Store } from '../db/store.ts';
import { ContextStore } from '../journal/context.ts';
import { openJournal } from '../journal/journal.ts';
import { Salts } from '../journal/salts.ts';
import { ENGINE, HOSTED, type Terms } from '../scheduler/cost.ts';
import { Governor } from '../scheduler/governor.ts';
import { History } from '../scheduler/history.ts';
import { LIMITS as SCHEDULER_LIMITS } from '../scheduler/limits.ts';
import type { Policy, Tuning } from '../scheduler/policy.ts';
import { Slots } from '../scheduler/resource.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import type { Stated } from '../scheduler/stated.ts';
import { Arguments } from '../tools/arguments.ts';
import { Broker, NO_WORKSPACE } from '../tools/broker.ts';
import { OwnTools } from '../tools/own.ts';
import { Results } from '../tools/results.ts';
import { ToolServers } from '../tools/servers.ts';
import { OWN } from '../tools/shorten.ts';
import { Shown } from '../tools/shown.ts';
import { Tasks } from '../tools/tasks.ts';
import { Traffic } from '../tools/traffic.ts';
import { Uses } from '../tools/uses.ts';
import { Versions } from '../tools/versions.ts';
import { Epochs } from './epochs.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';
import { Waits } from './waits.ts';

/** What may change while the kernel runs: the part of the settings that mezz.yaml's hot reload reaches. */
export interface Changeable extends Pick<Parts, 'prices' | 'catalog' | 'settings' | 'backends'> {
  /** What is left out stays as it is, also as operators have changed it since. */
  readonly policies?: { readonly text: string; readonly profile: Profile };
  readonly loop?: LoopSettings;
  /** What may be open at once, and spent in an hour, by account. */
  readonly stated?: ReadonlyMap<string, Stated>;
  readonly scheduling?: {
    readonly policy?: Policy<unknown>;
    readonly tuning?: Tuning;
    readonly maxWaitMs: number;
    readonly queue: number;
  };
}

export interface Opening extends Changeable {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Nobody watches where none is given. */
  readonly observer?: Observer;
  readonly barred?: Parts['barred'];
  /** The files that agents work on; where none is given, none are seen. */
  readonly workspace?: Workspace;
  readonly toolServers?: ReadonlyMap<string, ToolServer>;
  readonly access: Access;
  readonly loop: LoopSettings;
  readonly scheduling: {
    readonly policy: Policy<unknown>;
    readonly tuning?: Tuning;
    readonly maxWaitMs: number;
    readonly queue: number;
  };
}

export async function openParts(from: Opening): Promise<Parts> {
  const { store, clock, random, scheduling, prices, catalog, settings, backends } = from;
  const windows = await Windows.open(store);
  const history = new History(await store.range(SERVICE, { limit: SCHEDULER_LIMITS.images.value }));
  const governor = new Governor();
  if (from.stated) governor.stated.set(from.stated, clock.now());
  const agents = await AgentTable.open(store);
  const isThere = (agent: number) => (agents.get(agent)?.hold ?? 'exited') !== 'exited';
  const results = new Results(store);
  const versions = await Versions.open(store, isThere);
  const broker = new Broker(clock, from.workspace ?? NO_WORKSPACE, isThere, versions);
  const journal = await openJournal({ store, clock });
  const onFault = (fault: string): void => {
    const body = { fault: fault.slice(0, LIMITS.faultText.value) };
    // A store that fails here has stopped the kernel.
    journal.append({ entries: [{ kind: 'config', agent: 0, body }] }).catch(() => {});
  };
  const scheduler = new Scheduler({
    clock,
    resources: [...slotsOf(from), broker.locks],
    history,
    meter: governor,
    onFault,
    ...scheduling,
  });
  broker.rates.onFree = () => scheduler.stir(broker.locks.name);
  return {
    clock,
    random,
    store,
    journal,
    context: new ContextStore(),
    salts: await Salts.open(store, random),
    access: from.access,
    approvals: await Approvals.open(store),
    freezes: await Freezes.open(store),
    keys: await Keys.open(store),
    loops: new Loops(from.loop),
    ledger: await Ledger.open(store, windows),
    accounts: await Accounts.open(store),
    estimator: await Estimator.open(store),
    windows,
    reserves: await Reserves.open(store, windows),
    scheduler,
    governor,
    broker,
    servers: new ToolServers(store, withOwn(from.toolServers, results), clock),
    results,
    tasks: await Tasks.open(store),
    shown: new Shown(),
    uses: await Uses.open(store),
    arguments: new Arguments(),
    traffic: new Traffic(clock),
    agents,
    turns: new Turns(),
    coverage: await Coverage.open(store),
    epochs: new Epochs(),
    waits: new Waits(clock),
    ending: new Set(),
    observer: from.observer ?? observeAll([]),
    barred: from.barred ?? (() => undefined),
    prices,
    catalog,
    settings,
    backends,
  };
}

/** Where there are no tools, there is nothing of theirs to read on. */
function withOwn(
  servers: ReadonlyMap<string, ToolServer> = new Map(),
  results: Results,
): ReadonlyMap<string, ToolServer> {
  return servers.size === 0
    ? servers
    : new Map<string, ToolServer>([...servers, [OWN, new OwnTools(results)]]);
}

/** Puts new settings in force, in one step. Calls that run keep what they have; the caller sends the others back to decide. */
export function applyChange(parts: Parts, change: Changeable): void {
  const { prices, catalog, settings, backends, policies, loop, stated, scheduling } = change;
  Object.assign(parts, { prices, catalog, settings, backends });
  if (policies) parts.access.apply(policies.text, policies.profile);
  if (loop) parts.loops.tune(loop);
  if (stated) parts.governor.stated.set(stated, parts.clock.now());
  if (scheduling) parts.scheduler.tune(scheduling, scheduling.tuning);
  if (scheduling?.policy) parts.scheduler.setPolicy(scheduling.policy);
  parts.scheduler.setResources([...slotsOf(change), parts.broker.locks]);
}

const slotsOf = ({ catalog }: Changeable): Slots[] =>
  [...catalog.backends.values()].map((spec) => new Slots(spec.id, spec.slots, termsOf(spec)));

/** What serving costs there: an engine's time, or a provider's limits. */
export const termsOf = ({ credential, cacheTokens, keeps, continues, prefills }: BackendSpec): Terms => ({
  ...(credential === 'local' ? ENGINE : HOSTED),
  // A hosted API's cache is its provider's matter; that of an engine of one's own is shared by those who are let in.
  cacheTokens: cacheTokens ?? (credential === 'local' ? 'learned' : undefined),
  keeps,
  continues: continues !== undefined || prefills === true,
});

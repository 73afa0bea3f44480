/** One life of the kernel: the real parts of layers 0 to 5 and the operators' verbs, opened on the simulated disk. */

import { readFileSync } from 'node:fs';
import { Access } from '../../src/access/decide.ts';
import type { BackendId } from '../../src/base/ids.ts';
import type { ModelBackend } from '../../src/base/ports.ts';
import type { Random } from '../../src/base/random.ts';
import type { Account } from '../../src/budget/accounts.ts';
import { Shelf } from '../../src/drivers/engine/shelf.ts';
import { Arrivals } from '../../src/gate/arrivals.ts';
import { expireQuestions } from '../../src/gate/ask.ts';
import { Gate } from '../../src/gate/gate.ts';
import { type Changeable, openParts } from '../../src/gate/open.ts';
import type { Parts } from '../../src/gate/parts.ts';
import { recover } from '../../src/gate/recovery.ts';
import { agentVerbs } from '../../src/gateway/control/agents.ts';
import type { ControlContext } from '../../src/gateway/control/context.ts';
import { moneyVerbs } from '../../src/gateway/control/money.ts';
import { rightsVerbs } from '../../src/gateway/control/rights.ts';
import { Door } from '../../src/gateway/door.ts';
import type { Policy } from '../../src/scheduler/policy.ts';
import { NAMES, newCatalog, newPrices, type Slots, specsOf } from './market.ts';
import { POLICIES } from './standing.ts';
import type { LifeStore } from './store.ts';
import type { LifeClock } from './time.ts';

export const VERBS = { ...agentVerbs, ...moneyVerbs, ...rightsVerbs };
export const UPKEEP_MS = 30_000;
export const LOOP = { repeats: 3, windowMs: 60_000, nanoUsdPerHour: 1e15 };
const SETTINGS = {
  askHoldMs: 20_000,
  askExpiresMs: 90_000,
  bodies: 'keep',
  hostedTools: [],
  holdAll: false,
  onLimit: 'wait',
  maxHoldMs: 600_000,
} as const;

/** All money comes from one account, as mezz.yaml would say. */
const ACCOUNTS: readonly Account[] = [
  { id: 'money', parent: null, kind: 'group', provider: '', owner: null },
  ...NAMES.map((name) => ({
    id: `money-${name}`,
    parent: 'money',
    kind: 'kernel',
    provider: name,
    owner: null,
  })),
] as unknown as Account[];

// One holder for all lives: its engine keeps parsed policies for ever, and a life changes nothing but the text.
const schema = readFileSync(new URL('../../policies/schema.cedarschema', import.meta.url), 'utf8');
const access = new Access({ schema, policies: POLICIES.plain, profile: 'default' });

export interface LifeOptions {
  readonly clock: LifeClock;
  readonly store: LifeStore;
  readonly random: Random;
  readonly slots: Slots;
  readonly policy: Policy<unknown>;
  newBackend(spec: ReturnType<typeof specsOf>[number]): ModelBackend;
  /** Breaks a part on purpose, so that the oracle can show that it sees. */
  sabotage(parts: Parts): void;
  readonly recovers: boolean;
}

export class Life {
  readonly clock: LifeClock;
  readonly store: LifeStore;
  readonly gate: Gate;
  readonly door: Door;
  readonly context: ControlContext;
  readonly #options: LifeOptions;

  private constructor(options: LifeOptions, parts: Parts) {
    this.#options = options;
    this.clock = options.clock;
    this.store = options.store;
    this.gate = new Gate(parts);
    this.door = new Door(this.gate, new Arrivals(this.gate, new Uint8Array(32)), () => '');
    this.context = contextOf(this.gate);
    this.#upkeep();
  }

  /** Opens the store, recovers, and is ready for callers. */
  static async open(options: LifeOptions): Promise<Life> {
    const { clock, store, random, policy } = options;
    if (access.text() !== POLICIES.plain) access.apply(POLICIES.plain, 'default');
    const parts = await openParts({
      ...changeableOf(options, options.slots),
      store,
      clock,
      random,
      access,
      loop: LOOP,
      scheduling: { policy, maxWaitMs: 60_000, queue: 6 },
    });
    await store.commit({ puts: parts.accounts.declare(ACCOUNTS).puts });
    options.sabotage(parts);
    if (options.recovers) await recover(parts);
    return new Life(options, parts);
  }

  /** What a changed mezz.yaml does. */
  reload(slots: Slots): void {
    this.gate.change(changeableOf(this.#options, slots));
  }

  #upkeep(): void {
    this.clock.after(UPKEEP_MS, () => {
      expireQuestions(this.gate.parts).catch(() => {});
      this.#upkeep();
    });
  }
}

function changeableOf(options: LifeOptions, slots: Slots): Changeable {
  const backends = new Map<BackendId, ModelBackend>();
  for (const spec of specsOf(slots)) backends.set(spec.id, options.newBackend(spec));
  return { backends, catalog: newCatalog(slots), prices: newPrices(), settings: SETTINGS };
}

const contextOf = (gate: Gate): ControlContext => ({
  gate,
  processes: { isThere: () => true, end: () => {} },
  origin: '',
  stateDir: '',
  version: '',
  startedAt: 0,
  warnings: () => [],
  engine: { shelf: new Shelf('/nowhere'), component: '/nowhere' },
  sheet: async () => ({ levels: [], guarantees: [] }),
  doctor: async () => [],
  config: () => ({ config: {}, file: null, problems: [] }),
  retention: () => ({}),
  configLimits: () => ({ limits: [] }),
  ordering: {
    view: () => {
      throw new Error('the simulation asks for no order');
    },
    set: () => {
      throw new Error('the simulation sets no order');
    },
    find: () => {
      throw new Error('the simulation asks for no policy');
    },
  },
  reload: async () => [],
  callTool: async () => ({ kind: 'released' }),
  resolveCall: async () => ({ kind: 'released' }),
  importTools: async () => ({ file: '', added: [], kept: [], problems: [], lines: [], left: [], notes: [] }),
  addBackend: async () => ({ file: '', added: [], kept: [], problems: [] }),
  shutDown: () => {},
});

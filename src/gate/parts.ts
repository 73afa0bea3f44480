/** What the stages work with: every subsystem, already open. kernel.ts puts it together; simulations do the same. */

import type { Approvals } from '../access/approvals.ts';
import type { Access } from '../access/decide.ts';
import type { Freezes } from '../access/freeze.ts';
import type { Keys } from '../access/keys.ts';
import type { Loops } from '../access/loop.ts';
import type { Coverage } from '../agents/coverage.ts';
import type { AgentTable } from '../agents/table.ts';
import type { Turns } from '../agents/turns.ts';
import type { Clock } from '../base/clock.ts';
import type { Refusal } from '../base/errors.ts';
import type { BackendId } from '../base/ids.ts';
import type { Observer } from '../base/observer.ts';
import type { ModelBackend } from '../base/ports.ts';
import type { Random } from '../base/random.ts';
import type { Accounts } from '../budget/accounts.ts';
import type { Estimator } from '../budget/estimate.ts';
import type { Ledger } from '../budget/ledger.ts';
import type { Prices } from '../budget/prices.ts';
import type { Reserves } from '../budget/reserves.ts';
import type { Windows } from '../budget/windows.ts';
import type { Store } from '../db/store.ts';
import type { ContextStore } from '../journal/context.ts';
import type { Journal } from '../journal/journal.ts';
import type { Salts } from '../journal/salts.ts';
import type { Governor } from '../scheduler/governor.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { Arguments } from '../tools/arguments.ts';
import type { Broker } from '../tools/broker.ts';
import type { Results } from '../tools/results.ts';
import type { ToolServers } from '../tools/servers.ts';
import type { Shown } from '../tools/shown.ts';
import type { Tasks } from '../tools/tasks.ts';
import type { Traffic } from '../tools/traffic.ts';
import type { Uses } from '../tools/uses.ts';
import type { Catalog } from './catalog.ts';
import type { Epochs } from './epochs.ts';
import type { Waits } from './waits.ts';

export type OnLimit = 'wait' | 'sleep' | 'fail';

export interface Settings {
  readonly askHoldMs: number;
  readonly askExpiresMs: number;
  readonly bodies: 'keep' | 'digest' | 'off';
  /** Provider-hosted tools that act and are permitted, by type. */
  readonly hostedTools: readonly string[];
  /** Hold the tool calls of every agent that has no switch of its own. */
  readonly holdAll: boolean;
  /**
   * What happens to a call that a provider's rate limit refuses: it waits for the limit; the same, and where that takes
   * too long its agent is paused until then; or the answer passes. Agents may have it otherwise.
   */
  readonly onLimit: OnLimit;
  /** How long it waits at most. */
  readonly maxHoldMs: number;
}

export interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly journal: Journal;
  readonly context: ContextStore;
  readonly salts: Salts;
  readonly access: Access;
  readonly approvals: Approvals;
  readonly freezes: Freezes;
  readonly keys: Keys;
  readonly loops: Loops;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly estimator: Estimator;
  readonly windows: Windows;
  readonly reserves: Reserves;
  readonly scheduler: Scheduler;
  readonly governor: Governor;
  readonly broker: Broker;
  readonly servers: ToolServers;
  readonly uses: Uses;
  readonly results: Results;
  readonly tasks: Tasks;
  readonly shown: Shown;
  readonly arguments: Arguments;
  readonly traffic: Traffic;
  readonly agents: AgentTable;
  readonly turns: Turns;
  readonly coverage: Coverage;
  readonly epochs: Epochs;
  readonly waits: Waits;
  /** Calls in the gate, and tool calls it let go whose END is being written: nobody else may end them. */
  readonly ending: Set<string>;
  readonly observer: Observer;
  /** Why no new call may enter at all just now, if so: the disk has no room for what it would have to store. */
  readonly barred: () => Refusal | undefined;
  /** These change when mezz.yaml is read again. */
  prices: Prices;
  catalog: Catalog;
  settings: Settings;
  backends: ReadonlyMap<BackendId, ModelBackend>;
}

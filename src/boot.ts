/** Puts the kernel together: the only file that knows every module. Opens the store, recovers, then listens. */
import { readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS as accessLimits } from './access/limits.ts';
import { LIMITS as agentLimits } from './agents/limits.ts';
import type { Finding } from './base/control.ts';
import type { BackendId } from './base/ids.ts';
import { isRecord, type JsonRecord } from './base/json.ts';
import type { BackendSpec, ModelBackend } from './base/ports.ts';
import { LIMITS as budgetLimits } from './budget/limits.ts';
import { Prices } from './budget/prices.ts';
import { accountsOf } from './config/accounts.ts';
import { type Config, formatProblem } from './config/config.ts';
import { readKeys } from './config/keys.ts';
import { loadConfig, watchConfig } from './config/load.ts';
import { newCatalog } from './config/models.ts';
import { TABLES } from './db/schema/index.ts';
import { META } from './db/schema/meta.ts';
import { openSqliteStore } from './db/sqlite/store.ts';
import { type Store, StoreError } from './db/store.ts';
import { systemClock } from './drivers/clock.ts';
import { LIMITS as driverLimits } from './drivers/limits.ts';
import { HttpModelBackend } from './drivers/models/http.ts';
import { systemRandom } from './drivers/random.ts';
import { Arrivals } from './gate/arrivals.ts';
import { expireQuestions } from './gate/ask.ts';
import { Gate } from './gate/gate.ts';
import { LIMITS as gateLimits } from './gate/limits.ts';
import { applyChange, type Changeable, openParts } from './gate/open.ts';
import type { Parts } from './gate/parts.ts';
import { recover } from './gate/recovery.ts';
import type { ControlContext } from './gateway/control/context.ts';
import { openControl } from './gateway/control/server.ts';
import { agentViews } from './gateway/control/views.ts';
import { Door } from './gateway/door.ts';
import { LIMITS as gatewayLimits } from './gateway/limits.ts';
import { openGateway } from './gateway/server.ts';
import { diagnose } from './guarantees/doctor.ts';
import { LIMITS as journalLimits } from './journal/limits.ts';
import { LIMITS as schedulerLimits } from './scheduler/limits.ts';
import { fifo } from './scheduler/policies/fifo.ts';
import { priority } from './scheduler/policies/priority.ts';
import { newMetrics } from './telemetry/metrics.ts';
import { LIMITS as wireLimits } from './wire/limits.ts';

export interface BootOptions {
  readonly stateDir: string;
  readonly configPath?: string;
  /** 0 takes a free one; mezz.yaml decides by default. */
  readonly port?: number;
}

export interface Running {
  readonly origin: string;
  /** Drains for at most `graceMs`, cuts what is left, and closes the store. */
  close(graceMs?: number): Promise<void>;
}

const ROOT = new URL('..', import.meta.url);
const readShipped = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const UPKEEP_MS = 30_000;
const CHECKPOINT_ENTRIES = 1000;
const RETENTION_MS = 3_600_000;

export async function boot(options: BootOptions): Promise<Running> {
  const loaded = await load(options);
  if (!loaded.config) {
    throw new StoreError(
      'failed',
      loaded.problems.map(formatProblem).join('\n'),
      'mend mezz.yaml, then mezz up',
    );
  }
  let config: Config = loaded.config;
  const store = await openStore(options.stateDir);
  const parts = await open(store, config);
  await recover(parts);
  const gate = new Gate(parts);
  const arrivals = new Arrivals(gate, await loginSalt(store));
  const metrics = meter(gate);
  const gateway = await openGateway(
    new Door(gate, arrivals, () => metrics.render()),
    options.port ?? config.port,
  );
  await parts.journal.append({
    entries: [{ kind: 'config', agent: 0, body: { started: readVersion(), log: config.journal.bodies } }],
  });
  let problems: string[] = [];
  const reload = (next: Config, found: readonly string[]) => {
    problems = [...found];
    if (next === config) return;
    config = next;
    for (const old of parts.backends.values()) void old.close();
    applyChange(parts, changeableOf(config));
    gate.interrupt(new Set(), 'config');
  };
  const context: ControlContext = {
    gate,
    origin: gateway.origin,
    stateDir: options.stateDir,
    version: readVersion(),
    startedAt: parts.clock.now(),
    warnings: () => warnings(parts, problems),
    doctor: () => doctor(parts, options.stateDir),
    config: () => ({ config: showConfig(config), file: loaded.file, problems }),
    configLimits: () => ({ limits: listLimits() }),
    reload: async () => {
      const again = await load(options);
      reload(again.config ?? config, again.problems.map(formatProblem));
      return problems;
    },
    shutDown: () => setImmediate(() => process.kill(process.pid, 'SIGTERM')),
  };
  const control = await openControl(context, join(options.stateDir, 'control.sock'));
  const stopWatch = loaded.file
    ? watchConfig(loaded.file, config, (change) => reload(change.config, change.problems.map(formatProblem)))
    : () => {};
  const stopTimers = startTimers(parts, () => config);
  return {
    origin: gateway.origin,
    async close(graceMs = 10_000) {
      stopWatch();
      stopTimers();
      const stopped = gateway.stop();
      await gate.drain(graceMs);
      gateway.cut();
      await stopped;
      await control.close();
      await parts.journal.checkpoint();
      await Promise.all([saveUsedKeys(parts), ...[...parts.backends.values()].map((one) => one.close())]);
      await store.close();
    },
  };
}

const load = (options: BootOptions) =>
  loadConfig(options.configPath, { ...process.env, MEZZ_HOME: options.stateDir });

function openStore(directory: string): Promise<Store> {
  return openSqliteStore({
    directory,
    tables: TABLES,
    // Nothing may be acknowledged that is not stored: without a store the kernel ends, and the next start recovers.
    onFatal: (error) => {
      process.stderr.write(`mezz: the store failed: ${error.message}\n`);
      process.exit(1);
    },
  });
}

async function open(store: Store, config: Config): Promise<Parts> {
  const policies = [
    readShipped('policies/default.cedar'),
    ...config.access.files.map((file) => readFileSync(file, 'utf8')),
  ];
  const parts = await openParts({
    store,
    clock: systemClock,
    random: systemRandom,
    access: {
      schema: readShipped('policies/schema.cedarschema'),
      policies: policies.join('\n'),
      profile: config.access.profile,
    },
    loop: config.loop,
    scheduling: {
      policy: config.scheduling.policy === 'fifo' ? fifo : priority,
      maxWaitMs: config.scheduling.maxWaitMs,
      queue: config.scheduling.queue,
    },
    ...changeableOf(config),
  });
  const limits = config.limits.map((limit) => parts.ledger.setLimit(limit));
  await store.commit({
    puts: [...limits.flatMap((limit) => limit.puts), ...parts.accounts.declare(accountsOf(config)).puts],
  });
  return parts;
}

/** What mezz.yaml may change while the kernel runs. */
function changeableOf(config: Config): Changeable {
  const { keys } = readKeys(config, process.env);
  const keyHeaders = (spec: BackendSpec): string[] => {
    const key = keys.get(spec.id);
    if (key === undefined) return [];
    return spec.dialects.includes('anthropic') ? ['x-api-key', key] : ['authorization', `Bearer ${key}`];
  };
  const backends = new Map<BackendId, ModelBackend>();
  for (const { spec } of config.backends)
    backends.set(spec.id, new HttpModelBackend(spec, systemClock, keyHeaders));
  return {
    backends,
    catalog: newCatalog(config, (backend) => keys.has(backend)),
    prices: new Prices(
      config.models.flatMap((model) =>
        model.price === undefined ? [] : [{ pattern: model.alias ?? model.pattern, price: model.price }],
      ),
    ),
    settings: {
      askHoldMs: config.ask.holdMs,
      askExpiresMs: config.ask.expiresMs,
      bodies: config.journal.bodies,
    },
  };
}

/** Names accounts of clients' own logins without keeping the logins; made once per installation. */
async function loginSalt(store: Store): Promise<Uint8Array> {
  const row = await store.get(META, ['loginSalt']);
  if (row) return Buffer.from(row.v, 'hex');
  const salt = Buffer.from(systemRandom.bytes(32));
  await store.commit({ puts: [{ table: META, row: { k: 'loginSalt', v: salt.toString('hex') } }] });
  return salt;
}

/** When keys were last used is written now and then, never by a request. */
async function saveUsedKeys({ keys, store }: Parts): Promise<void> {
  const { puts } = keys.takeUsed();
  if (puts.length > 0) await store.commit({ puts });
}

/** Expired questions, checkpoints of the log, retention. */
function startTimers(parts: Parts, config: () => Config): () => void {
  let stopped = false;
  let checkpointed = parts.journal.size;
  let prunedAt = parts.clock.now();
  const tick = async () => {
    const now = parts.clock.now();
    await expireQuestions(parts);
    if (parts.journal.size - checkpointed >= CHECKPOINT_ENTRIES) {
      await parts.journal.checkpoint();
      checkpointed = parts.journal.size;
    }
    if (now - prunedAt >= RETENTION_MS) {
      prunedAt = now;
      const gone = await parts.store.prune({
        beforeMs: now - config().journal.keepMs,
        keepBytes: config().journal.keepBytes,
      });
      if (gone.blobs > 0)
        await parts.journal.append({ entries: [{ kind: 'prune', agent: 0, body: { ...gone } }] });
    }
  };
  const next = () => {
    cancel = parts.clock.after(UPKEEP_MS, () => void tick().then(() => stopped || next()));
  };
  let cancel: () => void = () => {};
  next();
  return () => {
    stopped = true;
    cancel();
  };
}

function meter(gate: Gate) {
  const { parts } = gate;
  return newMetrics({
    agents: () => {
      const states = new Map<string, number>();
      for (const view of agentViews(gate, parts.agents.all()))
        states.set(view.state, (states.get(view.state) ?? 0) + 1);
      return [...states].map(([state, count]) => [count, state] as const);
    },
    running: () => [...parts.catalog.backends.keys()].map((id) => [parts.scheduler.busy(id), id] as const),
    waiting: () => {
      const counts = new Map<string, number>();
      for (const wait of parts.waits.all())
        counts.set(
          `${wait.reason} ${wait.resource}`,
          (counts.get(`${wait.reason} ${wait.resource}`) ?? 0) + 1,
        );
      return [...counts].map(([name, count]) => [count, ...(name.split(' ') as [string, string])] as const);
    },
    approvalsOpen: () => parts.approvals.list(false).length,
    budgets: () =>
      parts.ledger
        .limits()
        .filter((limit) => limit.dimension === 'usd')
        .map((limit) => [(limit.cap - limit.used - limit.held) / 1e9, limit.scope] as const),
    commits: () => parts.journal.size,
  });
}

const SAME_USER =
  "without a sandbox an agent runs as your user: it can read mezz's keys and approve its own questions";

function warnings(parts: Parts, problems: readonly string[]): string[] {
  const observing = parts.access.profile === 'observe' ? ['profile observe: nothing is refused'] : [];
  return [SAME_USER, ...observing, ...problems];
}

async function doctor(parts: Parts, stateDir: string): Promise<Finding[]> {
  const directory = statSync(stateDir);
  const disk = statfsSync(stateDir);
  const uid = process.getuid?.() ?? 0;
  return diagnose({
    nodeVersion: process.versions.node,
    sqliteVersion: process.versions.sqlite ?? '0',
    platform: process.platform,
    stateDir: { path: stateDir, mode: directory.mode, uid: directory.uid },
    uid,
    agentUid: uid,
    sandboxed: false,
    freeBytes: disk.bavail * disk.bsize,
    profile: parts.access.profile,
    backends: [...parts.catalog.backends.values()].map((spec) => ({
      id: spec.id,
      credential: spec.credential,
      ready: spec.credential !== 'kernel' || parts.catalog.hasKey(spec.id),
    })),
    hooks: [],
  });
}

/** The config as it is in force. It names where keys are and holds none. */
function showConfig(config: Config): JsonRecord {
  const shown: unknown = JSON.parse(JSON.stringify(config));
  return isRecord(shown) ? shown : {};
}

const FOLDER_LIMITS = {
  access: accessLimits,
  agents: agentLimits,
  budget: budgetLimits,
  drivers: driverLimits,
  gate: gateLimits,
  gateway: gatewayLimits,
  journal: journalLimits,
  scheduler: schedulerLimits,
  wire: wireLimits,
};

function listLimits() {
  return Object.entries(FOLDER_LIMITS).flatMap(([folder, limits]) =>
    Object.entries(limits).map(([name, limit]) => ({ folder, name: `${folder}.${name}`, ...limit })),
  );
}

function readVersion(): string {
  return (JSON.parse(readShipped('package.json')) as { version: string }).version;
}

/** Puts the kernel together: the only file that knows every module. Recovers on an open store, then listens. */
import { readFileSync, statSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, join } from 'node:path';
import { Access } from './access/decide.ts';
import { LIMITS as accessLimits } from './access/limits.ts';
import type { Written } from './access/policies.ts';
import { LIMITS as agentLimits } from './agents/limits.ts';
import type { KeyHolder } from './agents/resolve.ts';
import type { Finding, HookTrial } from './base/control.ts';
import { isRecord, type JsonRecord } from './base/json.ts';
import { observeAll } from './base/observer.ts';
import { LIMITS as budgetLimits } from './budget/limits.ts';
import type { Config } from './config/config.ts';
import { Settings } from './config/settings.ts';
import { TABLES } from './db/schema/index.ts';
import { META } from './db/schema/meta.ts';
import { openSqliteStore } from './db/sqlite/store.ts';
import type { Threads } from './db/sqlite/threads.ts';
import { type Store, StoreError } from './db/store.ts';
import { systemClock } from './drivers/clock.ts';
import { diskFree, diskGuard, lowDisk } from './drivers/disk.ts';
import { Shelf } from './drivers/engine/shelf.ts';
import { LIMITS as driverLimits } from './drivers/limits.ts';
import { loadPools } from './drivers/pool.ts';
import { newProcesses } from './drivers/processes.ts';
import { systemRandom } from './drivers/random.ts';
import { ValidatedFile } from './drivers/validated.ts';
import { systemWorkspace } from './drivers/workspace.ts';
import { Arrivals } from './gate/arrivals.ts';
import { expireQuestions } from './gate/ask.ts';
import { superviseAgents } from './gate/exits.ts';
import { Gate } from './gate/gate.ts';
import { LIMITS as gateLimits } from './gate/limits.ts';
import type { Asked } from './gate/offered.ts';
import { openParts } from './gate/open.ts';
import type { Parts } from './gate/parts.ts';
import { recover } from './gate/recovery.ts';
import type { ControlContext } from './gateway/control/context.ts';
import { openControl } from './gateway/control/server.ts';
import { Door } from './gateway/door.ts';
import { LIMITS as gatewayLimits, type Patience } from './gateway/limits.ts';
import { type Gateway, openGateway } from './gateway/server.ts';
import { diagnose } from './guarantees/doctor.ts';
import { readTrials, recordTrials } from './guarantees/trials.ts';
import { LIMITS as journalLimits } from './journal/limits.ts';
import { type RetentionRule, retire } from './journal/retention.ts';
import { LIMITS as schedulerLimits } from './scheduler/limits.ts';
import { LIMITS as telemetryLimits } from './telemetry/limits.ts';
import type { Level, Log } from './telemetry/log.ts';
import { type Metrics, newMetrics } from './telemetry/metrics.ts';
import { kernelSources } from './telemetry/sources.ts';
import { watchTrouble } from './telemetry/trouble.ts';
import { LIMITS as toolLimits } from './tools/limits.ts';
import { LIMITS as wireLimits } from './wire/limits.ts';

export interface BootOptions {
  readonly stateDir: string;
  readonly configPath?: string;
  /** 0 takes a free one; mezz.yaml decides by default. */
  readonly port?: number;
  /** How slow a client may be; the limits of the gateway by default. */
  readonly patience?: Patience;
  /** Where the log goes (the error stream by default), and from which level on (info by default). */
  readonly logFile?: string;
  readonly logLevel?: Level;
  /** Free bytes on the disk of the state directory, for tests; the disk itself is asked by default. */
  readonly diskFree?: () => number;
}

export interface Running {
  readonly origin: string;
  readonly log: Log;
  /** Drains for at most `graceMs`, cuts what is left, and closes the store. */
  close(graceMs?: number): Promise<void>;
}

const ROOT = new URL('..', import.meta.url);
const readShipped = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const SCHEMA = readShipped('policies/schema.cedarschema');
const UPKEEP_MS = 30_000;
/** After the first answer that somebody waits for, and before the first call of an agent that is started now. */
const WARM_MS = 100;
const CHECKPOINT_ENTRIES = 1000;
const RETENTION_MS = 3_600_000;
const processes = newProcesses(systemClock);

/** Beside the compiled code, where that is kept: one for all state directories, and nothing is lost with it. */
function remembered<T>(name: string): ValidatedFile<T> | undefined {
  const cache = getCompileCacheDir();
  return cache === undefined ? undefined : new ValidatedFile<T>(join(dirname(cache), name));
}

/** Opens everything or nothing, on a store whose threads are coming up. */
export async function start(options: BootOptions, log: Log, threads: Threads): Promise<Running> {
  const engine = {
    shelf: new Shelf(join(options.stateDir, 'models')),
    component: join(options.stateDir, 'engine'),
  };
  const settings = await Settings.open({
    engine,
    logins: join(options.stateDir, 'logins'),
    configPath: options.configPath,
    env: { ...process.env, MEZZ_HOME: options.stateDir },
    clock: systemClock,
    shipped: { schema: SCHEMA, policies: readShipped('policies/default.cedar') },
    validated: remembered<readonly Written[]>('policies.valid'),
    admitted: remembered<boolean>('settings.valid'),
    told: (problems) => {
      for (const problem of problems) log.warn('config.problem', { problem });
      if (problems.length === 0) log.info('config.applied', { file: settings.file });
    },
  });
  const watcher = watchTrouble(log, systemClock);
  const metrics = newMetrics(readVersion());
  const commits = (tookMs: number, batches: number) => {
    metrics.committed(tookMs, batches);
    watcher.committed(tookMs, batches);
  };
  const store = await openStore(options.stateDir, threads, log, commits);
  try {
    const free = options.diskFree ?? (() => diskFree(options.stateDir));
    const watching = { observer: observeAll([metrics, watcher]), barred: diskGuard(free, systemClock) };
    const parts = await open(store, settings, watching);
    return await serve({ options, log, metrics, parts, free, settings });
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Opened {
  readonly options: BootOptions;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly parts: Parts;
  readonly free: () => number;
  readonly settings: Settings;
}

/** Recovers, then listens. */
async function serve(opened: Opened): Promise<Running> {
  const { options, log, metrics, parts, free, settings } = opened;
  const recovered = await recover(parts);
  const gate = new Gate(parts);
  metrics.read(kernelSources(gate, free));
  const arrivals = new Arrivals(gate, await loginSalt(parts.store));
  const door = new Door(gate, arrivals, () => metrics.render(), readVersion());
  const gateway = await listen(door, options.port ?? settings.config.port, options.patience);
  await parts.journal.append({
    entries: [
      { kind: 'config', agent: 0, body: { started: readVersion(), log: settings.config.journal.bodies } },
    ],
  });
  let graceMs = 10_000;
  const context: ControlContext = {
    gate,
    processes,
    origin: gateway.origin,
    stateDir: options.stateDir,
    version: readVersion(),
    startedAt: parts.clock.now(),
    warnings: () => warnings(parts, free(), [...settings.problems, ...orderFaults(parts, settings)]),
    engine: settings.engine,
    sheet: async (agent) => (await import('./guarantees/sheet.ts')).agentSheet(parts, agent),
    doctor: (trials) => doctor(parts, options.stateDir, free(), trials),
    config: () => ({
      config: showConfig(settings.config),
      file: settings.file,
      problems: [...settings.problems],
    }),
    retention: () => retentionOf(settings.config, parts.clock.now()),
    configLimits: () => ({ limits: listLimits() }),
    ordering: settings.ordering,
    reload: async () => [...(await settings.reload())],
    callTool: ({ keyId, owner, pid, name: caller }, name, args) =>
      callTool(parts, arrivals, { keyId: keyId ?? '', owner, pid, name: caller }, { name, input: args }),
    resolveCall: (call, as) => arrivals.offered.resolve(call, as),
    importTools: (files, writes) => settings.importTools(files, writes),
    addBackend: (backend) => settings.addBackend(backend),
    shutDown: (askedMs) => {
      graceMs = askedMs;
      setImmediate(() => process.kill(process.pid, 'SIGTERM'));
    },
  };
  const control = await openControl(context, join(options.stateDir, 'control.sock'));
  settings.watch(gate);
  // A server may take its time to start; who repeats such a call waits for it.
  void arrivals.offered.settleDoubts();
  void arrivals.offered.tasks.resume();
  const stopTimers = startTimers(gate, log, () => settings.config);
  logStart(opened, gateway.origin, recovered);
  return {
    origin: gateway.origin,
    log,
    async close(askedMs = graceMs) {
      log.info('kernel.draining', { calls: gate.flights.size, graceMs: askedMs });
      stopTimers();
      const stopped = gateway.stop();
      await gate.drain(askedMs);
      await gateway.cut();
      await stopped;
      await control.close();
      await parts.journal.checkpoint();
      await Promise.all([saveUsedKeys(parts), dropUses(parts), settings.close()]);
      await parts.store.close();
      log.info('kernel.stopped', { entries: parts.journal.size });
    },
  };
}

/** What a first call would load, a part a turn: others' requests come between. */
function warm({ access }: Parts): void {
  loadPools();
  setImmediate(() => access.warm());
}

async function callTool(parts: Parts, arrivals: Arrivals, caller: KeyHolder, asked: Asked) {
  const { call, outcome } = await arrivals.tooled(caller, asked, new AbortController().signal);
  if (call !== undefined) parts.uses.told(call, true);
  return outcome;
}

function logStart({ log, options, parts, settings }: Opened, origin: string, recovered: number): void {
  log.info('kernel.started', {
    version: readVersion(),
    node: process.versions.node,
    sqlite: process.versions.sqlite,
    pid: process.pid,
    origin,
    stateDir: options.stateDir,
    config: settings.file,
    profile: parts.access.profile,
    entries: parts.journal.size,
    inDoubt: recovered,
  });
}

function listen(door: Door, port: number, patience: Patience | undefined): Promise<Gateway> {
  return openGateway(door, port, patience).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    const why =
      error.code === 'EACCES' ? 'needs more rights than this user has' : 'is taken by another program';
    throw new StoreError(
      'failed',
      `port ${port} on 127.0.0.1 ${why}`,
      'mezz up --port 0 takes a free one; port: in mezz.yaml sets it for good',
    );
  });
}

function openStore(
  directory: string,
  threads: Threads,
  log: Log,
  onCommit: (tookMs: number, batches: number) => void,
): Promise<Store> {
  // Nothing may be acknowledged that is not stored: without a store the kernel ends, and the next start recovers.
  const onFatal = ({ code, message, remedy }: StoreError) => {
    log.error('store.failed', { code, message, remedy });
    process.exit(1);
  };
  return openSqliteStore({ directory, tables: TABLES, onCommit, onFatal }, threads);
}

async function open(
  store: Store,
  settings: Settings,
  watching: Pick<Parts, 'observer' | 'barred'>,
): Promise<Parts> {
  const parts = await openParts({
    store,
    clock: systemClock,
    random: systemRandom,
    workspace: systemWorkspace,
    toolServers: new Map(settings.toolServers.map((server) => [server.spec.id, server])),
    ...watching,
    ...settings.opening,
    access: new Access({ ...settings.access, schema: SCHEMA }),
  });
  await settings.enter(parts);
  return parts;
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

/** Uses of tools whose outcome has reached whoever asked: the next START takes them out, or this. */
async function dropUses({ uses, store }: Parts): Promise<void> {
  const deletes = uses.takeDue();
  if (deletes.length > 0) await store.commit({ deletes });
}

/** What mezz.yaml says is kept, at this instant. */
const retentionOf = ({ journal }: Config, now: number): RetentionRule => ({
  bodiesBeforeMs: now - journal.keepMs,
  keepBytes: journal.keepBytes,
  entriesBeforeMs: now - journal.entriesMs,
});

/** What a first call needs, expired questions, checkpoints of the log, retention, programs that are gone. */
function startTimers(gate: Gate, log: Log, config: () => Config): () => void {
  const { parts } = gate;
  const stopLooking = superviseAgents(gate, processes);
  const stopWarming = parts.clock.after(WARM_MS, () => warm(parts));
  let stopped = false;
  let checkpointed = parts.journal.size;
  let prunedAt = parts.clock.now();
  const tick = async () => {
    const now = parts.clock.now();
    await expireQuestions(parts);
    await dropUses(parts);
    if (parts.journal.size - checkpointed >= CHECKPOINT_ENTRIES) {
      await parts.journal.checkpoint();
      checkpointed = parts.journal.size;
    }
    if (now - prunedAt >= RETENTION_MS) {
      prunedAt = now;
      const gone = await retire(parts, retentionOf(config(), now));
      if (gone.blobs > 0 || gone.entries > 0) log.info('journal.pruned', { ...gone });
    }
  };
  const next = () => {
    cancel = parts.clock.after(UPKEEP_MS, () => void tick().then(() => stopped || next()));
  };
  let cancel: () => void = () => {};
  next();
  return () => {
    stopped = true;
    stopLooking();
    stopWarming();
    cancel();
  };
}

const SAME_USER =
  "without a sandbox an agent runs as your user: it can read mezz's keys and approve its own questions";

function warnings(parts: Parts, freeBytes: number, problems: readonly string[]): string[] {
  const observing = parts.access.profile === 'observe' ? ['profile observe: nothing is refused'] : [];
  return [SAME_USER, ...observing, ...[lowDisk(freeBytes) ?? []].flat(), ...problems];
}

function orderFaults({ scheduler }: Parts, { ordering }: Settings): string[] {
  return [ordering.problem ?? scheduler.fault ?? []].flat();
}

async function doctor(
  parts: Parts,
  stateDir: string,
  freeBytes: number,
  trials: readonly HookTrial[] | undefined,
): Promise<Finding[]> {
  if (trials) await recordTrials(parts.journal, trials, parts.clock.now());
  const directory = statSync(stateDir);
  const uid = process.getuid?.() ?? 0;
  return diagnose({
    nodeVersion: process.versions.node,
    sqliteVersion: process.versions.sqlite ?? '0',
    platform: process.platform,
    stateDir: { path: stateDir, mode: directory.mode, uid: directory.uid },
    uid,
    agentUid: uid,
    sandboxed: false,
    freeBytes,
    profile: parts.access.profile,
    backends: [...parts.catalog.backends.values()].map((spec) => ({
      id: spec.id,
      credential: spec.credential,
      ready: spec.credential !== 'kernel' || parts.catalog.hasKey(spec.id),
    })),
    logins: [...parts.servers.all()].map(({ spec, login }) => ({
      server: spec.id,
      state: login?.state ?? 'none',
    })),
    trials,
    known: await readTrials(parts.store),
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
  telemetry: telemetryLimits,
  tools: toolLimits,
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

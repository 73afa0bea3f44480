/**
 * The settings in force: what a config is to the parts of the kernel, and the way from one to the next while it runs.
 * Invariant: all that can be wrong is found before anything changes, so a mistake keeps all of the old; what changes,
 * changes in one step. This file alone of config/ knows what runs.
 */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { parsePolicies, type Validated } from '../access/policies.ts';
import type { Clock } from '../base/clock.ts';
import type { BackendId } from '../base/ids.ts';
import type { BackendSpec, ToolServer } from '../base/ports.ts';
import type { BackendDraft, SettingsChange } from '../base/sheets.ts';
import type { ToolDraft, ToolFile, ToolImport } from '../base/tools.ts';
import { Prices } from '../budget/prices.ts';
import { StoreError } from '../db/store.ts';
import { EngineBackend, type EnginePlaces } from '../drivers/engine/backend.ts';
import { LabBackend } from '../drivers/lab/backend.ts';
import { HttpModelBackend } from '../drivers/models/http.ts';
import { resumedRows } from '../gate/exhausted.ts';
import type { Gate } from '../gate/gate.ts';
import type { Changeable } from '../gate/open.ts';
import type { Parts } from '../gate/parts.ts';
import { accountsOf, statedOf } from './accounts.ts';
import { type BackendConfig, type Config, formatProblem } from './config.ts';
import type { Edited } from './edit.ts';
import { replaceFile } from './file.ts';
import { readKeys } from './keys.ts';
import { type Environment, loadConfig, newConfigFile, readText, watchFiles } from './load.ts';
import { newCatalog } from './models.ts';
import { Ordering } from './ordering.ts';
import type { Admitted } from './read.ts';
import type { OpenedServers } from './servers.ts';

export interface SettingsOptions {
  readonly configPath: string | undefined;
  readonly env: Environment;
  readonly clock: Clock;
  /** Where the engine's models and its library are. */
  readonly engine: EnginePlaces;
  /** The directory of logins at tool servers. */
  readonly logins: string;
  /** The access policies that come with mezz, and the schema of all. */
  readonly shipped: { readonly schema: string; readonly policies: string };
  readonly validated?: Validated | undefined;
  readonly admitted?: Admitted | undefined;
  /** After mezz.yaml was read again: what is wrong with it; nothing when all of it is in force. */
  told(problems: readonly string[]): void;
}

/** What becomes of the text of mezz.yaml. */
type Change = (edit: typeof import('./edit.ts'), text: string) => Edited | undefined;

interface Driver {
  readonly from: BackendConfig;
  readonly key: string | undefined;
  readonly backend: HttpModelBackend | LabBackend | EngineBackend;
}

/** A config that can be put in force: checked, and with what it needs from the machine. */
interface Ready {
  readonly config: Config;
  readonly policies: string;
  readonly keys: ReadonlyMap<BackendId, string>;
  readonly toolKeys: ReadonlyMap<string, string>;
}

export class Settings {
  readonly #options: SettingsOptions;
  #file: string | null;
  /** The settings that hold until the kernel ends, whatever mezz.yaml says later. */
  readonly #booted: Config;
  readonly #tools: OpenedServers;
  readonly ordering: Ordering;
  #ready: Ready;
  #config: Config;
  #drivers: ReadonlyMap<BackendId, Driver>;
  #problems: readonly string[];
  #parts: Parts | undefined;
  #gate: Gate | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #stopWatch: () => void = () => {};

  private constructor(
    options: SettingsOptions,
    file: string | null,
    { ready, keyProblems: problems }: Checked,
    tools: OpenedServers,
  ) {
    this.#options = options;
    this.#file = file;
    this.#booted = ready.config;
    this.#tools = tools;
    this.ordering = new Ordering(ready.config.scheduling);
    this.#config = ready.config;
    this.#ready = ready;
    this.#problems = problems;
    this.#drivers = this.#newDrivers(ready, new Map());
  }

  /** Reads mezz.yaml and its access policies. Throws StoreError with every mistake; a missing key is only a problem. */
  static async open(options: SettingsOptions): Promise<Settings> {
    const loaded = await loadConfig(options.configPath, options.env, options.admitted);
    const checked = loaded.config && prepare(options, loaded.config);
    const mistakes = checked ? checked.mistakes : loaded.problems.map(formatProblem);
    if (!checked || mistakes.length > 0)
      throw new StoreError('failed', mistakes.join('\n'), 'mend mezz.yaml, then mezz up');
    return new Settings(options, loaded.file, checked, await openTools(options, checked.ready));
  }

  /** Those of the settings the kernel was started with. */
  get toolServers(): readonly ToolServer[] {
    return this.#tools.servers;
  }

  get engine(): EnginePlaces {
    return this.#options.engine;
  }

  get config(): Config {
    return this.#config;
  }

  get file(): string | null {
    return this.#file;
  }

  /** What is wrong with mezz.yaml as it is now, or in it and not in force. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** What the parts of the kernel are opened with, but for the access policies. */
  get opening() {
    const { config } = this.#ready;
    const scheduling = this.ordering.opening;
    return { ...changeOf(this.#ready, this.#drivers), loop: config.loop, scheduling };
  }

  get access() {
    return { policies: this.#ready.policies, profile: this.#ready.config.access.profile };
  }

  /** The rows that the settings ask for: accounts and limits. */
  async enter(parts: Parts): Promise<void> {
    this.#parts = parts;
    const { puts, deletes } = declareMoney(parts, this.#config, undefined);
    await parts.store.commit({ puts, deletes });
    await this.ordering.enter(parts);
  }

  /** From now on a change of mezz.yaml, or of an access policy file it names, is put in force. */
  watch(gate: Gate): void {
    this.#gate = gate;
    this.#watchFiles(this.#config);
  }

  async close(): Promise<void> {
    this.#stopWatch();
    await this.#turn;
    await Promise.all([...this.#drivers.values()].map(({ backend }) => backend.close()));
    await this.#tools.close();
  }

  /** Reads everything again, one after the other; the problems that remain. */
  reload(): Promise<readonly string[]> {
    const turn = this.#turn.then(() => this.#reload());
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /**
   * Writes a local backend into mezz.yaml (a new one where there is none) and puts it in force. A file that is not
   * right, before or after, is left as it is: the mistakes are the answer.
   */
  addBackend(backend: BackendDraft): Promise<SettingsChange> {
    return this.#write((edit, text) => edit.addBackend(text, backend));
  }

  /** Writes tool servers of other programs' files into mezz.yaml, or only says what it would write. */
  async importTools(files: readonly ToolFile[], writes: boolean): Promise<ToolImport> {
    const [{ readToolFile }, { toolLines }] = await Promise.all([
      import('./toolfiles.ts'),
      import('./edit.ts'),
    ]);
    const drafts = new Map<string, ToolDraft>();
    const [unread, others]: [string[], string[]] = [[], []];
    for (const { path, text } of files) {
      const read = readToolFile(path, text);
      if (typeof read === 'string') unread.push(read);
      else
        for (const draft of read) {
          const first = drafts.get(draft.id);
          if (!first) drafts.set(draft.id, draft);
          else if (JSON.stringify(first) !== JSON.stringify(draft))
            others.push(`${draft.id}: another one of ${path} that would get this name is left out`);
        }
    }
    const change = await this.#write((edit, text) => edit.addTools(text, [...drafts.values()]), writes);
    const added = [...drafts.values()].filter(({ id }) => change.added.includes(id));
    const of = (what: 'left' | 'notes') =>
      added.flatMap(({ id, [what]: each }) => each.map((one) => `${id}: ${one}`));
    return {
      ...change,
      problems: [...change.problems, ...unread],
      ...{ lines: toolLines(added), left: of('left'), notes: [...of('notes'), ...others] },
    };
  }

  #write(change: Change, writes = true): Promise<SettingsChange> {
    const turn = this.#turn.then(() => this.#edit(change, writes));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #edit(change: Change, writes: boolean): Promise<SettingsChange> {
    const file = this.#file ?? newConfigFile(this.#options.configPath, this.#options.env);
    const text = statSync(file, { throwIfNoEntry: false }) ? readText(file) : '';
    const nothing = { file, added: [], kept: [] };
    if (typeof text !== 'string') return { ...nothing, problems: [formatProblem(text)] };
    // The YAML and schema libraries load only where there is a file to read.
    const [edit, { readConfig }] = await Promise.all([import('./edit.ts'), import('./read.ts')]);
    const edited = change(edit, text);
    const read = readConfig(file, edited?.text ?? text, dirname(file), homedir());
    const oneLine = edited ? [] : [`${file}: nothing can be added to it. Write its settings one a line`];
    const problems = read.problems.length > 0 ? read.problems.map(formatProblem) : oneLine;
    if (!edited || problems.length > 0) return { ...nothing, problems };
    const { added, kept } = edited;
    if (!writes || added.length === 0) return { file, added, kept, problems: [] };
    replaceFile(file, edited.text);
    return { file, added, kept, problems: await this.#reload() };
  }

  async #reload(): Promise<readonly string[]> {
    const loaded = await loadConfig(this.#file ?? this.#options.configPath, this.#options.env);
    // A file that was made after the kernel started is the one from now on.
    this.#file ??= loaded.file;
    const checked = loaded.config && prepare(this.#options, loaded.config);
    // A key that cannot be read is a mistake here: the running kernel has it still.
    const mistakes = checked
      ? [...checked.mistakes, ...checked.keyProblems]
      : loaded.problems.map(formatProblem);
    this.#watchFiles(loaded.config ?? this.#config);
    if (!checked || mistakes.length > 0) this.#problems = mistakes;
    else await this.#force(checked.ready);
    this.#options.told(this.#problems);
    return this.#problems;
  }

  async #force(ready: Ready): Promise<void> {
    const parts = this.#parts as Parts;
    const before = { ready: this.#ready, config: this.#config, drivers: this.#drivers };
    this.#drivers = this.#newDrivers(ready, before.drivers);
    this.#ready = ready;
    this.#config = { ...ready.config, port: this.#booted.port };
    this.#problems = untilRestart(this.#booted, ready.config);
    const { puts, deletes, changed } = declareMoney(parts, this.#config, before.config);
    const scheduling = this.ordering.follow(ready.config.scheduling);
    this.#gate?.change({
      ...changeOf(ready, this.#drivers),
      ...changedOf(ready, before.ready),
      ...(scheduling ? { scheduling } : {}),
    });
    const kept = new Set([...this.#drivers.values()].map(({ backend }) => backend));
    for (const { backend } of before.drivers.values()) if (!kept.has(backend)) void backend.retire();
    const resumed = this.#gate?.exhausted.resume(changed) ?? [];
    const stored = resumedRows(resumed);
    const body = { reloaded: true, policyEpoch: parts.access.epoch, profile: parts.access.profile };
    await parts.journal.append({
      entries: [{ kind: 'config', agent: 0, body }, ...stored.entries],
      puts: [...puts, ...stored.puts],
      deletes,
    });
    this.#gate?.wake(resumed);
  }

  /** A backend that stayed the same keeps its driver, and so its connections and the calls that run over them. */
  #newDrivers({ config, keys }: Ready, old: ReadonlyMap<BackendId, Driver>): ReadonlyMap<BackendId, Driver> {
    return new Map(
      config.backends.map((from) => {
        const { spec } = from;
        const key = keys.get(spec.id);
        const kept = old.get(spec.id);
        if (kept && kept.key === key && JSON.stringify(kept.from) === JSON.stringify(from))
          return [spec.id, kept];
        return [spec.id, { from, key, backend: this.#newBackend(from, key) }];
      }),
    );
  }

  #newBackend({ spec, lab, engine }: BackendConfig, key: string | undefined): Driver['backend'] {
    const { clock, engine: places } = this.#options;
    if (lab) return new LabBackend(spec, lab, clock);
    if (engine) return new EngineBackend(spec, engine, places, clock);
    return new HttpModelBackend(spec, clock, keyHeaders(spec, key));
  }

  #watchFiles(config: Config): void {
    this.#stopWatch();
    if (this.#file !== null && this.#gate)
      this.#stopWatch = watchFiles([this.#file, ...config.access.files], () => void this.reload());
  }
}

interface Checked {
  readonly ready: Ready;
  readonly mistakes: readonly string[];
  readonly keyProblems: readonly string[];
}

/** Everything that can be wrong with a config whose text is right. */
function prepare(options: SettingsOptions, config: Config): Checked {
  const { schema, policies } = options.shipped;
  const mistakes: string[] = [];
  const texts = config.access.files.map((file) => {
    const text = readText(file);
    if (typeof text !== 'string') mistakes.push(formatProblem({ ...text, at: 'access.files' }));
    else mistakes.push(...policyMistakes(schema, text, file, options.validated));
    return typeof text === 'string' ? text : '';
  });
  const all = [policies, ...texts].join('\n');
  if (mistakes.length === 0)
    mistakes.push(...policyMistakes(schema, all, 'access policies', options.validated));
  const { keys, toolKeys, problems } = readKeys(config, options.env);
  const keyProblems = problems.map(({ at, message, remedy }) => `${at}.key: ${message}. ${remedy}`);
  return { ready: { config, policies: all, keys, toolKeys }, mistakes, keyProblems };
}

async function openTools(options: SettingsOptions, { config, toolKeys }: Ready): Promise<OpenedServers> {
  if (config.tools.length === 0) return { servers: [], close: async () => {} };
  const { openServers } = await import('./servers.ts');
  return openServers(config.tools, options, toolKeys);
}

const policyMistakes = (
  schema: string,
  text: string,
  where: string,
  validated: Validated | undefined,
): string[] =>
  parsePolicies(schema, text, validated)
    .findings.filter(({ level }) => level === 'fail')
    .map((finding) => `${where}: ${finding.text}${finding.remedy ? ` ${finding.remedy}` : ''}`);

function changeOf({ config, keys }: Ready, drivers: ReadonlyMap<BackendId, Driver>) {
  return {
    backends: new Map([...drivers].map(([id, { backend }]) => [id, backend])),
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
      hostedTools: config.hostedTools,
      holdAll: config.hold === 'all',
      onLimit: config.rateLimit.on,
      maxHoldMs: config.rateLimit.maxHoldMs,
    },
    stated: statedOf(config),
  };
}

/** What operators may have changed since stays, unless mezz.yaml itself says something else of it now. */
function changedOf(now: Ready, before: Ready): Pick<Changeable, 'policies' | 'loop'> {
  const { access, loop } = now.config;
  const sameRules = now.policies === before.policies && access.profile === before.config.access.profile;
  return {
    ...(sameRules ? {} : { policies: { text: now.policies, profile: access.profile } }),
    loop,
  };
}

function keyHeaders(spec: BackendSpec, key: string | undefined): () => string[] {
  if (key === undefined) return () => [];
  return () =>
    spec.dialects.includes('anthropic') ? ['x-api-key', key] : ['authorization', `Bearer ${key}`];
}

function declareMoney(parts: Parts, config: Config, before: Config | undefined) {
  const accounts = parts.accounts.declare(accountsOf(config));
  const limits = parts.ledger.declare(config.limits, before?.limits);
  return { ...limits, puts: [...accounts.puts, ...limits.puts] };
}

const untilRestart = (booted: Config, now: Config): string[] => [
  ...(booted.port === now.port
    ? []
    : [
        `port: ${now.port} takes effect at the next start; until then it is ${booted.port}. mezz down, then mezz up`,
      ]),
  ...(JSON.stringify(booted.tools) === JSON.stringify(now.tools)
    ? []
    : ['tools: what changed takes effect at the next start. mezz down, then mezz up']),
];

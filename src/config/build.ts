/** From settings that fit the schema to a Config: defaults filled in, units read, names checked against each other. */
import { join, resolve } from 'node:path';
import { assert } from '../base/assert.ts';
import type { AccountId, BackendId, OwnerId } from '../base/ids.ts';
import type { BackendSpec } from '../base/ports.ts';
import { LIMITS as budgetLimits } from '../budget/limits.ts';
import { capMistake } from '../budget/periods.ts';
import { ENGINE_DEFAULTS, type EngineOptions } from '../drivers/engine/options.ts';
import { LAB_DEFAULTS, type LabOptions } from '../drivers/lab/options.ts';
import type { BackendConfig, Config, Issue, KeySource, LimitConfig, ModelConfig, Price } from './config.ts';
import { DEFAULTS } from './defaults.ts';
import type { RawBackend, RawConfig, RawEngine, RawLab, RawLimit, RawModel } from './raw.ts';
import { buildTools } from './tools.ts';
import { parseDuration, parseMoney, parseShare, parseSize } from './units.ts';

export interface Built {
  readonly config: Config;
  readonly issues: readonly Issue[];
}

const { accountDepth } = budgetLimits;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export function buildConfig(raw: RawConfig, directory: string, home: string): Built {
  const issues: Issue[] = [];
  const path = (text: string) =>
    text.startsWith('~/') ? join(home, text.slice(2)) : resolve(directory, text);
  const backends = buildBackends(raw, path, issues);
  const accounts = buildAccounts(raw, issues);
  const scheduling = { ...DEFAULTS.scheduling, ...raw.scheduling };
  const journal = { ...DEFAULTS.journal, ...raw.journal };
  const ask = { ...DEFAULTS.ask, ...raw.ask };
  const rateLimit = { ...DEFAULTS.rateLimit, ...raw.rateLimit };
  const loop = { ...DEFAULTS.loop, ...raw.loop };
  const config: Config = {
    port: raw.port ?? DEFAULTS.port,
    backends,
    models: buildModels(raw, new Set(backends.map(({ spec }) => spec.id)), issues),
    accounts,
    limits: buildLimits(
      raw,
      new Set([...accounts.map(({ id }) => id), ...backends.map(({ spec }) => spec.account)]),
      issues,
    ),
    access: {
      profile: raw.access?.profile ?? DEFAULTS.access.profile,
      files: (raw.access?.files ?? []).map(path),
    },
    scheduling: {
      policy: scheduling.policy,
      maxWaitMs: duration(scheduling.maxWait),
      queue: scheduling.queue,
      weights: scheduling.weights,
    },
    journal: {
      bodies: journal.bodies,
      keepMs: duration(`${journal.keepDays}d`),
      entriesMs: duration(`${journal.entriesDays}d`),
      keepBytes: known(parseSize(journal.keepBytes)),
    },
    ask: { holdMs: duration(ask.hold), expiresMs: duration(ask.expires) },
    loop: {
      repeats: loop.repeats,
      windowMs: duration(loop.window),
      nanoUsdPerHour: nanoUsd(loop.usdPerHour),
    },
    rateLimit: { on: rateLimit.on, maxHoldMs: duration(rateLimit.maxHold) },
    hold: raw.hold ?? DEFAULTS.hold,
    hostedTools: raw.hostedTools ?? [],
    tools: buildTools(raw, path, issues),
  };
  return { config, issues };
}

/** The schema's pattern let it through: not a number here is a bug. */
function known(value: number | undefined): number {
  assert(value !== undefined, 'the schema admits only what units.ts reads');
  return value;
}
const duration = (text: string) => known(parseDuration(text));
const nanoUsd = (usd: number) => Math.round(usd * 1e9);

/** The shipped entries under the user's; null removes one. */
function layered<V>(
  shipped: Readonly<Record<string, V>>,
  given: Readonly<Record<string, V | null>> | undefined,
) {
  const merged = new Map<string, V>(Object.entries(shipped));
  for (const [id, value] of Object.entries(given ?? {})) {
    if (value === null) merged.delete(id);
    else merged.set(id, { ...merged.get(id), ...value });
  }
  return merged;
}

function buildBackends(raw: RawConfig, path: (text: string) => string, issues: Issue[]): BackendConfig[] {
  const given = raw.backends ?? {};
  return [...layered<RawBackend>(DEFAULTS.backends, given)].map(([id, backend]) => {
    const at = ['backends', id];
    const credential = backend.credential ?? DEFAULTS.credential;
    issues.push(...checkUrl(at, backend), ...checkKey(at, backend, given[id]?.key));
    if (!backend.dialects?.length)
      issues.push({ at, message: 'dialects is missing', remedy: 'Add dialects: [openai-chat]' });
    const spec: BackendSpec = {
      id: id as BackendId,
      url: backend.lab ? 'lab:' : backend.engine ? 'engine:' : (backend.url ?? '').replace(/\/+$/, ''),
      dialects: backend.dialects ?? [],
      credential,
      provider: backend.provider ?? id,
      account: (backend.account ?? id) as AccountId,
      slots:
        backend.slots ??
        backend.engine?.sequences ??
        (backend.engine ? ENGINE_DEFAULTS.sequences : DEFAULTS.slots),
      ...cacheOf(backend),
      ...(backend.engine ? { keeps: backend.engine.kept ?? ENGINE_DEFAULTS.kept } : {}),
      ...(backend.continues && credential === 'local'
        ? { continues: backend.continues === 'tokens' ? 'tokens' : 'words' }
        : {}),
      ...(backend.prefills && credential === 'local' ? { prefills: true } : {}),
      ...(backend.hints?.length ? { hints: backend.hints } : {}),
      idleTimeoutMs: duration(backend.idleTimeout ?? DEFAULTS.idleTimeout),
      ...(backend.lab ? { label: 'lab' } : {}),
    };
    if (backend.lab) return { spec, lab: labOf(backend.lab) };
    if (backend.engine) return { spec, engine: engineOf(backend.engine) };
    const key = credential === 'client' || credential === 'local' ? undefined : backend.key;
    return key ? { spec, key: placed(key, path) } : { spec };
  });
}

function cacheOf({ cacheTokens, lab }: RawBackend): Pick<BackendSpec, 'cacheTokens'> {
  const tokens = cacheTokens ?? lab?.cacheTokens;
  return tokens === undefined ? {} : { cacheTokens: tokens };
}

function labOf({ fail = {}, ...given }: RawLab): LabOptions {
  return { ...LAB_DEFAULTS, ...given, failures: fail };
}

const engineOf = ({ window, ...given }: RawEngine): EngineOptions => ({
  ...ENGINE_DEFAULTS,
  ...given,
  ...(window === undefined ? {} : { windowTokens: window }),
});

const placed = (key: KeySource, path: (text: string) => string): KeySource =>
  'file' in key ? { file: path(key.file) } : key;

function checkUrl(at: string[], { url, credential, lab, engine }: RawBackend): Issue[] {
  if (lab && engine)
    return [{ at, message: 'it cannot be a lab and an engine', remedy: 'Remove lab or engine' }];
  if (lab) return checkInside('lab', at, url, credential);
  if (engine) return checkInside('engine', at, url, credential);
  if (url === undefined)
    return [{ at, message: 'url is missing', remedy: 'Add url: http://127.0.0.1:8000/v1' }];
  const parsed = URL.parse(url);
  const here = [...at, 'url'];
  if (!parsed) return [{ at: here, message: 'must be a URL', remedy: 'Write url: http://127.0.0.1:8000/v1' }];
  if (parsed.username !== '' || parsed.password !== '')
    return [
      {
        at: here,
        message: 'a login is part of this URL',
        remedy: 'Take it out and write key: { env: NAME }',
      },
    ];
  if (parsed.protocol === 'http:' && credential !== 'local' && !LOOPBACK.has(parsed.hostname))
    return [
      {
        at: here,
        message: 'a login would travel unencrypted to another machine',
        remedy: 'Write https://, or credential: local if none is needed',
      },
    ];
  return [];
}

/** The lab and the engine are opened by mezz itself, and nobody logs in to them. */
function checkInside(
  what: 'lab' | 'engine',
  at: string[],
  url: string | undefined,
  credential: RawBackend['credential'],
): Issue[] {
  const one = what === 'lab' ? 'a lab' : 'an engine';
  if (url !== undefined)
    return [{ at: [...at, 'url'], message: `${one} has no url`, remedy: `Remove url, or remove ${what}` }];
  if (credential === 'local') return [];
  return [{ at, message: `nobody logs in to ${one}`, remedy: 'Add credential: local' }];
}

function checkKey(at: string[], { credential, key }: RawBackend, given: KeySource | undefined): Issue[] {
  if (credential === 'kernel' && !key)
    return [{ at, message: 'key is missing', remedy: 'Add key: { env: NAME } or key: { file: PATH }' }];
  if (given && (credential === 'client' || credential === 'local'))
    return [
      {
        at: [...at, 'key'],
        message: `credential: ${credential} uses no key`,
        remedy: 'Remove it, or write credential: kernel',
      },
    ];
  return [];
}

function buildModels(raw: RawConfig, backends: ReadonlySet<string>, issues: Issue[]): ModelConfig[] {
  const shipped = Object.entries(DEFAULTS.models).map(
    ([name, model]) =>
      [name, { ...model, backends: model.backends.filter((id) => backends.has(id)) }] as const,
  );
  const served = Object.fromEntries(shipped.filter(([, model]) => model.backends.length > 0));
  return [...layered<RawModel>(served, raw.models)].map(([pattern, model]) => {
    for (const [index, id] of model.backends.entries())
      if (!backends.has(id)) issues.push(noBackend(['models', pattern, 'backends', index], id, backends));
    return {
      pattern,
      backends: model.backends as readonly BackendId[],
      ...(model.alias === undefined ? {} : { alias: model.alias }),
      ...(model.price === undefined ? {} : { price: toPrice(model.price) }),
      ...(model.window === undefined ? {} : { window: model.window }),
    };
  });
}

const noBackend = (at: Issue['at'], id: string, backends: ReadonlySet<string>): Issue => ({
  at,
  message: `there is no backend ${id}`,
  remedy: `Add it under backends, or use one of ${[...backends].join(', ')}`,
});

function toPrice(price: NonNullable<RawModel['price']>): Price {
  if (price === 'free') return 'free';
  return {
    input: nanoUsd(price.input),
    output: nanoUsd(price.output),
    cacheRead: nanoUsd(price.cacheRead ?? price.input),
    cacheWrite: nanoUsd(price.cacheWrite ?? price.input),
  };
}

function buildAccounts(raw: RawConfig, issues: Issue[]): Config['accounts'] {
  const given = raw.accounts ?? {};
  for (const [id, { parent }] of Object.entries(given)) {
    if (parent === undefined) continue;
    const at = ['accounts', id, 'parent'];
    if (!Object.hasOwn(given, parent)) {
      issues.push({
        at,
        message: `there is no account ${parent}`,
        remedy: `Add it: accounts: { ${parent}: {} }`,
      });
      continue;
    }
    const above = ancestors(given, id);
    if (above.includes(id)) {
      issues.push({
        at,
        message: `${id} would be its own ancestor`,
        remedy: 'Remove one of the parents in the circle',
      });
    } else if (above.length >= accountDepth.value) {
      issues.push({
        at,
        message: `${id} would stand deeper than ${accountDepth.value} accounts`,
        remedy: 'Give it a parent that stands higher',
      });
    }
  }
  return Object.entries(given).map(([id, { parent, owner, streams, usdPerHour }]) => ({
    id: id as AccountId,
    ...(parent === undefined ? {} : { parent: parent as AccountId }),
    ...(owner === undefined ? {} : { owner: owner as OwnerId }),
    ...(streams === undefined && usdPerHour === undefined
      ? {}
      : {
          stated: {
            ...(streams === undefined ? {} : { streams }),
            ...(usdPerHour === undefined ? {} : { nanoUsdPerHour: nanoUsd(usdPerHour) }),
          },
        }),
  }));
}

/** The accounts above `id`, nearest first, each once: a circle ends where it closes. */
function ancestors(accounts: NonNullable<RawConfig['accounts']>, id: string): string[] {
  const seen = new Set<string>();
  for (let at = accounts[id]?.parent; at !== undefined && !seen.has(at); at = accounts[at]?.parent)
    seen.add(at);
  return [...seen];
}

function buildLimits(raw: RawConfig, accounts: ReadonlySet<string>, issues: Issue[]): LimitConfig[] {
  const seen = new Set<string>();
  return (raw.limits ?? []).map((limit, index) => {
    const at = ['limits', index];
    const id = `${limit.scope} ${limit.dimension} ${limit.period}`;
    if (seen.has(id)) issues.push({ at, message: `a second limit for ${id}`, remedy: 'Keep one of them' });
    seen.add(id);
    const mistake = capMistake(limit);
    if (mistake)
      issues.push({
        at,
        message: `there can be no such limit: ${mistake}`,
        remedy: 'Change the scope or the period',
      });
    const account = /^account:(.*)$/.exec(limit.scope)?.[1];
    // A client's own login is an account too; its digest is known only when it calls.
    if (account !== undefined && !accounts.has(account) && !account.startsWith('client:'))
      issues.push({
        at: [...at, 'scope'],
        message: `there is no account ${account}`,
        remedy: `Add it under accounts, or use one of ${[...accounts].join(', ')}`,
      });
    return { ...limit, cap: toCap(limit, [...at, 'cap'], issues), strict: limit.strict ?? false };
  });
}

const CAP_EXAMPLE: Partial<Record<RawLimit['dimension'], string>> = { usd: '5usd', share: '80%' };

function toCap({ cap, dimension }: RawLimit, at: Issue['at'], issues: Issue[]): number {
  const isText = typeof cap === 'string';
  const parsed = !isText ? cap : dimension === 'share' ? parseShare(cap) : parseMoney(cap);
  const example = CAP_EXAMPLE[dimension];
  if (isText !== (example !== undefined) || (dimension === 'share' && parsed === undefined)) {
    const remedy = `Write cap: ${example ?? '1000000'}`;
    issues.push({ at, message: `does not count ${dimension}`, remedy });
    return 0;
  }
  if (parsed === undefined)
    issues.push({ at, message: 'is more than mezz can count', remedy: 'Write at most 9000000usd' });
  return parsed ?? 0;
}

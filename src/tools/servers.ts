/**
 * The tool servers and what they offer, under names of `server__tool`, in one order. Invariant: a definition of a tool or
 * a prompt is the one that was first seen, or one that an operator accepted since; a changed one is neither shown nor
 * callable.
 */
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { canonicalJson, isRecord, type JsonRecord, parseJson, stringOf } from '../base/json.ts';
import type { Described, ServerChange, ToolServer, ToolServerSpec } from '../base/ports.ts';
import { META, type MetaRow } from '../db/schema/meta.ts';
import type { Store } from '../db/store.ts';
import { tellDiff } from './diff.ts';
import { LIMITS } from './limits.ts';
import { type Known, knownOf } from './manifests/sources.ts';
import { publicName } from './names.ts';
import { OWN } from './shorten.ts';

export interface Offer {
  readonly kind: 'tool' | 'prompt';
  /** As agents call it. */
  readonly name: string;
  readonly server: string;
  readonly tool: string;
  /** As its server words it, under its own name. */
  readonly definition: JsonRecord;
  readonly digest: string;
  readonly state: 'accepted' | 'changed';
  /** What is known of what it does; nothing of a prompt. */
  readonly known: Known;
}

/** What a server offers now. */
export interface Offered {
  readonly server: string;
  readonly described: Described;
  readonly offers: readonly Offer[];
}

const NOTHING_KNOWN: Known = { source: 'none' };
const textsOf = (server: string): string => `tools:${server}:texts`;
const keyOf = (server: string): string => `tools:${server}`;
const pinOf = ({ kind, tool }: Pick<Offer, 'kind' | 'tool'>): string =>
  kind === 'tool' ? tool : `prompt:${tool}`;

export class ToolServers {
  readonly #store: Store;
  readonly #servers: ReadonlyMap<string, ToolServer>;
  readonly #clock: Clock;
  /** By server, of what it said last: until it says something else or an operator accepts, a call looks at no definition. */
  readonly #known = new Map<
    string,
    { readonly described: Described; readonly offers: Promise<readonly Offer[]> }
  >();

  readonly #listeners = new Set<(server: string, change: ServerChange) => void>();

  /** Why those offer nothing that were asked last and did not say what. */
  readonly #problems = new Map<string, string>();
  /** Servers that a list did not wait for, and that have not said since what they offer. */
  readonly #slow = new Set<string>();

  constructor(store: Store, servers: ReadonlyMap<string, ToolServer>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#servers = servers;
  }

  /** Why a server offers nothing; undefined where it does, or was not asked yet. */
  problemOf(server: string): string | undefined {
    return this.#problems.get(server);
  }

  get isEmpty(): boolean {
    return this.#servers.size === 0;
  }

  /** These agents are gone, or stand still: what they have to themselves is free. */
  release(agents: Iterable<number>, isGone: boolean): void {
    for (const agent of agents) for (const server of this.#servers.values()) server.release?.(agent, isGone);
  }

  get(server: string): ToolServer | undefined {
    return this.#servers.get(server);
  }

  all(): Iterable<ToolServer> {
    return this.#servers.values();
  }

  /** `listener` hears what servers say unasked, and of definitions that were accepted; the result ends that. */
  onChange(listener: (server: string, change: ServerChange) => void): () => void {
    this.#listeners.add(listener);
    const stops = [...this.#servers].map(([id, server]) =>
      server.onChange?.((change) => listener(id, change)),
    );
    return () => {
      this.#listeners.delete(listener);
      for (const stop of stops) stop?.();
    };
  }

  /**
   * What every server offers, in the order of their names; one that does not start offers nothing, and why. One that is slow
   * keeps nobody from the others: whoever listens hears of its lists when it has said what they are.
   */
  async offered(): Promise<{ readonly servers: readonly Offered[]; readonly problems: readonly Refusal[] }> {
    const ids = [...this.#servers.keys()].sort();
    const each = await Promise.all(ids.map((id) => this.#offeredSoon(id)));
    return {
      servers: each.flatMap((one) => ('code' in one ? [] : one)),
      problems: each.flatMap((one) => ('code' in one ? one : unreadableOf(one))),
    };
  }

  /** The tools of all servers by name. Starts what does not run. */
  async list(): Promise<{ readonly offers: readonly Offer[]; readonly problems: readonly Refusal[] }> {
    const { servers, problems } = await this.offered();
    const offers = servers.flatMap((one) => one.offers.filter(({ kind }) => kind === 'tool'));
    return { offers: offers.sort(byName), problems };
  }

  async offeredBy(id: string): Promise<Offered | Refusal> {
    const server = this.#servers.get(id);
    if (!server) return refusal('not_found', `There is no tool server "${id}".`, { remedy: 'mezz tool ls' });
    const described = await server.describe();
    if ('code' in described) {
      this.#problems.set(id, described.message);
      return described;
    }
    this.#problems.delete(id);
    return { server: id, described, offers: await this.#offersFor(server.spec, described) };
  }

  /** The tool of this name. Only servers whose tools may have it are asked: no other can keep the call waiting. */
  async find(name: string): Promise<Offer | Refusal> {
    let why: Refusal | undefined;
    for (const id of this.#servers.keys()) {
      if (!name.startsWith(publicName(id, ''))) continue;
      const offered = await this.offeredBy(id);
      if ('code' in offered) {
        why ??= offered;
        continue;
      }
      const found = offered.offers.find((offer) => offer.kind === 'tool' && offer.name === name);
      if (found) return callable(found) ?? found;
    }
    return why ?? refusal('not_found', `There is no tool "${name}".`, { remedy: 'mezz tool ls lists them' });
  }

  /** What a server offers now against what was accepted, in lines. */
  async changes(
    name: string,
  ): Promise<readonly { readonly name: string; readonly text: string }[] | Refusal> {
    const offered = await this.offeredBy(name);
    if ('code' in offered) return offered;
    const read = parseJson((await this.#store.get(META, [textsOf(name)]))?.v ?? '');
    const before = isRecord(read) ? read : {};
    const now = Object.fromEntries(offered.offers.map((offer) => [pinOf(offer), offer.definition]));
    const all = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
    return all.flatMap((pin) => {
      const [old, fresh] = [before[pin], now[pin]].map((one) =>
        Buffer.from(one ? JSON.stringify(one, null, 2) : ''),
      );
      const text = old && fresh && !old.equals(fresh) ? tellDiff(old, fresh) : undefined;
      return text === undefined ? [] : [{ name: pin, text }];
    });
  }

  /** Accepts all that a server offers now; the result is its tools. */
  async accept(name: string): Promise<readonly Offer[] | Refusal> {
    const offered = await this.offeredBy(name);
    if ('code' in offered) return offered;
    await this.#pin(name, offered.offers);
    this.#known.delete(name);
    for (const listener of this.#listeners) listener(name, { kind: 'tools' });
    return offered.offers
      .filter(({ kind }) => kind === 'tool')
      .map((offer) => ({ ...offer, state: 'accepted' }));
  }

  #offeredSoon(id: string): Promise<Offered | Refusal> {
    const offered = this.offeredBy(id);
    const waitMs = (this.#slow.has(id) ? LIMITS.slowListMs : LIMITS.listMs).value;
    return new Promise((resolve, reject) => {
      const stop = this.#clock.after(waitMs, () => {
        this.#slow.add(id);
        resolve(
          refusal('unreachable', `${id} has not said yet what it offers.`, {
            remedy: `mezz tool logs ${id}`,
          }),
        );
      });
      const come = (one: Offered | Refusal) => {
        stop();
        resolve(one);
        if (!('code' in one)) this.#came(id);
      };
      offered.then(come, reject);
    });
  }

  /** A server that some list was without has said what it offers. */
  #came(id: string): void {
    if (!this.#slow.delete(id)) return;
    for (const kind of ['tools', 'prompts', 'resources'] as const)
      for (const listener of this.#listeners) listener(id, { kind });
  }

  #offersFor(spec: ToolServerSpec, described: Described): Promise<readonly Offer[]> {
    const known = this.#known.get(spec.id);
    if (known?.described === described) return known.offers;
    // Kept before it is done, so that one that began before an operator accepted is not kept after it.
    const fresh = { described, offers: this.#offersOf(spec, described) };
    this.#known.set(spec.id, fresh);
    fresh.offers.catch(() => this.#known.get(spec.id) === fresh && this.#known.delete(spec.id));
    return fresh.offers;
  }

  async #offersOf(spec: ToolServerSpec, described: Described): Promise<Offer[]> {
    const { id: server } = spec;
    const { tools, prompts = [] } = described;
    // mezz's own tools are what this version of mezz has.
    const row = server === OWN ? undefined : await this.#store.get(META, [keyOf(server)]);
    const read = row && parseJson(row.v);
    const pins = isRecord(read) ? read : undefined;
    const seen = new Set<string>();
    const offerOf = (kind: Offer['kind'], definition: JsonRecord): Offer => {
      const tool = stringOf(definition.name ?? '');
      const digest = sha256Hex(canonicalJson(definition));
      const isAccepted = pins === undefined || pins[pinOf({ kind, tool })] === digest;
      const name = publicName(server, tool, seen);
      const known = kind === 'tool' ? knownOf(spec, described, definition) : NOTHING_KNOWN;
      const state = isAccepted ? 'accepted' : 'changed';
      return { kind, name, server, tool, definition, digest, state, known };
    };
    const own = [...tools].sort(byName).map((one) => offerOf('tool', one));
    seen.clear();
    const offers = [...own, ...[...prompts].sort(byName).map((one) => offerOf('prompt', one))];
    if (pins === undefined && server !== OWN) await this.#pin(server, offers);
    return offers;
  }

  async #pin(server: string, offers: readonly Offer[]): Promise<void> {
    const v = JSON.stringify(Object.fromEntries(offers.map((offer) => [pinOf(offer), offer.digest])));
    const row: MetaRow = { k: keyOf(server), v };
    const texts = Object.fromEntries(offers.map((offer) => [pinOf(offer), offer.definition]));
    const kept: MetaRow = { k: textsOf(server), v: JSON.stringify(texts) };
    await this.#store.commit({ puts: [row, kept].map((one) => ({ table: META, row: one })) });
  }
}

const unreadableOf = ({ server, described }: Offered): Refusal[] =>
  (described.unreadable ?? []).map((what) =>
    refusal('bad_request', `${server} offers what no client can read, ${what}. Nobody is shown it.`, {
      remedy: 'whoever made the tool server mends it',
    }),
  );

/** undefined where it may be called. */
export function callable({ state, name, server }: Offer): Refusal | undefined {
  if (state === 'accepted') return undefined;
  return refusal('stale', `The definition of ${name} is not the one that was accepted.`, {
    rule: 'tools:pinned',
    remedy: `an operator looks at it (mezz tool ls) and types: mezz tool accept ${server}`,
  });
}

const byName = (a: { readonly name?: unknown }, b: { readonly name?: unknown }): number =>
  stringOf(a.name) < stringOf(b.name) ? -1 : 1;

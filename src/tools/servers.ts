/**
 * The tool servers and what they offer, under names of `server__tool`, in one order. Invariant: a definition is the one
 * that was first seen, or one that an operator accepted since; a changed one is neither shown nor callable.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { canonicalJson, isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import type { ToolServer } from '../base/ports.ts';
import { META, type MetaRow } from '../db/schema/meta.ts';
import type { Store } from '../db/store.ts';
import { type Known, knownOf } from './manifests/sources.ts';

export interface Offer {
  /** As agents call it. */
  readonly name: string;
  readonly server: string;
  readonly tool: string;
  /** As its server words it, under its own name. */
  readonly definition: JsonRecord;
  readonly digest: string;
  readonly state: 'accepted' | 'changed';
  /** What is known of what it does. */
  readonly known: Known;
}

const keyOf = (server: string): string => `tools:${server}`;

export class ToolServers {
  readonly #store: Store;
  readonly #servers: ReadonlyMap<string, ToolServer>;

  constructor(store: Store, servers: ReadonlyMap<string, ToolServer>) {
    this.#store = store;
    this.#servers = servers;
  }

  get isEmpty(): boolean {
    return this.#servers.size === 0;
  }

  get(server: string): ToolServer | undefined {
    return this.#servers.get(server);
  }

  all(): Iterable<ToolServer> {
    return this.#servers.values();
  }

  /** What every server offers, by name; one that does not start offers nothing, and why. Starts what does not run. */
  async list(): Promise<{ readonly offers: readonly Offer[]; readonly problems: readonly Refusal[] }> {
    const each = await Promise.all([...this.#servers.values()].map((server) => this.#offersOf(server)));
    return {
      offers: each.flatMap((one) => ('code' in one ? [] : one)).sort((a, b) => (a.name < b.name ? -1 : 1)),
      problems: each.flatMap((one) => ('code' in one ? [one] : [])),
    };
  }

  /** The tool of this name. */
  async find(name: string): Promise<Offer | Refusal> {
    const server = this.#servers.get(name.split('__', 1)[0] ?? '');
    const offers = server && (await this.#offersOf(server));
    if (offers && 'code' in offers) return offers;
    const found = offers?.find((offer) => offer.name === name);
    if (!found)
      return refusal('not_found', `There is no tool "${name}".`, { remedy: 'mezz tool ls lists them' });
    if (found.state === 'changed')
      return refusal('stale', `The definition of ${name} is not the one that was accepted.`, {
        rule: 'tools:pinned',
        remedy: `an operator looks at it (mezz tool ls) and types: mezz tool accept ${found.server}`,
      });
    return found;
  }

  /** Accepts all that a server offers now. */
  async accept(name: string): Promise<readonly Offer[] | Refusal> {
    const server = this.#servers.get(name);
    if (!server)
      return refusal('not_found', `There is no tool server "${name}".`, { remedy: 'mezz tool ls' });
    const offers = await this.#offersOf(server);
    if ('code' in offers) return offers;
    await this.#pin(name, offers);
    return offers.map((offer) => ({ ...offer, state: 'accepted' }));
  }

  async #offersOf(server: ToolServer): Promise<Offer[] | Refusal> {
    const { id } = server.spec;
    const described = await server.describe();
    if ('code' in described) return described;
    const row = await this.#store.get(META, [keyOf(id)]);
    const read = row && parseJson(row.v);
    const pins = isRecord(read) ? read : undefined;
    const offers = described.tools.map((definition): Offer => {
      const tool = String(definition.name ?? '');
      const digest = sha256Hex(canonicalJson(definition));
      const isAccepted = pins === undefined || pins[tool] === digest;
      return {
        name: `${id}__${tool}`,
        server: id,
        tool,
        definition,
        digest,
        state: isAccepted ? 'accepted' : 'changed',
        known: knownOf(server.spec, described, definition),
      };
    });
    if (pins === undefined) await this.#pin(id, offers);
    return offers;
  }

  async #pin(server: string, offers: readonly Offer[]): Promise<void> {
    const v = JSON.stringify(Object.fromEntries(offers.map(({ tool, digest }) => [tool, digest])));
    const row: MetaRow = { k: keyOf(server), v };
    await this.#store.commit({ puts: [{ table: META, row }] });
  }
}

/**
 * What one MCP client sees of the tool servers: all of them under names of `server__tool`, or one under its own names.
 * Invariant: whatever it may call is found by the name it was shown, at exactly one server.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import { isRecord, type JsonRecord, stringOf } from '../base/json.ts';
import type { ServerMethod } from '../base/mcp.ts';
import { callable, type Offer, type Offered, type ToolServers } from './servers.ts';
import { linkTo, OWN } from './shorten.ts';
import { Sought } from './templates.ts';

export interface View {
  /** The tools, as they are known here. */
  readonly offers: readonly Offer[];
  readonly tools: readonly JsonRecord[];
  readonly prompts: readonly JsonRecord[];
  readonly resources: readonly JsonRecord[];
  readonly templates: readonly JsonRecord[];
  /** How long the lists stay as they are, as far as their servers say. */
  readonly ttlMs: number;
}

/** Where a request goes, and as its server is to read it. */
export interface Found
  extends Pick<Offer, 'name' | 'server' | 'tool' | 'known'>,
    Partial<Pick<Offer, 'definition' | 'digest'>> {
  readonly params: JsonRecord;
}

/** `only`: the one server that the client sees. `isHidden`: tools that it may never call. */
export async function viewOf(
  servers: ToolServers,
  only: string | undefined,
  isHidden: (offer: Offer) => boolean = () => false,
): Promise<View | Refusal> {
  const seen = await offered(servers, only);
  if ('code' in seen) return seen;
  const offers = seen
    .flatMap((one) => one.offers)
    .filter((offer) => offer.state === 'accepted' && !isHidden(offer));
  const shown = (kind: Offer['kind']) =>
    offers
      .filter((offer) => offer.kind === kind)
      .map(({ name, definition }) => (only === undefined ? { ...definition, name } : definition))
      .sort((a, b) => (stringOf(a.name) < stringOf(b.name) ? -1 : 1));
  // mezz's own tools stay as they are.
  const others = seen.filter(({ server }) => server !== OWN);
  const ttls = others.map(({ described }) => described.ttlMs ?? 0);
  return {
    offers: offers.filter(({ kind }) => kind === 'tool'),
    tools: shown('tool'),
    prompts: shown('prompt'),
    resources: seen.flatMap(({ described }) => described.resources ?? []),
    templates: seen.flatMap(({ described }) => described.templates ?? []),
    ttlMs: ttls.length === 0 ? 0 : Math.max(0, Math.min(...ttls)),
  };
}

/** The server that a request is for; `not_found` where none offers what it names. */
export async function findFor(
  servers: ToolServers,
  only: string | undefined,
  method: ServerMethod,
  params: JsonRecord,
): Promise<Found | Refusal> {
  if (method === 'tools/call' && only === undefined) {
    const tool = await servers.find(stringOf(params.name));
    return 'code' in tool ? tool : { ...tool, params: { ...params, name: tool.tool } };
  }
  // What a result did not show is read by its address, also by who sees one server alone.
  const isOwn = typeof params.uri === 'string' && params.uri.startsWith(linkTo(''));
  const seen = await offered(servers, isOwn ? OWN : only);
  if ('code' in seen) return seen;
  // What is no tool goes by its method.
  const at = ({ server }: Offered, own: JsonRecord): Found => ({
    ...{ name: method, server, tool: method, params: own },
    known: { source: 'none' },
  });
  const byName = (kind: Offer['kind'], name: unknown): { server: Offered; offer: Offer } | Refusal => {
    for (const server of seen) {
      const offer = server.offers.find(
        (one) => one.kind === kind && (only === undefined ? one.name : one.tool) === name,
      );
      if (offer) return callable(offer) ?? { server, offer };
    }
    return refusal('not_found', `There is no ${kind} "${stringOf(name)}".`, {
      remedy: 'mezz tool ls lists them',
    });
  };
  const byUri = (uri: unknown): Offered | Refusal =>
    seen.find((server) => offersUri(server, stringOf(uri))) ??
    (only !== undefined && seen[0]
      ? seen[0]
      : refusal('not_found', `No tool server offers the resource ${stringOf(uri)}.`));
  const named = (kind: Offer['kind'], name: unknown, own: (name: string) => JsonRecord): Found | Refusal => {
    const found = byName(kind, name);
    if ('code' in found) return found;
    const { server, offer } = found;
    return method === 'tools/call' ? { ...offer, params: own(offer.tool) } : at(server, own(offer.tool));
  };
  if (method === 'tools/call') return named('tool', params.name, (name) => ({ ...params, name }));
  if (method === 'prompts/get') return named('prompt', params.name, (name) => ({ ...params, name }));
  const ref = isRecord(params.ref) ? params.ref : {};
  if (method === 'completion/complete' && ref.type === 'ref/prompt')
    return named('prompt', ref.name, (name) => ({ ...params, ref: { ...ref, name } }));
  const server = byUri(method === 'completion/complete' ? ref.uri : params.uri);
  return 'code' in server ? server : at(server, params);
}

/** The definition of a tool that may be called, as its server words it. */
export async function definitionOf(
  servers: ToolServers,
  only: string | undefined,
  name: string,
): Promise<JsonRecord | undefined> {
  const found = await findFor(servers, only, 'tools/call', { name });
  return 'code' in found ? undefined : found.definition;
}

async function offered(
  servers: ToolServers,
  only: string | undefined,
): Promise<readonly Offered[] | Refusal> {
  if (only === undefined) return (await servers.offered()).servers;
  const one = await servers.offeredBy(only);
  return 'code' in one ? one : [one];
}

/** By name, or by a template that it fits. */
function offersUri({ described }: Offered, uri: string): boolean {
  if (described.resources?.some((one) => one.uri === uri)) return true;
  const sought = new Sought(uri);
  return (described.templates ?? []).some(
    ({ uriTemplate }) => typeof uriTemplate === 'string' && sought.fits(uriTemplate),
  );
}

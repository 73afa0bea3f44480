/** Verbs about what is known of tools: whose word holds, what is wrong with it, and a draft where there is none. */
import { type Refusal, refusal } from '../../base/errors.ts';
import type { LintView } from '../../base/tools.ts';
import { draftManifest } from '../../tools/manifests/draft.ts';
import { lintManifest } from '../../tools/manifests/lint.ts';
import { shippedFor } from '../../tools/manifests/sources.ts';
import type { ToolServers } from '../../tools/servers.ts';
import type { Handlers } from './context.ts';

export type ManifestVerb = 'tool.manifest' | 'tool.lint' | 'tool.learn';

export const manifestVerbs: Handlers<ManifestVerb> = {
  async 'tool.manifest'({ gate }, { server }) {
    const found = await chosen(gate.parts.servers, server);
    if ('code' in found) return found;
    const described = server === undefined ? undefined : await found[0]?.describe();
    if (described && 'code' in described) return described;
    const { offers, problems } = await gate.parts.servers.list();
    const tools = offers
      .filter((offer) => found.some(({ spec }) => spec.id === offer.server))
      .map(({ name, known: { source, manifest = null } }) => ({ name, source, manifest }));
    return { tools, problems: server === undefined ? problems.map(({ message }) => message) : [] };
  },

  async 'tool.lint'({ gate }, { server }) {
    const found = await chosen(gate.parts.servers, server);
    if ('code' in found) return found;
    return { problems: (await Promise.all(found.map(lint))).flat() };
  },

  async 'tool.learn'({ gate }, { server }) {
    const found = await chosen(gate.parts.servers, server);
    if ('code' in found) return found;
    const described = await found[0]?.describe();
    if (!described || 'code' in described) return described ?? nothing(server);
    return { manifest: draftManifest(described) };
  },
};

const nothing = (server: string): Refusal =>
  refusal('not_found', `There is no tool server "${server}".`, { remedy: 'mezz tool ps lists them' });

type Server = NonNullable<ReturnType<ToolServers['get']>>;

async function chosen(servers: ToolServers, server: string | undefined): Promise<Server[] | Refusal> {
  if (server === undefined) return [...servers.all()];
  const found = servers.get(server);
  return found ? [found] : nothing(server);
}

async function lint(server: Server): Promise<LintView[]> {
  const { id, manifest } = server.spec;
  const described = await server.describe();
  if ('code' in described)
    return [{ server: id, problem: described.message, remedy: described.remedy ?? '' }];
  const file = manifest ?? shippedFor(described) ?? described.manifest;
  if (file)
    return lintManifest(file, described.tools).map((problem) => ({
      server: id,
      problem,
      remedy: manifest ? 'mend its manifest, then mezz down and mezz up' : `mezz tool learn ${id}`,
    }));
  const problem = server.spec.trusted
    ? 'nobody has described it: what it says of its tools itself is believed'
    : 'nobody has described it: its tools run one at a time, each may write anything of it';
  return [
    {
      server: id,
      problem,
      remedy: `mezz tool learn ${id} > ${id}.manifest.yaml, read it, then tools.${id}.manifest: ${id}.manifest.yaml in mezz.yaml`,
    },
  ];
}

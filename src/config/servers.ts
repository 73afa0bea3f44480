/** The servers of tools that the settings name. Its drivers are many, and load only where there is a server. */
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { ToolServer, ToolServerSpec } from '../base/ports.ts';
import { Guard } from '../drivers/guard.ts';
import { HttpToolServer } from '../drivers/mcp/http.ts';
import { Instances } from '../drivers/mcp/instances.ts';
import { KeptLogin } from '../drivers/mcp/kept.ts';
import { Login } from '../drivers/mcp/oauth.ts';
import { OpenApiServer } from '../drivers/openapi/server.ts';
import { systemRandom } from '../drivers/random.ts';
import { modeOf } from '../tools/manifests/sources.ts';
import type { ToolConfig, ToolSecret } from './config.ts';
import { secretAt } from './keys.ts';

/** What all of them need: the machine's clock, and the directory of logins. */
interface Places {
  readonly clock: Clock;
  readonly logins: string;
}

export interface OpenedServers {
  readonly servers: readonly ToolServer[];
  close(): Promise<void>;
}

export function openServers(
  configs: readonly ToolConfig[],
  places: Places,
  keys: ReadonlyMap<string, string>,
): OpenedServers {
  const guard = new Guard();
  const servers = configs.map((config) =>
    newServer(filled(config, keys), places, guard, keys.get(config.id)),
  );
  return {
    servers,
    async close() {
      await Promise.all(servers.map((server) => server.close()));
      guard.close();
    },
  };
}

/** With the secrets of which the settings say the places; one that is not there is left out, and its server may say so. */
function filled({ secrets = [], ...spec }: ToolConfig, keys: ReadonlyMap<string, string>): ToolServerSpec {
  const of = (member: ToolSecret['of']) =>
    Object.fromEntries(
      secrets.flatMap(({ of, name }) => {
        const secret = of === member ? keys.get(secretAt(spec.id, of, name)) : undefined;
        return secret === undefined ? [] : [[name, secret]];
      }),
    );
  return {
    ...spec,
    env: { ...spec.env, ...of('env') },
    ...(spec.headers === undefined ? {} : { headers: { ...spec.headers, ...of('headers') } }),
  };
}

function newServer(
  spec: ToolServerSpec,
  { clock, logins }: Places,
  guard: Guard,
  key: string | undefined,
): ToolServer {
  if (spec.openapi !== undefined) return new OpenApiServer(spec, clock, key);
  if (spec.url !== undefined)
    return new HttpToolServer(spec, spec.url, clock, newLogin(spec, spec.url, clock, logins, key));
  return new Instances(spec, clock, guard, modeOf);
}

/** None where the settings say themselves what a request carries. */
function newLogin(
  { id: server, auth = {}, headers = {} }: ToolServerSpec,
  url: string,
  clock: Clock,
  directory: string,
  secret: string | undefined,
): Login | undefined {
  if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')) return undefined;
  const kept = new KeptLogin(join(directory, `${server}.json`), url);
  return new Login({ server, url, auth, secret, kept, clock, random: systemRandom });
}

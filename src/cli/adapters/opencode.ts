import { join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { UsageFailure } from '../exit.ts';
import { agentUrl, bypassProxy, type ClientAdapter, type LaunchContext, optionValue } from './adapter.ts';
import { standInKeys } from './generic.ts';

/** The providers whose dialects mezz serves, by opencode's names for them. */
const SERVED = ['anthropic', 'openai'] as const;

const recordOf = (value: unknown): JsonRecord => (isRecord(value) ? value : {});

/** The user's inline configuration with each served provider's address replaced and mezz's tools added, and nothing else of it. */
function configFor(own: JsonRecord, launch: Launch): JsonRecord {
  const url = `${agentUrl(launch)}/v1`;
  const tools = { type: 'remote', url: `${agentUrl(launch)}/mcp`, enabled: true };
  const providers = recordOf(own.provider);
  const served = SERVED.map((name) => {
    const provider = recordOf(providers[name]);
    return [name, { ...provider, options: { ...recordOf(provider.options), baseURL: url } }] as const;
  });
  return {
    ...own,
    provider: { ...providers, ...Object.fromEntries(served) },
    // Others would be called past the gate.
    enabled_providers: [...SERVED],
    ...(launch.tools ? { mcp: { ...recordOf(own.mcp), mezz: tools } } : {}),
  };
}

function hasLogins({ env, home, readText }: LaunchContext): boolean {
  const data = env.XDG_DATA_HOME || join(home, '.local', 'share');
  return readText(join(data, 'opencode', 'auth.json')) !== undefined;
}

/**
 * opencode: its inline configuration is merged over its files, so that its own logins and settings stay in force.
 * Tried with 1.18.33: both providers go to the address; with a ChatGPT login it calls chatgpt.com by itself.
 */
export const opencode: ClientAdapter = {
  client: 'opencode',
  program: 'opencode',
  hooks: false,
  // It names a model behind its provider; what it sends is known once it was seen here.
  model: (args) => optionValue(args, ['-m', '--model'])?.replace(/^(?:anthropic|openai)\//, ''),
  prepare(launch, command, context) {
    const text = context.env.OPENCODE_CONFIG_CONTENT;
    const own = text ? parseJson(text) : {};
    if (!isRecord(own))
      throw new UsageFailure('OPENCODE_CONFIG_CONTENT is not a JSON object', 'unset OPENCODE_CONFIG_CONTENT');
    const keys = hasLogins(context) ? { env: {}, notes: [] } : standInKeys(launch, context.env);
    return {
      command,
      env: {
        ...keys.env,
        OPENCODE_CONFIG_CONTENT: JSON.stringify(configFor(own, launch)),
        ...bypassProxy(context.env),
      },
      files: [],
      notes: [
        `opencode is given the providers ${SERVED.join(' and ')} alone: others would be called past mezz`,
        ...keys.notes,
        'with a ChatGPT login opencode calls chatgpt.com by itself, past mezz; with an API key it does not',
      ],
    };
  },
};

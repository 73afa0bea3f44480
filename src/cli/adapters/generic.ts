import type { Launch } from '../../base/control.ts';
import type { Environment } from '../../sdk/home.ts';
import { agentUrl, bypassProxy, type ClientAdapter, replacedNotes } from './adapter.ts';

const KEYS = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY'] as const;

/** Where the user has no key, the agent's own token stands in for one: many clients do not start without. */
export function standInKeys(
  launch: Launch,
  env: Environment,
): { env: Record<string, string>; notes: string[] } {
  const unset = KEYS.filter((name) => !env[name]);
  return {
    env: Object.fromEntries(unset.map((name) => [name, launch.token])),
    notes:
      unset.length === 0
        ? []
        : [`${unset.join(' and ')}: set to this agent's mezz token, which no provider bills or accepts`],
  };
}

/** Where the tools are that mezz offers: `mezz mcp`, started by the program, speaks for its agent. */
const offeredTools = (launch: Launch): Record<string, string> =>
  launch.tools ? { MEZZ_MCP_URL: `${agentUrl(launch)}/mcp` } : {};

/** The variables that any program with an OpenAI or Anthropic client understands, and what to say about them. */
export function genericEnvironment(
  launch: Launch,
  env: Environment,
): { env: Record<string, string>; notes: string[] } {
  const url = agentUrl(launch);
  const bases = { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_BASE: `${url}/v1`, ANTHROPIC_BASE_URL: url };
  const keys = standInKeys(launch, env);
  return {
    env: { ...bases, ...keys.env, ...offeredTools(launch), ...bypassProxy(env) },
    notes: [...replacedNotes(env, Object.keys(bases)), ...keys.notes],
  };
}

/** Any program: base URLs in the environment. Its own tools are not seen before they act. */
export const generic: ClientAdapter = {
  client: 'generic',
  program: 'generic',
  hooks: false,
  prepare: (launch, command, { env }) => ({ command, files: [], ...genericEnvironment(launch, env) }),
};

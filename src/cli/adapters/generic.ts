import type { Launch } from '../../base/control.ts';
import type { Environment } from '../../sdk/home.ts';
import { agentUrl, bypassProxy, type ClientAdapter, replacedNotes } from './adapter.ts';

const KEYS = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY'] as const;

/** The variables that any program with an OpenAI or Anthropic client understands, and what to say about them. */
export function genericEnvironment(
  launch: Launch,
  env: Environment,
): { env: Record<string, string>; notes: string[] } {
  const url = agentUrl(launch);
  const bases = {
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_API_BASE: `${url}/v1`,
    ANTHROPIC_BASE_URL: url,
  };
  const unset = KEYS.filter((name) => !env[name]);
  const notes = replacedNotes(env, Object.keys(bases));
  if (unset.length > 0)
    notes.push(`${unset.join(' and ')}: set to this agent's mezz token, which no provider bills or accepts`);
  return {
    env: {
      ...bases,
      ...Object.fromEntries(unset.map((name) => [name, launch.token])),
      ...bypassProxy(env),
    },
    notes,
  };
}

const byEnvironment = (client: string, more: (url: string) => Record<string, string>): ClientAdapter => ({
  client,
  program: client,
  hooks: false,
  prepare(launch, command, context) {
    const { env, notes } = genericEnvironment(launch, context.env);
    return { command, env: { ...env, ...more(agentUrl(launch)) }, files: [], notes };
  },
});

/** Any program: base URLs in the environment. Its own tools are not seen before they act. */
export const generic = byEnvironment('generic', () => ({}));
export const gemini = byEnvironment('gemini', (url) => ({ GOOGLE_GEMINI_BASE_URL: url }));
export const opencode = byEnvironment('opencode', () => ({}));

import { join } from 'node:path';
import { LIMITS } from '../limits.ts';
import { shellWord } from '../shell.ts';
import { agentUrl, bypassProxy, type ClientAdapter, type LaunchContext, optionValue } from './adapter.ts';

/** A TOML basic string: JSON's escapes are TOML's, but for the control character DEL. */
const toml = (text: string): string => JSON.stringify(text).replaceAll('\u007f', '\\u007f');

function hasLogin({ env, home, readText }: LaunchContext): boolean {
  return readText(join(env.CODEX_HOME || join(home, '.codex'), 'auth.json')) !== undefined;
}

/** `model = "x"` before the first table of config.toml, or in `-c model="x"`. */
const modelIn = (text: string): string | undefined =>
  /^\s*model\s*=\s*["']?([^"'\s#]+)/m.exec(text.split(/^\s*\[/m)[0] ?? '')?.[1];

function modelOf(
  args: readonly string[],
  { env, home, readText }: Pick<LaunchContext, 'env' | 'home' | 'readText'>,
) {
  const settings = args.flatMap((arg, at) =>
    arg === '-c' || arg === '--config' ? (args[at + 1] ?? []) : [],
  );
  const file = readText(join(env.CODEX_HOME || join(home, '.codex'), 'config.toml'));
  return optionValue(args, ['-m', '--model']) ?? modelIn(settings.join('\n')) ?? modelIn(file ?? '');
}

/** The first asks before the act; the others tell, so that mezz knows outcomes and when a person is awaited. */
const EVENTS = ['PreToolUse', 'PostToolUse', 'PermissionRequest', 'UserPromptSubmit', 'Stop'] as const;

/** Where it is not required, Codex asks the model before the tools are there, and the model has to do without them. */
const toolServer = (url: string): string =>
  `{url=${toml(url)},required=true,startup_timeout_sec=${LIMITS.toolsSeconds.value}}`;

/** Codex: a provider of its own and hooks, by arguments alone; its configuration files stay as they are. */
export const codex: ClientAdapter = {
  client: 'codex',
  program: 'codex',
  hooks: true,
  sends: { tokens: 14_450, source: '57.8 kB measured with codex 0.169, at 4 bytes a token' },
  model: modelOf,
  prepare(launch, [program = 'codex', ...args], context) {
    const login =
      context.env.OPENAI_API_KEY && !hasLogin(context)
        ? 'env_key="OPENAI_API_KEY"'
        : 'requires_openai_auth=true';
    const base = toml(`${agentUrl(launch)}/v1`);
    const hook = toml([...context.mezz, 'hook', 'codex'].map(shellWord).join(' '));
    const entry = `[{matcher=".*",hooks=[{type="command",command=${hook}}]}]`;
    const hookArgs = launch.hooks ? EVENTS.flatMap((event) => ['-c', `hooks.${event}=${entry}`]) : [];
    return {
      command: [
        program,
        '-c',
        `model_providers.mezz={name="mezz",base_url=${base},wire_api="responses",${login}}`,
        '-c',
        'model_provider="mezz"',
        ...(launch.tools ? ['-c', `mcp_servers.mezz=${toolServer(`${agentUrl(launch)}/mcp`)}`] : []),
        ...hookArgs,
        ...(launch.hooks ? ['--dangerously-bypass-hook-trust'] : []),
        ...args,
      ],
      env: {
        ...(launch.hooks ? { MEZZ_HOOK_URL: `${agentUrl(launch)}/hooks/codex` } : {}),
        ...bypassProxy(context.env),
      },
      files: [],
      notes: launch.hooks
        ? [
            'codex runs with --dangerously-bypass-hook-trust: without it, it silently skips the hooks that ask mezz; it trusts every hook in your configuration too',
          ]
        : [],
    };
  },
};

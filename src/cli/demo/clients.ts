/**
 * Unmodified coding agents as they are installed here: how each is started, with mezz and without, and how a model asks
 * it for an act. They get a home of their own, a key that is none, and no way out: no user's login or setting is read.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Environment } from '../../sdk/home.ts';
import type { Act, Name } from './plan.ts';

/** A call of the first tool that is offered under such a name. */
export interface Asked {
  readonly tool: RegExp;
  /** Text for a tool that takes text. */
  readonly input: string | { readonly [name: string]: string };
}

/** The versions that this was tried with. */
export const VERSIONS = { '@anthropic-ai/claude-code': '2.1.330', '@openai/codex': '0.169.0' } as const;

export interface Client {
  readonly name: string;
  readonly program: string;
  readonly package: keyof typeof VERSIONS;
  command(prompt: string): readonly string[];
  /** The same past mezz, at this address. */
  direct(prompt: string, origin: string): readonly string[];
  directEnv(origin: string): Environment;
  ask(act: Act): Asked;
}

const CLAUDE: Client = {
  name: 'Claude Code',
  program: 'claude',
  package: '@anthropic-ai/claude-code',
  command: (prompt) => ['claude', '-p', prompt, '--allowedTools', 'Bash,Read,Write'],
  direct: (prompt) => CLAUDE.command(prompt),
  directEnv: (origin) => ({ ANTHROPIC_BASE_URL: origin }),
  ask({ does, what, text = '' }) {
    if (does === 'read') return { tool: /^Read$/, input: { file_path: what } };
    if (does === 'write') return { tool: /^Write$/, input: { file_path: what, content: text } };
    return { tool: /^Bash$/, input: { command: what, description: 'Work' } };
  },
};

/** Codex's own sandbox keeps it from committing. */
const CODEX_ARGS = ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];

const patchOf = (path: string, text: string): string =>
  ['*** Begin Patch', `*** Update File: ${path}`, '@@', '-notes', `+${text}`, '*** End Patch', ''].join('\n');

const CODEX: Client = {
  name: 'Codex',
  program: 'codex',
  package: '@openai/codex',
  command: (prompt) => ['codex', ...CODEX_ARGS, prompt],
  direct: (prompt, origin) => [
    'codex',
    ...[
      '-c',
      `model_providers.direct={name="direct",base_url="${origin}/v1",wire_api="responses",env_key="OPENAI_API_KEY"}`,
    ],
    ...['-c', 'model_provider="direct"'],
    ...CODEX_ARGS,
    prompt,
  ],
  directEnv: () => ({}),
  ask({ does, what, text = '' }) {
    const command = does === 'read' ? `cat ${what}` : what;
    const source =
      does === 'write'
        ? `text(JSON.stringify(await tools.apply_patch(${JSON.stringify(patchOf(what, text))})));`
        : `text((await tools.exec_command(${JSON.stringify({ cmd: command })})).output);`;
    return { tool: /^exec$/, input: source };
  },
};

export const CLIENTS: readonly Client[] = [CLAUDE, CODEX];

const isThere = (program: string, path: string): boolean =>
  path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });

/** Those that are installed here. */
export const findClients = (env: Environment): Client[] =>
  CLIENTS.filter(({ program }) => isThere(program, env.PATH ?? ''));

/** As the program tells it; empty where it tells none. */
export function versionOf({ program }: Client, env: Environment): string {
  try {
    const said = execFileSync(program, ['--version'], { env: { ...env }, encoding: 'utf8', stdio: 'pipe' });
    return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? '';
  } catch {
    return '';
  }
}

/** Two of each, or four of the one that is here. */
export const crewOf = (found: readonly Client[], names: readonly Name[]): ReadonlyMap<Name, Client> =>
  new Map(
    names.map((name, n) => [name, found[Math.floor((n * found.length) / names.length)] as Client] as const),
  );

/** The environment of clients that must not find their user's, nor anything beyond loopback. */
export function enclosedEnv(env: Environment, directory: string): Environment {
  const home = join(directory, 'home');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const nowhere = 'http://127.0.0.1:9';
  return {
    ...{ PATH: env.PATH, HOME: home, TMPDIR: directory, LANG: 'C.UTF-8' },
    ...{ HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere, NO_PROXY: '127.0.0.1' },
    ...{ ANTHROPIC_API_KEY: 'no-key', OPENAI_API_KEY: 'no-key' },
  };
}

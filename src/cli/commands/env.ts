import { homedir } from 'node:os';
import type { Command } from 'commander';
import type { Launch } from '../../base/control.ts';
import type { ClientAdapter, Preparation } from '../adapters/adapter.ts';
import { findAdapter } from '../adapters/index.ts';
import { readTextIfThere } from '../files.ts';
import { parentOf } from '../run/parent.ts';
import type { Session } from '../session.ts';
import { findShell, SHELL_NAMES } from '../shell.ts';
import { ensureKernel } from '../start.ts';

interface EnvOptions {
  readonly name?: string;
  readonly client?: string;
  readonly shell: string;
  readonly json?: boolean;
}

/** What the client needs where mezz does not start it: no files, because nobody would take them away again. */
const prepare = (session: Session, adapter: ClientAdapter, launch: Launch): Preparation =>
  adapter.prepare(launch, [adapter.program], {
    env: session.env,
    home: homedir(),
    directory: session.cwd,
    mezz: session.mezz,
    readText: (path) => readTextIfThere(session.cwd, path),
  });

async function env(session: Session, options: EnvOptions): Promise<void> {
  const { terminal } = session;
  const adapter = findAdapter('', options.client);
  const shell = findShell(options.shell);
  await ensureKernel(session);
  const parent = parentOf(session.env.MEZZ_AGENT);
  const { launches } = await session.control.call('agent.open', {
    client: adapter.client,
    cwd: session.cwd,
    hooks: false,
    hosted: false,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(parent === undefined ? {} : { parent }),
  });
  for (const launch of launches) {
    const { command, env: variables, notes } = prepare(session, adapter, launch);
    const [program = '', ...args] = command;
    if (options.json)
      terminal.printJson({
        schema: 'mezz.env/1',
        pid: launch.pid,
        name: launch.name,
        client: adapter.client,
        env: variables,
        arguments: args,
      });
    else
      terminal.print(
        ...Object.entries(variables).map(([name, value]) => shell.set(name, value)),
        ...(args.length > 0 ? [shell.wrap(program, args)] : []),
      );
    terminal.note(`mezz: agent ${launch.name} (pid ${launch.pid})`, ...notes.map((note) => `mezz: ${note}`));
    if (adapter.hooks)
      terminal.note(`mezz: its own tools do not ask mezz; for that: mezz run -- ${adapter.program}`);
  }
}

const EXAMPLES = `
Examples:
  eval "$(mezz env)"                                    bash, zsh, sh: any program with an OpenAI or Anthropic client
  eval "$(mezz env --client codex)"                     codex in this shell
  mezz env --shell fish | source
  mezz env --shell powershell | Out-String | Invoke-Expression
  mezz env --json`;

export function define(program: Command, session: Session): void {
  program
    .command('env')
    .description('print the variables for a program that mezz does not start: eval "$(mezz env)"')
    .option('--name <name>', 'what to call the agent')
    .option('--client <client>', 'claude, codex, opencode or generic', 'generic')
    .option('--shell <shell>', SHELL_NAMES.join(', '), 'posix')
    .option('--json', 'print the variables as JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: EnvOptions) => env(session, options));
}

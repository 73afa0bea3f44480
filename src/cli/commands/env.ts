import type { Command } from 'commander';
import { genericEnvironment } from '../adapters/generic.ts';
import { parentOf } from '../run/parent.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';

interface EnvOptions {
  readonly name?: string;
  readonly json?: boolean;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

async function env(session: Session, options: EnvOptions): Promise<void> {
  const { terminal } = session;
  await ensureKernel(session);
  const parent = parentOf(session.env.MEZZ_AGENT);
  const { launches } = await session.control.call('agent.open', {
    client: 'generic',
    cwd: session.cwd,
    hooks: false,
    hosted: false,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(parent === undefined ? {} : { parent }),
  });
  for (const launch of launches) {
    const { env: variables, notes } = genericEnvironment(launch, session.env);
    if (options.json)
      terminal.printJson({ schema: 'mezz.env/1', pid: launch.pid, name: launch.name, env: variables });
    else
      terminal.print(...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`));
    terminal.note(`mezz: agent ${launch.name} (pid ${launch.pid})`, ...notes.map((note) => `mezz: ${note}`));
  }
}

export function define(program: Command, session: Session): void {
  program
    .command('env')
    .description('print the variables for a program that mezz does not start: eval "$(mezz env)"')
    .option('--name <name>', 'what to call the agent')
    .option('--json', 'print the variables as JSON')
    .action((options: EnvOptions) => env(session, options));
}

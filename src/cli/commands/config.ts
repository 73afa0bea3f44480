import type { Command } from 'commander';
import { readPackageFile } from '../files.ts';
import { findingsExit, printFindings } from '../findings.ts';
import type { Session } from '../session.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

interface DoctorOptions extends ViewOptions {
  readonly trial: boolean;
}

async function doctor(session: Session, options: DoctorOptions): Promise<void> {
  const { terminal, control } = session;
  // The kernel answers first: without one there is nothing that could refuse.
  await control.call('status', {});
  const trials = options.trial ? await (await import('../doctor/trial.ts')).tryHooks(session) : undefined;
  const answer = await control.call('doctor', trials ? { trials } : {});
  session.exit = findingsExit(answer.findings);
  if (options.json) return terminal.printJson(answer);
  printFindings(terminal, answer.findings);
}

/** Problems make the exit code 1; without any, `fine` is said. */
function printProblems(session: Session, problems: readonly string[], fine: string): void {
  const { terminal } = session;
  for (const problem of problems) terminal.print(`${terminal.style('red', 'fail')}  ${problem}`);
  if (problems.length === 0) terminal.print(fine);
}

async function showConfig(session: Session, options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('config', {});
  session.exit = answer.problems.length === 0 ? 0 : 1;
  if (options.json) return terminal.printJson(answer);
  terminal.note(answer.file === null ? 'no configuration file: the defaults' : `from ${answer.file}`);
  terminal.print(JSON.stringify(answer.config, null, 2));
  for (const problem of answer.problems) terminal.note(`${terminal.style('red', 'fail')}  ${problem}`);
}

async function reload(session: Session, options: ViewOptions): Promise<void> {
  const answer = await session.control.call('config.reload', {});
  session.exit = answer.problems.length === 0 ? 0 : 1;
  if (options.json) return session.terminal.printJson(answer);
  printProblems(session, answer.problems, 'the configuration was read again and is in force');
  if (answer.problems.length > 0) return;
  // Loaded only here: what speaks to engines would slow every other command down.
  const { probeNew, triedText } = await import('../found/probe.ts');
  for (const backend of await probeNew(session.control)) session.terminal.print(triedText(backend));
}

const DOCTOR = `
For each client found on PATH (claude, codex) one call is made that the gate must refuse: by the client itself,
against a model that mezz plays, in a home of its own, with an invented login. Nothing is billed, nothing is left.

Examples:
  mezz doctor
  mezz doctor --no-trial --json`;

export function define(program: Command, session: Session): void {
  asJson(program.command('doctor').description('prove what is enforced here, and say what is not'))
    .option('--no-trial', 'make no call through the hooks of the clients that are installed')
    .addHelpText('after', DOCTOR)
    .action((options: DoctorOptions) => doctor(session, options));
  const config = program.command('config').description('the configuration in force');
  asJson(config.command('show', { isDefault: true }).description('the configuration in force')).action(
    (options: ViewOptions) => showConfig(session, options),
  );
  asList(config.command('limits').description('every bound mezz keeps, and what it bounds')).action(
    (options: ViewOptions) =>
      show(session, options, {
        verb: 'config.limits',
        request: {},
        ids: ({ limits }) => limits.map((limit) => limit.name),
        render: ({ limits }) =>
          session.terminal.printTable(
            [
              { head: 'LIMIT', cell: (limit) => limit.name },
              { head: 'VALUE', cell: (limit) => String(limit.value), right: true },
              { head: 'UNIT', cell: (limit) => limit.unit },
              { head: 'WHAT', cell: (limit) => limit.what },
            ],
            limits,
          ),
      }),
  );
  config
    .command('schema')
    .description('the JSON Schema of mezz.yaml')
    .action(() => session.terminal.print(readPackageFile('schema/mezz.schema.json').trimEnd()));
  asJson(config.command('reload').description('read the configuration file again')).action(
    (options: ViewOptions) => reload(session, options),
  );
}

/**
 * cli/ owns the `mezz` command: words in, verbs to the kernel, tables and exit codes out.
 * Invariant: a command loads only its own file, and no file but commands/up.ts may reach the kernel's modules.
 * It must not know: how the kernel decides, stores or schedules anything.
 */
import type { Command, CommanderError } from 'commander';
import { EXAMPLES } from './examples.ts';
import { UsageFailure } from './exit.ts';
import { reportFailure } from './failure.ts';
import { COMMANDS } from './registry.ts';
import { processSession, type Session } from './session.ts';

/** Commands that programs call, not people: they are in no list and load nothing else. */
async function runHidden(argv: readonly string[], session: Session): Promise<boolean> {
  if (argv[0] === 'hook') {
    const { answerHook } = await import('./commands/hook.ts');
    session.exit = await answerHook(argv[1] ?? '', session.env);
    return true;
  }
  if (argv[0] === '__complete') {
    const { printCandidates } = await import('./commands/completion.ts');
    await printCandidates(argv.slice(1), session, COMMANDS);
    return true;
  }
  return false;
}

/** What is wrong with the words of a command ends with that command's own help. */
function tellOfHelp(command: Command, path: string): void {
  command.configureOutput({
    outputError: (text, write) => write(`mezz: ${text.replace(/^error: /, '')}Next: ${path} --help\n`),
  });
  for (const sub of command.commands) tellOfHelp(sub, `${path} ${sub.name()}`);
}

async function runCommand(argv: readonly string[], session: Session): Promise<void> {
  const name = argv[0] ?? '';
  const entry = COMMANDS.find((command) => command.name === name);
  if (!entry) {
    const { suggestCommand } = await import('./suggest.ts');
    const meant = suggestCommand(
      name,
      COMMANDS.map((command) => command.name),
      argv.length - 1,
    );
    throw new UsageFailure(
      `mezz has no command "${name}"`,
      meant ? `did you mean: mezz ${[meant, ...argv.slice(1)].join(' ')}` : 'mezz help',
    );
  }
  // Loaded here, because a hook runs before every tool call of a client and needs no option parser.
  const { Command: Program } = await import('commander');
  const program = new Program('mezz')
    .exitOverride()
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => session.terminal.out.write(text),
      writeErr: (text) => session.terminal.err.write(text),
    });
  const file = await entry.load();
  file.define(program, session);
  tellOfHelp(program, 'mezz');
  const examples = (EXAMPLES[name] ?? []).map((line) => `  ${line}`);
  program.commands
    .find((command) => command.name() === name)
    ?.addHelpText('after', ['', 'examples:', ...examples].join('\n'));
  await program.parseAsync(['node', 'mezz', ...argv]);
}

/** Help, topics and the version: true where that was asked for. Their texts load only then. */
async function tellAbout(argv: readonly string[], session: Session): Promise<boolean> {
  const [first, second] = argv;
  if (first !== undefined && !['--help', '-h', 'help', '--version', '-V', 'version'].includes(first))
    return false;
  const { printHelp, printTopic, version } = await import('./help.ts');
  if (first === '--version' || first === '-V' || first === 'version')
    await version(session, argv.includes('--json'));
  else if (first !== 'help' || second === undefined) printHelp(session.terminal);
  else if (!printTopic(second, session.terminal)) await runCommand([second, '--help'], session);
  return true;
}

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');

/** Runs one command line; returns the exit code. */
export async function main(argv: readonly string[], session: Session = processSession()): Promise<number> {
  // A reader that closed the pipe (`| head`) has what it wanted.
  const closed = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  };
  if (session.terminal.out === process.stdout) process.stdout.once('error', closed);
  try {
    const done = (await tellAbout(argv, session)) || (await runHidden(argv, session));
    if (!done) await runCommand(argv, session);
    return session.exit;
  } catch (error) {
    if (isCommanderError(error)) return error.exitCode === 0 ? 0 : 2;
    return reportFailure(error, session.terminal, argv.includes('--json'));
  }
}

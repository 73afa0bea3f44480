import { type Command, Option } from 'commander';
import { UsageFailure } from '../exit.ts';
import { reportFailure } from '../failure.ts';
import { parseInteger } from '../format.ts';
import { kernelLogPath } from '../kernel-log.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';
import { asJson } from '../view.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

interface UpOptions {
  readonly foreground?: boolean;
  readonly config?: string;
  readonly port?: number;
  readonly json?: boolean;
  readonly logFile?: string;
  readonly logLevel?: LogLevel;
  readonly try?: boolean;
}

/**
 * The kernel in this process, until SIGTERM or SIGINT; a second one of either stops it at once. `greet` speaks once it
 * serves.
 */
export async function runForeground(
  session: Session,
  options: UpOptions,
  greet: () => Promise<void> = async () => {},
): Promise<void> {
  const { boot } = await import('../../boot.ts');
  const kernel = await boot({
    stateDir: session.stateDir,
    ...(options.config === undefined ? {} : { configPath: options.config }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.logFile === undefined ? {} : { logFile: options.logFile }),
    logLevel: options.logLevel ?? 'info',
  }).catch((error: unknown) => {
    // What a failed start has opened already would keep this process alive, and the store locked.
    process.exit(reportFailure(error, session.terminal, false));
  });
  // A bug ends the process as it always does; the monitor only tells why first.
  process.on('uncaughtExceptionMonitor', (error) => kernel.log.error('kernel.crashed', { error }));
  if (options.logFile === undefined)
    session.terminal.print(`mezz is up: ${kernel.origin} (state: ${session.stateDir})`);
  const ended = new Promise<void>((resolve, reject) => {
    let closing = false;
    const stop = () => {
      if (closing) process.exit(130);
      closing = true;
      kernel.close().then(resolve, reject);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // A closed terminal ends the kernel that runs in it, but not one in the background.
    process.on('SIGHUP', stop);
  });
  // In the background: an engine may take its time, or its model has to be loaded first.
  if (options.try !== false)
    void import('../found/probe.ts')
      .then(({ probeNew }) => probeNew(session.control))
      .catch((error: unknown) => kernel.log.warn('backend.untried', { error }));
  await Promise.all([greet(), ended]);
}

async function up(session: Session, options: UpOptions): Promise<void> {
  if (options.foreground) return runForeground(session, options);
  const more = [
    ...(options.config === undefined ? [] : ['--config', options.config]),
    ...(options.port === undefined ? [] : ['--port', String(options.port)]),
    ...(options.logLevel === undefined ? [] : ['--log-level', options.logLevel]),
    ...(options.try === false ? ['--no-try'] : []),
  ];
  const { status, started } = await ensureKernel(session, more);
  if (!started && more.length > 0)
    throw new UsageFailure(
      'A kernel is running already, with other settings',
      'mezz down, then mezz up again',
      1,
    );
  if (options.json) return session.terminal.printJson(status);
  session.terminal.print(
    started ? `mezz is up: ${status.origin}` : `mezz is up already: ${status.origin} (pid ${status.pid})`,
    `log: ${kernelLogPath(session.stateDir)} (mezz logs --kernel)`,
  );
}

function parseLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level) return level;
  throw new UsageFailure(`"${text}" is not a log level`, `one of: ${LOG_LEVELS.join(', ')}`);
}

export function define(program: Command, session: Session): void {
  asJson(program.command('up').description('start the kernel in the background'))
    .option('--foreground', 'run the kernel in this process, until Ctrl-C')
    .option('--config <file>', 'the configuration to use')
    .option('--port <port>', "the agents' port on 127.0.0.1", parseInteger(0, 65_535))
    .option('--no-try', 'ask new backends of your own for nothing (mezz backend try)')
    .option('--log-level <level>', LOG_LEVELS.join(', '), parseLevel)
    .addOption(new Option('--log-file <file>', 'where the kernel logs to').hideHelp())
    .action((options: UpOptions) => up(session, options));
}

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatCount } from '../format.ts';
import { kernelLogPath } from '../kernel-log.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';
import { giveTour } from '../tour/tour.ts';
import { asJson } from '../view.ts';
import { printWelcome, survey } from '../welcome.ts';
import { runForeground } from './up.ts';

interface StartOptions {
  readonly json?: boolean;
  readonly foreground?: boolean;
  readonly tour: boolean;
}

/** A person is here who can read along and press a key. */
const isWatched = ({ terminal }: Session): boolean => terminal.interactive && process.stdin.isTTY === true;

/** Once for each state directory; one that was ended by a key is not offered again either. */
function isFirstStart({ stateDir }: Session): boolean {
  const seen = join(stateDir, 'tour-seen');
  if (existsSync(seen)) return false;
  writeFileSync(seen, '', { mode: 0o600 });
  return true;
}

async function printKernel(session: Session, started: boolean): Promise<void> {
  const { terminal, control } = session;
  const [status, { backends }] = await Promise.all([
    control.call('status', {}),
    control.call('backends', {}),
  ]);
  const ready = backends.filter((backend) => backend.ready).map((backend) => backend.id);
  terminal.print(
    `${terminal.style('green', '●')} mezz ${status.version} is ${started ? 'up' : 'running'} at ${status.origin}`,
    `  state   ${status.stateDir}`,
    `  log     ${kernelLogPath(status.stateDir)} (mezz logs --kernel)`,
    `  agents  ${formatCount(status.agents)} (${status.running} calls running, ${status.waiting} waiting)`,
    `  access  profile ${status.profile}`,
    `  models  ${ready.join(', ')}`,
  );
  for (const warning of status.warnings) terminal.print(terminal.style('yellow', `  note    ${warning}`));
}

async function start(session: Session, options: StartOptions): Promise<void> {
  if (options.foreground)
    return runForeground(session, {}, async () => printWelcome(session, await survey(session)));
  const { status, started } = await ensureKernel(session);
  const found = survey(session);
  if (options.json)
    return session.terminal.printJson({ ...status, schema: 'mezz.start/1', found: await found });
  await printKernel(session, started);
  // mezz serves by now: whoever has no time for the tour has what they came for.
  if (options.tour && isWatched(session) && isFirstStart(session)) await giveTour(session, true);
  printWelcome(session, await found);
}

async function tour(session: Session): Promise<void> {
  await ensureKernel(session);
  await giveTour(session, isWatched(session));
  printWelcome(session, await survey(session));
}

export function define(program: Command, session: Session): void {
  asJson(program.command('start').description('start the kernel and say what to type next'))
    .option('--foreground', 'run the kernel in this process, until Ctrl-C')
    .option('--no-tour', 'not the tour that the first start gives in a terminal')
    .action((options: StartOptions) => start(session, options));
  program
    .command('tour')
    .description('a minute of experiments that show what mezz is for')
    .action(() => tour(session));
}

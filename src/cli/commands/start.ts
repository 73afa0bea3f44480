import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BackendView } from '../../base/models.ts';
import type { Answer } from '../../sdk/client.ts';
import { formatCount } from '../format.ts';
import { needsNoLogin } from '../found/model.ts';
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

/** Which backends serve now, and which only with a login that an agent brings. */
function describeBackends(backends: readonly BackendView[], models: Answer<'models'>): string[] {
  const engineIsEmpty = models.files.length === 0;
  const served = backends.filter(({ id }) => !(id === 'engine' && engineIsEmpty));
  const names = (some: readonly BackendView[]) => some.map(({ id }) => id).join(', ');
  const own = served.filter((backend) => backend.ready && !needsNoLogin(backend) && !backend.label);
  return [
    `  models  ${[names(served.filter(needsNoLogin)), 'lab (no model, to try things on)'].filter(Boolean).join(', ')}`,
    ...(own.length > 0 ? [`          with a login or key of the agent's own: ${names(own)}`] : []),
  ];
}

async function printKernel(session: Session, started: boolean): Promise<void> {
  const { terminal, control } = session;
  const [status, { backends }, models] = await Promise.all([
    control.call('status', {}),
    control.call('backends', {}),
    control.call('models', {}),
  ]);
  terminal.print(
    `${terminal.style('green', '●')} mezz ${status.version} is ${started ? 'up' : 'running'} at ${status.origin}`,
    `  state   ${status.stateDir}`,
    `  log     ${kernelLogPath(status.stateDir)} (mezz logs --kernel)`,
    `  agents  ${formatCount(status.agents)} (${status.running} calls running, ${status.waiting} waiting)`,
    `  access  profile ${status.profile}`,
    ...describeBackends(backends, models),
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
  await printWelcome(session, await found);
}

async function tour(session: Session): Promise<void> {
  await ensureKernel(session);
  await giveTour(session, isWatched(session));
  await printWelcome(session, await survey(session));
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

import { arch, release, type } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ControlFailure, KERNEL_UNREACHABLE_EXIT } from '../../sdk/failure.ts';
import { UsageFailure } from '../exit.ts';
import { formatDuration, parseDuration } from '../format.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

interface DownOptions extends ViewOptions {
  readonly grace?: number;
}

async function down(session: Session, options: DownOptions): Promise<void> {
  const { terminal, control } = session;
  const graceMs = options.grace ?? LIMITS.drainMs.value;
  const pid = await control.call('status', {}).then(
    (status) => status.pid,
    (error: unknown) => {
      // Down is what was asked for.
      if (error instanceof ControlFailure && error.exit === KERNEL_UNREACHABLE_EXIT) return undefined;
      throw error;
    },
  );
  if (pid === undefined) {
    if (!options.json) terminal.print('no kernel is running');
    else terminal.printJson({ schema: 'mezz.down/1', draining: 0 });
    return;
  }
  const answer = await control.call('down', { graceMs });
  if (answer.draining > 0 && !options.json)
    terminal.note(`waiting for ${answer.draining} running calls, at most ${formatDuration(graceMs)}`);
  const until = performance.now() + graceMs + LIMITS.drainMs.value;
  while (isAlive(pid)) {
    if (performance.now() > until)
      throw new UsageFailure(`The kernel (pid ${pid}) is still ending its work`, 'mezz status', 124);
    await sleep(LIMITS.kernelPollMs.value);
  }
  if (options.json) terminal.printJson(answer);
  else terminal.print('mezz is down; agents that were started without it work as before');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The kernel runs on this machine: its socket is a file here. */
function systemName(): string {
  return `${process.platform === 'darwin' ? 'macOS (Darwin)' : type()} ${release()}, ${arch()}`;
}

function status(session: Session, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'status',
    request: {},
    ids: (answer) => [answer.pid],
    render: (answer) => {
      terminal.print(
        `kernel    mezz ${answer.version}, pid ${answer.pid}, up ${formatDuration(session.now() - answer.startedAt)}`,
        `runs on   ${systemName()}: an orchestration layer on it, not an operating system`,
        `agents    ${answer.agents}`,
        `calls     ${answer.running} running, ${answer.waiting} waiting`,
        `address   ${answer.origin}`,
        `state     ${answer.stateDir}`,
        `profile   ${answer.profile}`,
      );
      for (const warning of answer.warnings) terminal.print(terminal.style('yellow', `note      ${warning}`));
    },
  });
}

export function define(program: Command, session: Session): void {
  asJson(program.command('down').description('let running calls end, then stop the kernel'))
    .option('--grace <duration>', 'how long running calls may take, e.g. 30s', parseDuration)
    .action((options: DownOptions) => down(session, options));
  asList(program.command('status').description('is a kernel running, where, and how is it')).action(
    (options: ViewOptions) => status(session, options),
  );
}

import type { Command } from 'commander';
import type { Session } from '../session.ts';
import { headLines, orderRows, perHour, type Sheet, topColumns } from '../top/sheet.ts';
import { asJson, type ViewOptions, watchMs } from '../view.ts';

interface TopOptions extends ViewOptions {
  readonly all?: boolean;
  readonly once?: boolean;
}

function printSheet(session: Session, sheet: Sheet): void {
  const { terminal } = session;
  terminal.print(...headLines(sheet, session.now()), '');
  terminal.printTable(topColumns(perHour(sheet)), orderRows(sheet, 'need'));
}

async function top(session: Session, options: TopOptions): Promise<void> {
  const { terminal, control } = session;
  const pauseMs = watchMs(options.watch);
  const sheet = await control.call('top', options.all ? { all: true } : {});
  if (options.json) return terminal.printJson(sheet);
  const live = terminal.interactive && process.stdin.isTTY && session.env.TERM !== 'dumb';
  if (options.once || !live) return printSheet(session, sheet);
  // React reads this when it is loaded: its other build is slower and keeps a record of every frame.
  const { env } = process;
  env.NODE_ENV ??= 'production';
  // Loaded here alone: no other command pays for the screen.
  const { watchAgents } = await import('../top/live.ts');
  await watchAgents(session, sheet, { all: options.all ?? false, pauseMs });
}

const ABOUT = `
Keys: p pause or resume, n renice, k kill (asks first), a approve (asks first), d deny, t trace, w why, s sort, ? all.
Use per hour is that of the last hour. Without a terminal one sheet is printed.`;

export function define(program: Command, session: Session): void {
  asJson(program.command('top').description('watch agents, and act on them: who needs you first'))
    .option('-a, --all', 'also agents that have exited')
    .option('-1, --once', 'print one sheet and end')
    .option('-w, --watch <seconds>', 'pause between two looks')
    .addHelpText('after', ABOUT)
    .action((options: TopOptions) => top(session, options));
}

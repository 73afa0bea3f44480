import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { CallView } from '../../base/control.ts';
import { CALL_COLUMNS, callState } from '../columns.ts';
import { STEP_COLUMNS, traceHead, whyLines } from '../explain.ts';
import { parseInteger, parseSince } from '../format.ts';
import { showKernelLog } from '../kernel-log.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { renderTable } from '../table.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

interface LogOptions extends ViewOptions {
  readonly follow?: boolean;
  readonly number: number;
  readonly since?: string;
  readonly state?: string;
  readonly kernel?: boolean;
}
interface TraceOptions extends ViewOptions {
  readonly entries?: boolean;
}

function logs(session: Session, agent: string | undefined, options: LogOptions): Promise<void> {
  const { terminal } = session;
  const request = {
    limit: options.number,
    ...(agent === undefined ? {} : { agent }),
    ...(options.since === undefined ? {} : { since: parseSince(options.since, session.now()) }),
    ...(options.state === undefined ? {} : { state: options.state }),
  };
  if (options.kernel)
    return showKernelLog(session, {
      ...options,
      ...(request.since === undefined ? {} : { sinceMs: request.since }),
    });
  if (options.follow) return follow(session, request, options);
  return show(session, options, {
    verb: 'calls',
    request,
    ids: ({ calls }) => calls.map((call) => call.id),
    render: ({ calls }) => terminal.printTable(CALL_COLUMNS(session.now()), byTime(calls)),
  });
}

const byTime = (calls: readonly CallView[]): CallView[] =>
  [...calls].sort((a, b) => a.arrivedAt - b.arrivedAt);

/** Prints each call once when it is first seen and once more when it has ended, until interrupted. */
async function follow(
  session: Session,
  request: { limit: number; agent?: string; since?: number; state?: string },
  options: LogOptions,
): Promise<void> {
  const { terminal, control } = session;
  const shown = new Map<string, string>();
  let since = request.since;
  let first = true;
  for (;;) {
    const { calls } = await control.call('calls', {
      ...request,
      ...(since === undefined ? {} : { since }),
    });
    const fresh = byTime(calls).filter((call) => shown.get(call.id) !== callState(call));
    for (const call of fresh) shown.set(call.id, callState(call));
    if (options.json) for (const call of fresh) terminal.printJson(call, false);
    else if (fresh.length > 0) {
      const [head = '', ...lines] = renderTable(CALL_COLUMNS(session.now()), fresh);
      terminal.print(...(first ? [terminal.style('bold', head)] : []), ...lines);
    }
    first &&= fresh.length === 0;
    // Calls still open stay in the window; older ones cannot change any more.
    const open = calls.filter((call) => call.endedAt === null).map((call) => call.arrivedAt);
    const newest = Math.max(...calls.map((call) => call.arrivedAt), since ?? 0);
    since = Math.min(...open, newest);
    for (const [id] of shown) if (!calls.some((call) => call.id === id)) shown.delete(id);
    await sleep((LIMITS.watchSeconds.value * 1000) / 2);
  }
}

function trace(session: Session, call: string, options: TraceOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'trace',
    request: { call },
    ids: (answer) => [answer.call.id],
    render: (answer) => {
      const { steps, entries } = answer;
      terminal.print(...traceHead(answer, session.now()));
      terminal.printTable(STEP_COLUMNS, steps);
      if (options.entries) terminal.print('', ...entries.map((entry) => JSON.stringify(entry)));
    },
  });
}

function why(session: Session, subject: string, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'why',
    request: { subject },
    ids: ({ waits }) => waits.map((wait) => wait.call),
    render: (answer) => terminal.print(...whyLines(answer, subject)),
  });
}

export function define(program: Command, session: Session): void {
  asList(program.command('logs').description('list calls: of one agent, or of all'))
    .argument('[agent]', 'pid, name, or the beginning of a name')
    .option('-f, --follow', 'go on with new calls as they come')
    .option('-n, --number <count>', 'how many calls', parseInteger(1, 10_000), 50)
    .option('--since <time>', '2h, today, or a date')
    .option('--kernel', "the kernel's own log instead: starts, trouble, settings")
    .option('--state <state>', 'running, waiting, done, failed, refused or in_doubt')
    .action((agent: string | undefined, options: LogOptions) => logs(session, agent, options));
  asList(program.command('trace').description("show one call's path through the kernel, with times"))
    .argument('<call>', 'id of a call, or its beginning')
    .option('--entries', 'also its journal entries')
    .action((call: string, options: TraceOptions) => trace(session, call, options));
  asJson(program.command('why').description('explain what a call or an agent waits for'))
    .argument('<call-or-agent>', 'id, pid or name')
    .option('-w, --watch [seconds]', 'show again and again')
    .action((subject: string, options: ViewOptions) => why(session, subject, options));
}

import type { Command } from 'commander';
import type { UndoView } from '../../base/tools.ts';
import { parseSince } from '../format.ts';
import type { Session } from '../session.ts';
import { asJson } from '../view.ts';

interface UndoOptions {
  readonly json?: boolean;
  readonly since?: string;
  readonly dryRun?: boolean;
}

const DONE: { readonly [K in UndoView['kind']]: string } = {
  file: 'put back',
  inverse: 'taken back by a call',
  compensation: 'made up for by a call (the world has seen it)',
  none: '',
};

function tell({ state, kind, why, by }: UndoView): string {
  if (state === 'left') return `left: ${why}`;
  if (state === 'failed') return `failed: ${why}`;
  return state === 'would' ? `would be ${DONE[kind]}` : `${DONE[kind]}, call ${by}`;
}

/** A call's id is longer than an agent's name may be mistaken for. */
const isCall = (what: string): boolean => /^c[0-9a-z]{15,}$/i.test(what);

async function undo(session: Session, what: string, options: UndoOptions): Promise<void> {
  const { terminal, control } = session;
  const since = options.since === undefined ? {} : { since: parseSince(options.since, session.now()) };
  const of = isCall(what) ? { call: what } : { agent: what };
  const answer = await control.call('undo', { ...of, ...since, dryRun: options.dryRun ?? false });
  if (answer.steps.some(({ state }) => state === 'failed')) session.exit = 1;
  if (options.json) return terminal.printJson(answer);
  terminal.printTable(
    [
      { head: 'CALL', cell: ({ call }) => call },
      { head: 'BY', cell: ({ tool }) => tool },
      { head: 'WHAT', cell: ({ key }) => key.replace(/^file:/, '') },
      { head: 'NOW', cell: tell },
    ],
    answer.steps,
  );
  const count = (state: UndoView['state']) => answer.steps.filter((step) => step.state === state).length;
  const done = options.dryRun ? `${count('would')} would be undone` : `${count('undone')} undone`;
  terminal.print(`${done}, ${count('left')} left as they are, ${count('failed')} failed`);
  if (answer.steps.length === 0)
    terminal.note(
      'mezz: no change is known: what was changed round mezz, and what was there before where journal.bodies is not keep, is not kept',
    );
}

export function define(program: Command, session: Session): void {
  asJson(
    program.command('undo').description('take back what an agent, or one call, changed: the newest first'),
  )
    .argument('<agent|call>', 'pid, name, the beginning of a name, or the id of a call')
    .option('--since <time>', 'only what was begun since: 2h, today, or a date')
    .option('--dry-run', 'only say what would happen')
    .action((what: string, options: UndoOptions) => undo(session, what, options));
}

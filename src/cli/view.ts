import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { VerbName, VerbRequest } from '../base/control.ts';
import type { Answer } from '../sdk/client.ts';
import { UsageFailure } from './exit.ts';
import { LIMITS } from './limits.ts';
import type { Session } from './session.ts';

export interface ViewOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly watch?: boolean | string;
}

/** How one verb's answer is shown. */
export interface View<V extends VerbName> {
  readonly verb: V;
  readonly request: VerbRequest<V>;
  readonly render: (answer: Answer<V>) => void;
  /** What `--quiet` prints, one a line; without it, `--quiet` prints nothing. */
  readonly ids?: (answer: Answer<V>) => readonly (string | number)[];
}

export const asJson = (command: Command): Command =>
  command.option('--json', 'print the answer as JSON (its member `schema` names the shape)');

export const asList = (command: Command): Command =>
  asJson(command)
    .option('-q, --quiet', 'print ids only')
    .option('-w, --watch [seconds]', `show again every ${LIMITS.watchSeconds.value} seconds`);

/** Asks the kernel and shows the answer; with `--watch` again and again (JSON: one line each) until interrupted. */
export async function show<V extends VerbName>(
  session: Session,
  options: ViewOptions,
  view: View<V>,
): Promise<void> {
  const { terminal, control } = session;
  const watching = options.watch !== undefined && options.watch !== false;
  for (;;) {
    const answer = await control.call(view.verb, view.request);
    if (watching && !options.json) terminal.clear();
    if (options.json) terminal.printJson(answer, watching ? false : terminal.interactive);
    else if (options.quiet) terminal.print(...(view.ids?.(answer) ?? []).map(String));
    else view.render(answer);
    if (!watching) return;
    await sleep(watchMs(options.watch));
  }
}

export function watchMs(watch: boolean | string | undefined): number {
  const seconds = typeof watch === 'string' ? Number(watch) : LIMITS.watchSeconds.value;
  if (!(seconds >= 0.1))
    throw new UsageFailure(`--watch needs seconds, at least 0.1, not "${watch}"`, 'write it as --watch 2');
  return seconds * 1000;
}

/** For verbs that change something: JSON, or one line saying what was done. */
export async function change<V extends VerbName>(
  session: Session,
  options: ViewOptions,
  verb: V,
  request: VerbRequest<V>,
  done: (answer: Answer<V>) => string | readonly string[],
): Promise<void> {
  const answer = await session.control.call(verb, request);
  if (options.json) session.terminal.printJson(answer);
  else if (!options.quiet) session.terminal.print(...[done(answer)].flat());
}

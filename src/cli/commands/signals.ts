import type { Command } from 'commander';
import type { Signal } from '../../base/control.ts';
import { UsageFailure } from '../exit.ts';
import { sendSignal } from '../run/signal.ts';
import type { Session } from '../session.ts';
import { asJson, change, type ViewOptions } from '../view.ts';

interface KillOptions extends ViewOptions {
  readonly signal: string;
  readonly revoke?: boolean;
  readonly tree?: boolean;
}
interface FreezeOptions extends ViewOptions {
  readonly all?: boolean;
}

const SIGNALS: Readonly<Record<string, Signal>> = {
  KILL: 'kill',
  TERM: 'stop',
  INT: 'stop',
  STOP: 'pause',
  TSTP: 'pause',
  CONT: 'resume',
};
const DONE: Readonly<Record<Signal, string>> = {
  kill: 'killed',
  stop: 'stopped',
  pause: 'paused before its next call',
  resume: 'resumed',
};

/** `KILL`, `SIGKILL`, `kill`: the kernel's name for it. */
export function parseSignal(text: string): Signal {
  const signal = SIGNALS[text.toUpperCase().replace(/^SIG/, '')];
  if (signal) return signal;
  throw new UsageFailure(`mezz has no signal "${text}"`, 'use KILL, TERM, STOP or CONT');
}

async function send(
  session: Session,
  agents: readonly string[],
  signal: Signal,
  options: Partial<KillOptions>,
): Promise<void> {
  for (const agent of agents) {
    const { revoke = false, tree = false } = options;
    const answer = await sendSignal(session.control, { agent, signal, revoke, tree });
    if (options.json) session.terminal.printJson(answer);
    else
      session.terminal.print(
        answer.agents.length <= 1
          ? `${agent} ${DONE[signal]}`
          : `${agent} and ${answer.agents.length - 1} below it ${DONE[signal]}`,
      );
  }
}

async function freeze(
  session: Session,
  agents: readonly string[],
  thaw: boolean,
  options: FreezeOptions,
): Promise<void> {
  const word = thaw ? 'thaw' : 'freeze';
  if (agents.length === 0 && !options.all)
    throw new UsageFailure(`mezz ${word} needs an agent, or --all`, `mezz ${word} --all`);
  const requests = options.all ? [{ all: true, thaw }] : agents.map((agent) => ({ agent, thaw }));
  for (const request of requests)
    await change(session, options, 'freeze', request, ({ frozen }) =>
      frozen.length === 0 ? 'nothing is frozen' : `frozen: ${frozen.join(', ')}`,
    );
}

const KILL = `
KILL cuts its calls and ends its program: SIGTERM, and after some seconds SIGKILL, for all its processes.
TERM, STOP and CONT hold and let go of its calls; its program goes on running.

Examples:
  mezz kill fix
  mezz kill --revoke --tree fix`;

function defineKill(program: Command, session: Session): void {
  asJson(program.command('kill').description('end an agent, and the program that mezz run started for it'))
    .addHelpText('after', KILL)
    .argument('<agent...>', 'pid, name, or the beginning of a name')
    .option('-s, --signal <signal>', 'KILL, TERM, STOP (pause) or CONT (resume)', 'KILL')
    .option('--revoke', 'its keys are void from now on')
    .option('--tree', 'also the agents below it')
    .action((agents: string[], options: KillOptions) =>
      send(session, agents, parseSignal(options.signal), options),
    );
}

export function define(program: Command, session: Session): void {
  defineKill(program, session);
  for (const [signal, summary] of [
    ['pause', 'stop an agent before its next model or tool call; it survives restarts of the kernel'],
    ['resume', 'let a paused agent go on'],
  ] as const)
    asJson(program.command(signal).description(summary))
      .argument('<agent...>', 'pid, name, or the beginning of a name')
      .option('--tree', 'also the agents below it')
      .action((agents: string[], options: KillOptions) => send(session, agents, signal, options));
  asJson(program.command('nice').description('change what yields to what: -20 goes first, 19 last'))
    .argument('<value>', 'from -20 to 19')
    .argument('<agent...>', 'pid, name, or the beginning of a name')
    .allowUnknownOption()
    .action(async (value: string, agents: string[], options: ViewOptions) => {
      const nice = parseNice(value);
      for (const agent of agents)
        await change(session, options, 'nice', { agent, nice }, () => `${agent} has nice ${nice}`);
    });
  for (const [word, summary] of [
    ['freeze', 'let nothing of an agent, or of all, pass the gate'],
    ['thaw', 'end a freeze'],
  ] as const)
    asJson(program.command(word).description(summary))
      .argument('[agent...]', 'pid, name, or the beginning of a name')
      .option('--all', 'everything')
      .action((agents: string[], options: FreezeOptions) =>
        freeze(session, agents, word === 'thaw', options),
      );
}

/** A nice value from -20 to 19. */
export function parseNice(text: string): number {
  const nice = Number(text);
  if (!Number.isInteger(nice) || nice < -20 || nice > 19)
    throw new UsageFailure(`"${text}" is not a nice value`, 'a whole number from -20 (first) to 19 (last)');
  return nice;
}

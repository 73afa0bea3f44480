import { type Command, Option } from 'commander';
import type { Launch } from '../../base/control.ts';
import type { NanoUsd } from '../../base/usage.ts';
import type { ClientAdapter } from '../adapters/adapter.ts';
import { findAdapter } from '../adapters/index.ts';
import { formatDuration, parseInteger, parseMoney } from '../format.ts';
import { LIMITS } from '../limits.ts';
import { reportDetached, startDetached, withoutMark } from '../run/detached.ts';
import { selfAsRunner } from '../run/family.ts';
import { parentOf } from '../run/parent.ts';
import { runProgram } from '../run/program.ts';
import { checkWindow } from '../run/window.ts';
import { finishWorktree, giveWorktrees, inWorktree, type Place, prepareWorktrees } from '../run/worktree.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';

const ON_LIMIT = ['wait', 'sleep', 'fail'] as const;
type OnLimit = (typeof ON_LIMIT)[number];

export interface RunOptions {
  readonly name?: string;
  readonly nice?: number;
  readonly budget?: NanoUsd;
  readonly count: number;
  readonly client?: string;
  readonly hooks: boolean;
  readonly worktree?: boolean;
  readonly hold?: boolean;
  readonly onLimit?: OnLimit;
  readonly detach?: boolean;
  readonly anyway?: boolean;
  readonly json?: boolean;
}

/** The options as words again, without --detach, for the copy that stays. */
function optionWords(options: RunOptions): string[] {
  const { name, nice, budget, count, client, hooks, hold, onLimit, worktree, anyway } = options;
  return [
    ...(name === undefined ? [] : [`--name=${name}`]),
    ...(nice === undefined ? [] : [`--nice=${nice}`]),
    ...(budget === undefined ? [] : [`--budget=${(budget / 1e9).toFixed(9)}`]),
    ...(client === undefined ? [] : [`--client=${client}`]),
    ...(hooks ? [] : ['--no-hooks']),
    ...(worktree ? ['--worktree'] : []),
    ...(hold ? ['--hold'] : []),
    ...(onLimit ? [`--on-limit=${onLimit}`] : []),
    ...(anyway ? ['--anyway'] : []),
    `--count=${count}`,
  ];
}

async function detach(session: Session, command: readonly string[], options: RunOptions): Promise<void> {
  const { terminal } = session;
  const { osPid, agents, log } = await startDetached(session, [...optionWords(options), '--', ...command]);
  if (options.json) return terminal.printJson({ schema: 'mezz.run/1', osPid, agents, log });
  for (const { pid, name } of agents) terminal.print(`${name} (pid ${pid})`);
  terminal.note(`log: ${log}`, `Next: mezz logs ${agents[0]?.name ?? ''} --follow`);
}

/** Opens the agents at the kernel; one that asks from inside an agent is its child. */
async function openAgents(session: Session, adapter: ClientAdapter, options: RunOptions): Promise<Launch[]> {
  const parent = parentOf(session.env.MEZZ_AGENT);
  const { launches } = await session.control.call('agent.open', {
    client: adapter.client,
    cwd: session.cwd,
    hooks: adapter.hooks && options.hooks,
    hosted: true,
    ...selfAsRunner(),
    count: options.count,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.nice === undefined ? {} : { nice: options.nice }),
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    ...(options.hold ? { hold: true } : {}),
    ...(options.onLimit ? { onLimit: options.onLimit } : {}),
    ...(parent === undefined ? {} : { parent }),
  });
  return launches;
}

/** Runs a program as an agent, or several; the exit code of the session is the program's. */
export async function run(session: Session, command: readonly string[], options: RunOptions): Promise<void> {
  const adapter = findAdapter(command[0] ?? '', options.client);
  const checkout = options.worktree
    ? await prepareWorktrees(session, options.count === 1 ? options.name : undefined)
    : undefined;
  const { started } = await ensureKernel(session);
  if (started) session.terminal.note(`mezz: the kernel is up (mezz down ends it)`);
  if (!options.anyway) await checkWindow(session, adapter, command);
  if (options.detach) return detach(session, command, options);
  const launches = await openAgents(session, adapter, options);
  const own = withoutMark(session);
  const places: Place[] = checkout
    ? await giveWorktrees(session, checkout, launches)
    : launches.map((launch) => ({ launch }));
  reportDetached(
    session,
    launches.map(({ pid, name }) => ({ pid, name })),
  );
  const began = session.now();
  const exits = await Promise.all(
    places.map(({ launch, worktree }) =>
      runProgram(worktree ? inWorktree(own) : own, adapter, launch, command, launches.length === 1),
    ),
  );
  for (const { launch, worktree } of places) if (worktree) await finishWorktree(session, launch, worktree);
  session.exit = exits.find((code) => code !== 0) ?? 0;
  if (launches.length > 1)
    session.terminal.note(
      `mezz: ${launches.length} agents ended after ${formatDuration(session.now() - began)}, ${exits.filter((code) => code !== 0).length} of them failed`,
    );
}

const EXAMPLES = `
Examples:
  mezz run -- claude
  mezz run --name fix --budget 5usd --worktree -- codex exec 'mend the login'
  mezz run --count 3 --worktree -- claude -p 'try it your own way'

A worktree lies in mezz's state directory; your checkout stays as it is. When the program has ended, a worktree
without changes is removed; otherwise: mezz diff, mezz merge, mezz discard. Files that git ignores are not in it.`;

export function define(program: Command, session: Session): void {
  program
    .command('run')
    .description('run a program as an agent: mezz run -- claude')
    .usage('[options] -- <command> [arguments]')
    .argument('<command...>', 'the program and its arguments')
    .option('--name <name>', 'what to call it')
    .option('--nice <value>', 'from -20 (first) to 19 (last)', parseInteger(-20, 19))
    .option('--budget <amount>', 'the money it may spend, e.g. 5usd', parseMoney)
    .option('--count <n>', 'how many of it, side by side', parseInteger(1, LIMITS.agentCount.value), 1)
    .option('--client <client>', 'claude, codex, opencode or generic; by default after the program')
    .option('--no-hooks', "leave the client's own tools unasked: mezz then only sees them")
    .option('--worktree', 'each in a git worktree and on a branch of its own, from the last commit')
    .option('--hold', "hold the model's answers until each tool call in them is decided")
    .addOption(
      new Option(
        '--on-limit <what>',
        "at a provider's rate limit: wait, sleep until it opens where that takes long, or fail",
      ).choices(ON_LIMIT),
    )
    .option('-d, --detach', 'go on without this terminal')
    .option('--anyway', "start it although its model's window is known to be too small")
    .option('--json', 'with --detach: print the answer as JSON')
    .addHelpText('after', EXAMPLES)
    .passThroughOptions()
    .action((command: string[], options: RunOptions) => run(session, command, options));
}

/**
 * commands/ owns the words a user types: one file a subject, each defining its commands, options and what they print.
 * Invariant: a command asks the kernel by verbs alone; what it did not do is an exit code and a next step.
 * It must not know: another command, or (but for up.ts) any module of the kernel.
 */
import { Argument, type Command } from 'commander';
import type { AgentView } from '../../base/control.ts';
import type { LimitView } from '../../base/money.ts';
import { CALL_COLUMNS, formatCoverage } from '../columns.ts';
import { printDoubts } from '../doubts.ts';
import {
  formatAge,
  formatAmount,
  formatCount,
  formatDuration,
  formatMoney,
  formatTime,
  formatUsage,
} from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { inTree } from '../tree.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

interface PsOptions extends ViewOptions {
  readonly all?: boolean;
}

const stateText = (agent: AgentView): string =>
  agent.state === 'exited' && agent.exitCode !== null ? `exited (${agent.exitCode})` : agent.state;

function agentColumns(nowMs: number): Column<AgentView & { readonly shown: string }>[] {
  return [
    { head: 'PID', cell: (agent) => String(agent.pid), right: true },
    { head: 'NAME', cell: (agent) => agent.shown },
    { head: 'CLIENT', cell: (agent) => agent.client, spare: true },
    { head: 'STATE', cell: stateText },
    { head: 'NICE', cell: (agent) => String(agent.nice), right: true, spare: true },
    { head: 'CALLS', cell: (agent) => formatCount(agent.calls), right: true },
    { head: 'IN/OUT', cell: (agent) => formatUsage(agent.usage), right: true, spare: true },
    { head: 'COST', cell: (agent) => formatMoney(agent.cost), right: true },
    { head: 'COVERAGE', cell: (agent) => formatCoverage(agent.coverage) },
    { head: 'LAST', cell: (agent) => formatAge(agent.lastAt, nowMs), spare: true },
    { head: 'WAITS FOR', cell: (agent) => agent.waitsFor ?? '' },
  ];
}

function ps(session: Session, options: PsOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'ps',
    request: options.all ? { all: true } : {},
    ids: (answer) => answer.agents.map((agent) => agent.pid),
    render: (answer) => {
      terminal.printTable(
        agentColumns(session.now()),
        inTree(
          answer.agents,
          (agent) => agent.pid,
          (agent) => agent.name,
        ),
      );
      printDoubts(session, answer.doubts);
      if (answer.agents.length === 0 && terminal.interactive)
        terminal.note('No agent yet. Next: mezz run -- claude');
    },
  });
}

const limitText = (limit: LimitView): string => {
  const value = (amount: number) => formatAmount(limit.dimension, amount);
  const held = limit.held > 0 ? `, ${value(limit.held)} held` : '';
  return `${limit.dimension} ${limit.period}: ${value(limit.used)} of ${value(limit.cap)}${held}${limit.strict ? ', strict' : ''}`;
};

/** The promises that do not hold for it, and how many do: the page has them all. */
function promiseLines(guarantees: readonly string[]): string[] {
  const open = guarantees.filter((line) => line.startsWith('not held: '));
  const held = guarantees.length - open.length;
  return [
    ...open.map((line) => `${'promise'.padEnd(10)}${line}`),
    ...(held > 0 ? [`${'promises'.padEnd(10)}${held} hold (GUARANTEES.md, or --json)`] : []),
  ];
}

function showAgent(session: Session, selector: string, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'agent.show',
    request: { agent: selector },
    ids: (answer) => [answer.agent.pid],
    render: ({ agent, limits, recent, levels, guarantees }) => {
      const now = session.now();
      const lines: [string, string | null][] = [
        ['agent', `${agent.name} (pid ${agent.pid})`],
        ['client', `${agent.client}, ${agent.hosted ? 'started by mezz' : 'attached'}`],
        ['process', agent.osPid === null ? null : String(agent.osPid)],
        ['parent', agent.parent === null ? null : String(agent.parent)],
        ['owner', agent.owner],
        ['account', agent.account],
        ['state', stateText(agent)],
        ['waits for', agent.waitsFor],
        ['nice', String(agent.nice)],
        ['since', `${formatTime(agent.createdAt, now)} (${formatDuration(now - agent.createdAt)})`],
        ['calls', `${formatCount(agent.calls)} in ${formatCount(agent.turns)} turns`],
        [
          'tokens',
          `${formatUsage(agent.usage)} in/out, ${formatCount(agent.usage.cacheRead)} of them cached`,
        ],
        ['cost', formatMoney(agent.cost)],
        ['worktree', agent.worktree],
        ['coverage', formatCoverage(agent.coverage)],
      ];
      for (const [head, value] of lines) if (value !== null) terminal.print(`${head.padEnd(10)}${value}`);
      for (const limit of limits) terminal.print(`${'limit'.padEnd(10)}${limitText(limit)}`);
      for (const { level, holds, covers, misses } of levels)
        terminal.print(
          `  ${level.padEnd(10)}${holds ? 'yes' : 'no '}  ${covers}`,
          `               not: ${misses}`,
        );
      terminal.print(...promiseLines(guarantees));
      if (recent.length > 0) terminal.print('');
      if (recent.length > 0) terminal.printTable(CALL_COLUMNS(now), recent);
    },
  });
}

function hold(session: Session, agent: string, on: boolean, options: ViewOptions): Promise<void> {
  return change(session, options, 'agent.hold', { agent, on }, (answer) =>
    on
      ? `${answer.agent.name}: answers are held until each tool call in them is decided`
      : `${answer.agent.name}: answers pass as they come`,
  );
}

export function define(program: Command, session: Session): void {
  asList(program.command('ps').description('list agents'))
    .option('-a, --all', 'also agents that have exited')
    .action((options: PsOptions) => ps(session, options));
  const agent = program.command('agent').description('show one agent whole, list all, or hold its answers');
  asList(agent.command('ls').description('list agents, exited ones too')).action((options: PsOptions) =>
    ps(session, { ...options, all: true }),
  );
  asJson(
    agent.command('hold').description("hold its model's answers until each tool call in them is decided"),
  )
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .addArgument(
      new Argument('[switch]', 'off: answers pass as they come').choices(['on', 'off']).default('on'),
    )
    .action((selector: string, state: string, options: ViewOptions) =>
      hold(session, selector, state === 'on', options),
    );
  asList(agent.command('show').description('one agent: state, limits, coverage, promises, last calls'))
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .action((selector: string, options: ViewOptions) => showAgent(session, selector, options));
}

import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CacheView } from '../../base/models.ts';
import type { LineView, OrderView, SchedChange, WhatifRow } from '../../base/order.ts';
import { UsageFailure } from '../exit.ts';
import { cacheText, formatDuration, parseDuration, parseSince } from '../format.ts';
import { ganttSvg, ganttText } from '../gantt.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

interface SetOptions extends ViewOptions {
  readonly weight?: readonly string[];
  readonly reload?: string;
  readonly maxWait?: string;
  readonly reset?: boolean;
}
interface WhatifOptions extends ViewOptions {
  readonly policy?: readonly string[];
  readonly since?: string;
}
interface GanttOptions extends ViewOptions {
  readonly agent?: string;
  readonly since?: string;
  readonly until?: string;
  readonly svg?: string;
}

const LINE_COLUMNS: Column<LineView>[] = [
  { head: 'CALL', cell: (one) => one.call },
  { head: 'AGENT', cell: (one) => `${one.agentName} (${one.agent})` },
  { head: 'OWNER', cell: (one) => one.owner },
  { head: 'FOR', cell: (one) => one.resources.join('|') },
  { head: 'WAITED', cell: (one) => formatDuration(one.waitedMs), right: true },
  { head: 'WHY HERE', cell: (one) => one.reasons.join('; ') },
];

function orderLines(order: OrderView): string[] {
  const weights = Object.entries(order.weights).map(([owner, weight]) => `${owner}=${weight}`);
  const whose = order.source === 'operator' ? 'set by mezz sched set' : 'as mezz.yaml says';
  return [
    `${order.policy}: ${order.text} (${whose}${order.file === null ? '' : `, ${order.file}`})`,
    `weights ${weights.join(' ') || 'all 1'}; reloading a cache counts x${order.reload}`,
    `who waited ${formatDuration(order.maxWaitMs)}, and was passed often enough, is next; ${order.queue} calls may wait`,
    ...(order.fault === null ? [] : [`fail  ${order.fault}`]),
  ];
}

const cacheLine = (cache: CacheView & { backend: string }): string =>
  `cache of ${cache.backend}: ${cacheText(cache)}`;

const showOrder = (session: Session, options: ViewOptions): Promise<void> =>
  show(session, options, {
    verb: 'sched',
    request: {},
    ids: ({ line }) => line.map((one) => one.call),
    render: ({ order, line, caches }) => {
      session.terminal.print(...orderLines(order), ...caches.map(cacheLine), '');
      if (line.length === 0) session.terminal.print('nothing waits for a backend');
      else session.terminal.printTable(LINE_COLUMNS, line);
    },
  });

/** A policy by its name, or by the path of a file there is. */
function policyArgument(session: Session, text: string): string {
  const path = resolve(session.cwd, text);
  return existsSync(path) ? path : text;
}

function parseWeight(text: string): [string, number] {
  const match = /^(.+)=(\d+(?:\.\d+)?)$/.exec(text);
  if (!match) throw new UsageFailure(`"${text}" is no weight`, '--weight alice=2');
  return [match[1] as string, Number(match[2])];
}

function set(session: Session, policy: string | undefined, options: SetOptions): Promise<void> {
  const { weight = [], reload, maxWait, reset } = options;
  const request: SchedChange = {
    ...(policy === undefined ? {} : { policy: policyArgument(session, policy) }),
    ...(weight.length === 0 ? {} : { weights: Object.fromEntries(weight.map(parseWeight)) }),
    ...(reload === undefined ? {} : { reload: Number(reload) }),
    ...(maxWait === undefined ? {} : { maxWaitMs: parseDuration(maxWait) }),
    ...(reset ? { reset } : {}),
  };
  if (Object.keys(request).length === 0)
    throw new UsageFailure(
      'mezz sched set needs a policy or something to tune',
      'mezz sched set fair --weight me=2',
    );
  return change(session, options, 'sched.set', request, ({ order }) => orderLines(order));
}

const policies = (session: Session, options: ViewOptions): Promise<void> =>
  show(session, options, {
    verb: 'sched.policies',
    request: {},
    ids: (answer) => answer.policies.map(({ name }) => name),
    render: (answer) =>
      session.terminal.printTable(
        [
          { head: 'POLICY', cell: ({ name }) => name },
          { head: 'IN FORCE', cell: ({ inForce }) => (inForce ? 'yes' : '') },
          { head: 'WHO GOES FIRST', cell: ({ text }) => text },
        ],
        answer.policies,
      ),
  });

function gantt(session: Session, options: GanttOptions): Promise<void> {
  const { terminal } = session;
  const time = (text: string | undefined, name: 'since' | 'until') =>
    text === undefined ? {} : { [name]: parseSince(text, session.now()) };
  return show(session, options, {
    verb: 'sched.gantt',
    request: {
      ...(options.agent === undefined ? {} : { agent: options.agent }),
      ...time(options.since, 'since'),
      ...time(options.until, 'until'),
    },
    ids: ({ spans }) => spans.map(({ call }) => call),
    render: (answer) => {
      // The picture begins with the first call: an hour of which a minute was used would show nothing.
      const first = Math.min(...answer.spans.map(({ arrivedAt }) => arrivedAt));
      const last = Math.max(...answer.spans.map(({ endedAt }) => endedAt ?? answer.until));
      const chart = {
        ...answer,
        since: Math.max(answer.since, Math.min(first, answer.until)),
        until: Math.min(answer.until, Math.max(last, answer.since)),
      };
      if (options.svg !== undefined) {
        writeFileSync(resolve(session.cwd, options.svg), ganttSvg(chart));
        terminal.note(`${answer.spans.length} calls drawn in ${options.svg}`);
      } else if (answer.spans.length === 0) terminal.print('no call had a backend in that time');
      else terminal.print(...ganttText(chart, terminal.out.columns ?? LIMITS.ganttColumns.value));
      if (answer.more) terminal.note('there were more calls: narrow it with --since, --until or --agent');
    },
  });
}

/** Differences that the replay cannot tell from nothing are not shown. */
function changeText(row: WhatifRow, index: number): string {
  const change = row.changesMs[index] ?? 0;
  if (Math.abs(change) <= row.errorMs || change === 0) return '-';
  return `${change < 0 ? '-' : '+'}${formatDuration(Math.abs(change))}`;
}

function whatif(session: Session, options: WhatifOptions): Promise<void> {
  const { terminal } = session;
  const names = options.policy ?? [];
  if (names.length === 0) throw new UsageFailure('mezz whatif needs a policy', 'mezz whatif --policy fair');
  return show(session, options, {
    verb: 'whatif',
    request: {
      policies: names.map((name) => policyArgument(session, name)),
      ...(options.since === undefined ? {} : { since: parseSince(options.since, session.now()) }),
    },
    ids: ({ rows }) => rows.map(({ agent }) => agent),
    render: ({ rows, calls, left, more, inForce }) => {
      terminal.printTable(
        [
          { head: 'AGENT', cell: (row) => `${row.agentName} (${row.agent})` },
          { head: 'CALLS', cell: (row) => String(row.calls), right: true },
          { head: 'WAITED', cell: (row) => formatDuration(row.waitedMs), right: true },
          { head: 'ERROR', cell: (row) => `±${formatDuration(row.errorMs)}`, right: true },
          ...names.map((name, index) => ({
            head: name.toUpperCase(),
            cell: (row: WhatifRow) => changeText(row, index),
            right: true,
          })),
        ],
        rows,
      );
      terminal.note(
        `${calls} calls replayed; the error is how far a replay under ${inForce} is off from what was`,
      );
      if (left > 0) terminal.note(`${left} calls had no backend, or have none now, and were left out`);
      if (more) terminal.note('there were more calls: narrow it with --since');
    },
  });
}

const many = (text: string, before: readonly string[] = []): string[] => [...before, text];

export function define(program: Command, session: Session): void {
  asList(program.command('whatif').description('what recorded calls would have waited under another policy'))
    .option('--policy <policy>', 'a name of mezz sched policies, or a file; again for more', many)
    .option('--since <time>', 'calls from then on: 2h, today, or a date (24h)')
    .addHelpText('after', WHATIF)
    .action((options: WhatifOptions) => whatif(session, options));
  const sched = program
    .command('sched')
    .description('the order of calls: which policy, who is next, who had what');
  asList(
    sched.command('show', { isDefault: true }).description('the policy in force, and who is next'),
  ).action((options: ViewOptions) => showOrder(session, options));
  asJson(sched.command('set').description('change the policy or tune it, live and for good'))
    .argument('[policy]', 'a name of mezz sched policies, or a file with a policy of your own')
    .option('--weight <owner=share>', "an owner's share, for mezz and fair; again for more", many)
    .option('--reload <factor>', 'how much reloading a cache counts against the work that is left')
    .option('--max-wait <duration>', 'who waited so long is next, whatever the policy says')
    .option('--reset', 'all as mezz.yaml says')
    .addHelpText('after', OWN_FILE)
    .action((policy: string | undefined, options: SetOptions) => set(session, policy, options));
  asList(sched.command('policies').description('the policies there are')).action((options: ViewOptions) =>
    policies(session, options),
  );
  asList(sched.command('gantt').description('draw who had which backend when'))
    .option('--agent <agent>', 'of one agent')
    .option('--since <time>', 'from then on: 2h, today, or a date (1h)')
    .option('--until <time>', 'until then (now)')
    .option('--svg <file>', 'as a picture, to a file')
    .action((options: GanttOptions) => gantt(session, options));
}

const WHATIF = `
Calls of the journal are replayed in virtual time by the policies' own code. How long each ran and what it answered is held as
it was; an agent's next call comes as long after its last as it did. A change smaller than the error is shown as -.`;

const OWN_FILE = `
A file of your own has a policy as its default export: { name, text, start, event, key, reasons } (src/scheduler/policy.ts).
It runs in the kernel's process: one that throws is replaced by the policy before it, one that never returns stops the kernel.`;

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageFailure } from '../exit.ts';
import { formatBytes, formatCount, parseBytes, parseDuration } from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, change, show, type ViewOptions } from '../view.ts';

interface GcOptions extends ViewOptions {
  readonly olderThan?: number;
  readonly keep?: number;
  readonly entriesOlderThan?: number;
  readonly dryRun?: boolean;
}
interface ExportOptions extends ViewOptions {
  readonly all?: boolean;
}
interface ForgetOptions extends ViewOptions {
  readonly yes?: boolean;
  readonly tree?: boolean;
  readonly owner?: string;
}

/** `audit verify` and `fsck`: exit 1 when something is not as it must be. */
async function verify(session: Session, verb: 'audit.verify' | 'fsck', options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call(verb, {});
  session.exit = answer.problems.length === 0 ? 0 : 1;
  if (options.json) return terminal.printJson(answer);
  for (const problem of answer.problems) terminal.print(`${terminal.style('red', 'fail')}  ${problem}`);
  const count = 'entries' in answer ? `${answer.entries - answer.pruned} entries` : `${answer.checked} rows`;
  terminal.print(`${count} checked, ${answer.problems.length} problems`);
  if (!('root' in answer)) return;
  if (answer.pruned > 0)
    terminal.print(
      `${answer.pruned} older entries went by retention: it is proven that they were there, not what they said`,
    );
  terminal.print(`root ${answer.root}`);
}

async function gc(session: Session, options: GcOptions): Promise<void> {
  const { olderThan, keep, entriesOlderThan, dryRun } = options;
  const before = (age: number | undefined) => (age === undefined ? undefined : session.now() - age);
  const rules = { beforeMs: before(olderThan), keepBytes: keep, entriesBeforeMs: before(entriesOlderThan) };
  const given = Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
  await change(session, options, 'gc', { ...given, ...(dryRun ? { dryRun } : {}) }, (answer) => {
    const verb = answer.dryRun ? 'would go' : 'gone';
    return [
      `bodies   ${formatCount(answer.blobs)} ${verb}, ${formatBytes(answer.bytes)}`,
      `entries  ${formatCount(answer.entries)} ${verb}, with the rows of ${formatCount(answer.calls)} calls`,
    ];
  });
}

async function forget(session: Session, agent: string | undefined, options: ForgetOptions): Promise<void> {
  const { owner, tree } = options;
  if ((agent === undefined) === (owner === undefined))
    throw new UsageFailure(
      'mezz forget needs one agent, or --owner',
      'mezz forget <agent>, or mezz forget --owner me',
    );
  const again = owner === undefined ? `${agent}${tree ? ' --tree' : ''}` : `--owner ${owner}`;
  if (!options.yes)
    throw new UsageFailure(
      `This erases for good what ${agent ?? `every agent of ${owner}`} said and read; the journal keeps that it happened`,
      `mezz forget ${again} --yes`,
    );
  const request = owner === undefined ? { agent: agent ?? '', ...(tree ? { tree } : {}) } : { owner };
  await change(session, options, 'forget', request, ({ blobs, bytes, shared }) => [
    `${formatCount(blobs)} bodies erased, ${formatBytes(bytes)}`,
    ...(shared > 0
      ? [`${formatCount(shared)} bodies stay: other agents of the same owner use them too`]
      : []),
    ...(owner === undefined
      ? []
      : ['the secret of its commitments is erased: no entry can be linked to a content']),
    'backups and exports made before still hold what was erased: they are yours to delete',
  ]);
}

/** Sizes are those of the content; the file is larger by what SQLite adds. */
function du(session: Session, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  const size: Column<{ rows: number; bytes: number }>[] = [
    { head: 'ROWS', cell: (row) => formatCount(row.rows), right: true },
    { head: 'BYTES', cell: (row) => formatBytes(row.bytes), right: true },
  ];
  return show(session, options, {
    verb: 'du',
    request: {},
    render: (answer) => {
      const kinds = [
        { name: 'entries', ...sum(answer.entries) },
        { name: 'bodies', ...sum(answer.bodies) },
        ...answer.tables
          .filter(({ rows }) => rows > 0)
          .map((table) => ({ ...table, name: `rows of ${table.name}` })),
      ].sort((a, b) => b.bytes - a.bytes);
      terminal.printTable([{ head: 'WHAT', cell: ({ name }) => name }, ...size], kinds);
      terminal.print('');
      terminal.printTable([{ head: 'BODIES OF', cell: ({ owner }) => owner }, ...size], answer.bodies);
      terminal.print('');
      const named = (agent: number) => (agent === 0 ? 'the kernel' : `agent ${agent}`);
      terminal.printTable(
        [{ head: 'ENTRIES OF', cell: ({ agent }) => named(agent) }, ...size],
        answer.entries,
      );
      terminal.print(
        '',
        `file ${formatBytes(answer.fileBytes)}, ${formatBytes(answer.freeBytes)} free on its disk`,
      );
    },
  });
}

const sum = (rows: readonly { rows: number; bytes: number }[]) => ({
  rows: rows.reduce((total, row) => total + row.rows, 0),
  bytes: rows.reduce((total, row) => total + row.bytes, 0),
});

function defineUpkeep(program: Command, session: Session): void {
  asJson(
    program
      .command('gc')
      .description('delete what is older than it must be kept; without options as configured'),
  )
    .option('--older-than <duration>', 'bodies older than this, e.g. 30d', parseDuration)
    .option('--keep <size>', 'the newest bodies up to this size, e.g. 10GB', parseBytes)
    .option(
      '--entries-older-than <duration>',
      'entries older than this, and the rows they prove',
      parseDuration,
    )
    .option('--dry-run', 'say what would go')
    .action((options: GcOptions) => gc(session, options));
  asJson(program.command('forget').description('erase what an agent said and read'))
    .argument('[agent]', 'pid, name, or the beginning of a name')
    .option('--tree', 'also the agents below it')
    .option('--owner <owner>', 'everything of every agent of an owner, and the secret of its commitments')
    .option('--yes', 'really')
    .action((agent: string | undefined, options: ForgetOptions) => forget(session, agent, options));
  asJson(program.command('export').description('write everything in open formats'))
    .argument('<directory>', 'a new or empty directory')
    .option('--all', 'also the bodies: what every call sent, byte for byte')
    .action((directory: string, options: ExportOptions) =>
      change(
        session,
        options,
        'export',
        { directory: resolve(session.cwd, directory), ...(options.all ? { bodies: true } : {}) },
        ({ files }) => files.map((file) => `${file.path}: ${formatCount(file.rows)} rows`),
      ),
    );
}

export function define(program: Command, session: Session): void {
  const audit = program.command('audit').description('the journal');
  asJson(audit.command('verify').description('verify that the journal is whole')).action(
    (options: ViewOptions) => verify(session, 'audit.verify', options),
  );
  asJson(program.command('fsck').description('recompute state from the journal and compare')).action(
    (options: ViewOptions) => verify(session, 'fsck', options),
  );
  asJson(program.command('du').description('what takes the room: by kind, owner and agent')).action(
    (options: ViewOptions) => du(session, options),
  );
  asJson(program.command('backup').description('write a copy of the store, while the kernel runs'))
    .argument('<file>', 'where to write it')
    .action((file: string, options: ViewOptions) =>
      change(
        session,
        options,
        'backup',
        { path: resolve(session.cwd, file) },
        ({ path, bytes }) => `${path}: ${formatBytes(bytes)}`,
      ),
    );
  defineUpkeep(program, session);
}

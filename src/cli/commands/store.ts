import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageFailure } from '../exit.ts';
import { formatBytes, formatCount, parseBytes, parseDuration } from '../format.ts';
import type { Session } from '../session.ts';
import { asJson, change, show, type ViewOptions } from '../view.ts';

interface GcOptions extends ViewOptions {
  readonly olderThan?: number;
  readonly keep?: number;
}
interface ForgetOptions extends ViewOptions {
  readonly yes?: boolean;
}

/** The store's file in the state directory. */
const STORE_FILE = 'mezz.db';

/** `audit verify` and `fsck`: exit 1 when something is not as it must be. */
async function verify(session: Session, verb: 'audit.verify' | 'fsck', options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call(verb, {});
  session.exit = answer.problems.length === 0 ? 0 : 1;
  if (options.json) return terminal.printJson(answer);
  for (const problem of answer.problems) terminal.print(`${terminal.style('red', 'fail')}  ${problem}`);
  const entries = 'entries' in answer ? answer.entries : answer.checked;
  terminal.print(`${entries} entries checked, ${answer.problems.length} problems`);
  if ('root' in answer) terminal.print(`root ${answer.root}`);
}

/** The kernel holds its store open, so a restore is a copy while it is down: said, not done. */
function restore(session: Session, copy: string): void {
  const store = join(session.stateDir, STORE_FILE);
  session.terminal.print(
    'A copy is put in place while the kernel is down:',
    '',
    '  mezz down',
    `  mv ${store} ${store}.before-restore`,
    `  rm -f ${store}-wal ${store}-shm`,
    `  cp ${resolve(session.cwd, copy)} ${store}`,
    '  mezz up',
    '  mezz audit verify',
  );
}

async function gc(session: Session, options: GcOptions): Promise<void> {
  if (options.olderThan === undefined && options.keep === undefined)
    throw new UsageFailure('mezz gc needs what to keep', 'mezz gc --older-than 30d, or mezz gc --keep 10GB');
  const request = {
    ...(options.olderThan === undefined ? {} : { beforeMs: session.now() - options.olderThan }),
    ...(options.keep === undefined ? {} : { keepBytes: options.keep }),
  };
  await change(
    session,
    options,
    'gc',
    request,
    ({ blobs, bytes }) => `${formatCount(blobs)} bodies deleted, ${formatBytes(bytes)}`,
  );
}

async function forget(session: Session, agent: string, options: ForgetOptions): Promise<void> {
  if (!options.yes)
    throw new UsageFailure(
      `This erases for good what ${agent} said and read; the journal keeps that it happened`,
      `mezz forget ${agent} --yes`,
    );
  await change(
    session,
    options,
    'forget',
    { agent },
    ({ blobs, bytes }) => `${formatCount(blobs)} bodies erased, ${formatBytes(bytes)}`,
  );
}

function defineUpkeep(program: Command, session: Session): void {
  asJson(program.command('gc').description('delete old bodies'))
    .option('--older-than <duration>', 'bodies older than this, e.g. 30d', parseDuration)
    .option('--keep <size>', 'the newest bodies up to this size, e.g. 10GB', parseBytes)
    .action((options: GcOptions) => gc(session, options));
  asJson(program.command('forget').description('erase what an agent said and read'))
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .option('--yes', 'really')
    .action((agent: string, options: ForgetOptions) => forget(session, agent, options));
  asJson(program.command('export').description('write everything in open formats'))
    .argument('<directory>', 'a new or empty directory')
    .action((directory: string, options: ViewOptions) =>
      change(session, options, 'export', { directory: resolve(session.cwd, directory) }, ({ files }) =>
        files.map((file) => `${file.path}: ${formatCount(file.rows)} rows`),
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
  asJson(program.command('du').description('how much is stored')).action((options: ViewOptions) =>
    show(session, options, {
      verb: 'store',
      request: {},
      render: (answer) =>
        session.terminal.print(
          `entries  ${formatCount(answer.entries)}`,
          `bodies   ${formatCount(answer.blobs)}, ${formatBytes(answer.blobBytes)}`,
          `on disk  ${formatBytes(answer.fileBytes)}`,
          `schema   ${answer.schemaVersion}`,
        ),
    }),
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
  program
    .command('restore')
    .description('say how a copy is put in place of the store')
    .argument('<file>', 'a copy made by mezz backup')
    .action((file: string) => restore(session, file));
  defineUpkeep(program, session);
}

import type { Command } from 'commander';
import type { KeyView } from '../../base/control.ts';
import { formatAge, formatTime } from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

interface CreateOptions extends ViewOptions {
  readonly owner?: string;
  readonly agent?: string;
}

const keyColumns = (nowMs: number): Column<KeyView>[] => [
  { head: 'KEY', cell: (key) => key.id },
  { head: 'NAME', cell: (key) => key.name },
  { head: 'OWNER', cell: (key) => key.owner },
  { head: 'AGENT', cell: (key) => (key.agent === null ? '-' : String(key.agent)), right: true },
  { head: 'CREATED', cell: (key) => formatTime(key.createdAt, nowMs) },
  { head: 'USED', cell: (key) => formatAge(key.lastUsedAt, nowMs) },
  { head: 'STATE', cell: (key) => (key.revoked ? 'revoked' : 'valid') },
];

async function createKey(session: Session, name: string, options: CreateOptions): Promise<void> {
  const { terminal } = session;
  const answer = await session.control.call('key.create', {
    name,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
    ...(options.agent === undefined ? {} : { agent: options.agent }),
  });
  if (options.json) return terminal.printJson(answer);
  terminal.print(answer.secret);
  terminal.note(`key ${answer.key.id}: it is shown only now; mezz keeps a hash of it`);
}

export function define(program: Command, session: Session): void {
  const key = program.command('key').description("callers' keys");
  asList(key.command('ls', { isDefault: true }).description('list keys')).action((options: ViewOptions) =>
    show(session, options, {
      verb: 'keys',
      request: {},
      ids: ({ keys }) => keys.map((one) => one.id),
      render: ({ keys }) => session.terminal.printTable(keyColumns(session.now()), keys),
    }),
  );
  asJson(key.command('create').description('make a key and print it, once'))
    .argument('<name>', 'what it is for')
    .option('--owner <owner>', 'whose share and data it is')
    .option('--agent <agent>', 'a key of this agent alone')
    .action((name: string, options: CreateOptions) => createKey(session, name, options));
  asJson(key.command('revoke').description('make keys void'))
    .argument('<key...>', 'id or name')
    .action(async (keys: string[], options: ViewOptions) => {
      for (const one of keys)
        await change(session, options, 'key.revoke', { key: one }, (answer) => `${answer.key.id} is void`);
    });
}

import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Session } from '../session.ts';
import { asJson } from '../view.ts';

/** Done by this process, since no kernel may run on the directory meanwhile: the store's own lock sees to that. */
async function restore(session: Session, file: string, options: { readonly json?: boolean }): Promise<void> {
  const { restoreBackup } = await import('../../boot.ts');
  const { terminal, stateDir } = session;
  const { aside } = await restoreBackup(resolve(session.cwd, file), stateDir);
  if (options.json) return terminal.printJson({ schema: 'mezz.restore/1', stateDir, aside: aside ?? null });
  terminal.print(`${file} is in place in ${stateDir}`);
  if (aside !== undefined) terminal.print(`what was there before is whole in ${aside}: yours to delete`);
  terminal.print('', '  mezz up', '  mezz audit verify', '  mezz fsck');
}

export function define(program: Command, session: Session): void {
  asJson(
    program
      .command('restore')
      .description('put a copy made by mezz backup in place of the store, while no kernel runs'),
  )
    .argument('<file>', 'a copy made by mezz backup')
    .action((file: string, options: { json?: boolean }) => restore(session, file, options));
}

/** How a test file brings its tests into the namespace: it installs the clients outside, starts itself again inside. */
import { after, before, test } from 'node:test';
import { installClients } from './clients.ts';
import { isEnclosed, refuseNames, runEnclosed } from './enclosure.ts';

/** `define` is given the names that programs ask for while the tests run. Where nothing can run, that is said. */
export function defineEnclosed(title: string, define: (asked: () => ReadonlySet<string>) => void): void {
  if (!isEnclosed()) {
    const clients = installClients();
    const ran = 'missing' in clients ? clients : runEnclosed();
    if ('missing' in ran) test(title, { skip: ran.missing }, () => {});
    else process.exitCode = ran.status;
    return;
  }
  let names: Awaited<ReturnType<typeof refuseNames>>;
  before(async () => {
    names = await refuseNames();
  });
  after(() => names.close());
  define(() => names.asked);
}

/** A process that appends batches of eight entries until it is killed, and prints each acknowledged one. */
import { openSqliteStore } from '../../src/db/sqlite/store.ts';
import { type EntryRow, StoreError } from '../../src/db/store.ts';

const [directory = '', mode = 'forever'] = process.argv.slice(2);
const BATCH = 8;

try {
  const onFatal = (error: StoreError) => process.stderr.write(`fatal ${error.code}\n`);
  const store = await openSqliteStore({ directory, tables: [], onFatal });
  const [last] = await store.entries({ reverse: true, limit: 1 });
  let seq = (last?.seq ?? -1) + 1;
  const body = 'x'.repeat(mode === 'big' ? 20_000 : 300);
  const entry = (n: number): EntryRow => ({
    log: 0,
    seq: n,
    agent: 1,
    n,
    call: null,
    kind: 'test',
    at: n,
    body,
    leaf: new Uint8Array(32),
  });
  const append = async () => {
    const entries = Array.from({ length: BATCH }, () => entry(seq++));
    const end = seq - 1;
    await store.commit({ entries });
    process.stdout.write(`${end}\n`);
  };
  if (mode === 'fifty') {
    process.stderr.write('MARK\n');
    for (let i = 0; i < 50; i++) await append();
    process.stderr.write('MARK\n');
    await store.close();
  } else {
    for (;;) await Promise.all([append(), append(), append()]);
  }
} catch (error) {
  process.stdout.write(`${error instanceof StoreError ? error.code : String(error)}\n`);
  process.exit(9);
}

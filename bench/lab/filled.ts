/** Fills a state directory with ended calls, as their STARTs and ENDs leave them, many to a transaction. */
import { newCallId } from '../../src/base/ids.ts';
import { TABLES } from '../../src/db/schema/index.ts';
import { openSqliteStore } from '../../src/db/sqlite/store.ts';
import { systemClock as clock } from '../../src/drivers/clock.ts';
import { systemRandom } from '../../src/drivers/random.ts';
import { applyEntry, callPut } from '../../src/journal/calls.ts';
import { openJournal } from '../../src/journal/journal.ts';

const AGENTS = 50;
const AT_ONCE = 500;

export async function fill(directory: string, calls: number): Promise<void> {
  const store = await openSqliteStore({ directory, tables: TABLES });
  const journal = await openJournal({ store, clock });
  const one = (i: number) => {
    const at = clock.now();
    const call = newCallId(at, systemRandom);
    const agent = 1 + (i % AGENTS);
    const common = { at, agent, call };
    const digits = '0123456789abcdef'.repeat(4);
    const about = { owner: 'me', kind: 'model.generate', target: 'gpt-bench', arrivedAt: at, attempt: 1 };
    const start = {
      ...common,
      kind: 'call.start' as const,
      body: {
        ...about,
        backend: 'bench',
        account: 'bench',
        turn: 't0123456789abcdef',
        args: digits,
        head: digits,
      },
    };
    const end = {
      ...common,
      kind: 'call.end' as const,
      body: { code: 'ok', status: 200, input: 100, output: 50 },
    };
    const row = applyEntry(applyEntry(undefined, start), end);
    return journal.append({ entries: [start, end], puts: row ? [callPut(row)] : [] });
  };
  for (let done = 0; done < calls; done += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, calls - done) }, (_, i) => one(done + i)));
  await store.close();
}

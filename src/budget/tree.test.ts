/** Strict limits on several levels of a tree of accounts: whatever 500 calls do, no level passes its cap, and levels add up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccountId } from '../base/ids.ts';
import { seededRandom } from '../base/random.ts';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { Accounts } from './accounts.ts';
import { Ledger } from './ledger.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const CALLS = 500;

test('the sum of the children never exceeds the parent, at no level, with 500 concurrent calls', async () => {
  const property = fc.asyncProperty(fc.integer(), async (seed) => {
    const random = seededRandom(seed);
    const below = (most: number) => Math.floor(random.unit() * (most + 1));
    const names = Array.from({ length: 12 }, (_, i) => `a${i}` as AccountId);
    const parentOf = (i: number) => (i === 0 ? null : (names[Math.max(0, i - 1 - below(3))] ?? null));
    const accounts = await Accounts.open(new MemoryStore());
    // A random tree of at most eight levels: chains longer than that start anew.
    const tree: { id: AccountId; parent: AccountId | null; kind: 'kernel'; provider: ''; owner: null }[] = [];
    const depth = new Map<AccountId, number>();
    for (const [i, id] of names.entries()) {
      const parent = parentOf(i);
      const levels = parent === null ? 1 : (depth.get(parent) ?? 0) + 1;
      const fits = levels <= 8;
      depth.set(id, fits ? levels : 1);
      tree.push({ id, parent: fits ? parent : null, kind: 'kernel', provider: '', owner: null });
    }
    accounts.declare(tree);
    const ledger = await Ledger.open(new MemoryStore());
    for (const id of names)
      if (random.unit() < 0.6)
        ledger.setLimit({
          scope: `account:${id}`,
          dimension: 'usd',
          period: 'total',
          cap: below(20_000),
          strict: true,
        });
    const direct = new Map<string, number>();
    const spentBelow = (id: string): number =>
      (direct.get(id) ?? 0) +
      tree.filter(({ parent }) => parent === id).reduce((sum, child) => sum + spentBelow(child.id), 0);
    const running: { call: string; id: AccountId; most: number }[] = [];
    for (let made = 0; made < CALLS || running.length > 0; ) {
      if (made < CALLS && (running.length === 0 || random.unit() < 0.7)) {
        const id = names[below(names.length - 1)] as AccountId;
        const most = below(400);
        const bound = { usd: most, tokens: most, output: 0, requests: 1 };
        const scopes = ['agent:1', 'owner:o', ...accounts.chain(id).map((account) => `account:${account}`)];
        const call = `c${made++}`;
        if (!('code' in ledger.reserve(call, { scopes, bound, estimate: { ...bound, usd: 0 } }, NOW)))
          running.push({ call, id, most });
      } else {
        const [ended] = running.splice(below(running.length - 1), 1);
        assert.ok(ended);
        const cost = below(ended.most);
        ledger.settle(ended.call, { usage: NO_USAGE, cost, model: 'm' }, NOW);
        direct.set(ended.id, (direct.get(ended.id) ?? 0) + cost);
      }
      for (const limit of ledger.limits()) assert.ok(limit.used + limit.held <= limit.cap, limit.id);
    }
    for (const { id } of tree) {
      const used = ledger.total(`account:${id}`).cost;
      assert.equal(used, spentBelow(id), `${id}: its own calls and its children`);
    }
  });
  await fc.assert(property, { numRuns: 10 });
});

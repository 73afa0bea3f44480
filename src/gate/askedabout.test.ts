import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ToolServer } from '../base/ports.ts';
import { CALL } from '../db/schema/journal.ts';
import { proveBalances } from './proof.ts';
import { openRoom } from './room.fixture.test.ts';

/** A server that does what it is asked at once. */
function newServer() {
  const done: string[] = [];
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/' },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'put' }] }),
    call: async (ticket, tool) => {
      ticket.use();
      done.push(tool);
      return { kind: 'called', result: { content: [] }, isError: false };
    },
    close: async () => {},
  };
  return { server, done };
}

test('a tool of mezz that a client asks about by hook and then calls counts once: in the bill, for its agent, in its coverage and for observers', async () => {
  const { server, done } = newServer();
  const { hire, parts } = await openRoom([server]);
  const ended: string[] = [];
  parts.observer.ended = ({ kind }) => {
    ended.push(kind);
  };
  const [ann, bob] = [await hire('ann'), await hire('bob')];
  const requests = () => [...parts.ledger.todaysBill()].reduce((sum, row) => sum + row.requests, 0);
  const before = requests();
  // The hook's input is what the call has: the fixture adds a member of its own to both.
  assert.equal(await ann.before('mcp__mezz__box__put', { key: 'a' }, 'u1'), undefined);
  await ann.offered('box__put', { key: 'a', n: 'u1' });
  await ann.after('u1');
  assert.deepEqual(done, ['put']);
  assert.equal(requests() - before, 1);
  assert.deepEqual([ann.agent.calls, ann.agent.seen, ann.agent.decided], [1, 1, 1]);
  assert.deepEqual(ended, ['tool.call']);
  const rows = await parts.store.range(CALL, { limit: 10 });
  const [hooked, brokered] = rows.sort((a, b) => a.target.length - b.target.length).reverse();
  const [start] = await parts.store.entries({ call: brokered?.id ?? '', limit: 1 });
  assert.equal(JSON.parse(start?.body ?? '').continues, hooked?.id);
  assert.deepEqual([hooked?.state, brokered?.state], ['done', 'done']);
  // A call that no hook asked about counts by itself, an equal one of another agent and a second one too.
  await bob.offered('box__put', { key: 'a', n: 'u1' });
  await ann.offered('box__put', { key: 'a', n: 'u1' });
  assert.equal(requests() - before, 3);
  assert.deepEqual([ann.agent.calls, bob.agent.calls], [2, 1]);
  assert.deepEqual((await proveBalances(parts)).problems, []);
});

/** Doubts that an operator has settled beforehand, for a server or for one of its tools. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DoubtRule, Manifest } from '../base/manifest.ts';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import type { MemoryStore } from '../db/memory/store.ts';
import { CALL } from '../db/schema/journal.ts';
import { openGate, settle } from './fixture.test.ts';
import { recover } from './recovery.ts';

const LOST: ToolAnswer = { kind: 'broken', refusal: { code: 'in_doubt', message: 'box ended' } };
const DONE: ToolAnswer = {
  kind: 'called',
  result: { content: [{ type: 'text', text: 'added' }] },
  isError: false,
};

/** A server that breaks off so many calls before it answers one; its tool may take effect twice. */
async function openRoom(
  ofServer: DoubtRule | undefined,
  ofTool?: DoubtRule,
  breaks = 1,
  store?: MemoryStore,
) {
  const add: Manifest = { resources: [], ...(ofTool ? { doubt: ofTool } : {}) };
  let sent = 0;
  const server: ToolServer = {
    spec: {
      ...{ id: 'box', command: [], env: {}, cwd: '/', manifest: { tools: { add } } },
      ...(ofServer ? { doubt: ofServer } : {}),
    },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'add' }] }),
    call: async (ticket) => {
      ticket.use();
      sent++;
      // One that never answers is what a crash finds.
      return breaks === 0 ? new Promise<ToolAnswer>(() => {}) : sent <= breaks ? LOST : DONE;
    },
    close: async () => {},
  };
  const room = await openGate({ one: 1 }, {}, undefined, [server], store);
  room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
  room.parts.loops.tune({ repeats: 1000, windowMs: 60_000, nanoUsdPerHour: 1e15 });
  const call = async (use = 'u1') => {
    const { outcome } = await room.arrivals.tooled(
      room.caller,
      { name: 'box__add', input: { n: 1 }, use },
      new AbortController().signal,
    );
    return 'code' in outcome ? outcome.code : JSON.stringify(outcome);
  };
  return { ...room, call, sent: () => sent };
}

test('a doubt is settled by the rule of its tool, else of its server, else by a person alone', async () => {
  for (const [ofServer, ofTool, told, sent, state] of [
    [undefined, undefined, /^in_doubt$/, 1, 'in_doubt'],
    ['ask', undefined, /^in_doubt$/, 1, 'in_doubt'],
    ['retry', undefined, /added/, 2, 'done'],
    ['done', undefined, /counts as done/, 1, 'done'],
    ['abandon', undefined, /^cancelled$/, 1, 'failed'],
    ['retry', 'done', /counts as done/, 1, 'done'],
    ['done', 'ask', /^in_doubt$/, 1, 'in_doubt'],
  ] as const) {
    const name = `${ofServer} ${ofTool}`;
    const room = await openRoom(ofServer, ofTool);
    assert.match(await room.call(), told, name);
    assert.match(await room.call(), told, `${name}: its repetition`);
    assert.equal(room.sent(), sent, name);
    const [row] = await room.store.range(CALL, { limit: 9 });
    assert.equal(row?.state, state, name);
  }
});

test('a call that is made once more by a rule and is broken off again is a doubt: no rule makes it a third time', async () => {
  const { call, sent } = await openRoom('retry', undefined, 9);
  assert.equal(await call(), 'in_doubt');
  assert.equal(sent(), 2);
});

test('what a crash left in doubt is settled by its rule at the next start', async () => {
  for (const [rule, told, sent] of [
    ['done', /counts as done/, 0],
    ['abandon', /^cancelled$/, 0],
    ['retry', /added/, 1],
  ] as const) {
    const first = await openRoom(rule, undefined, 0);
    void first.call();
    for (let i = 0; i < 10; i++) await settle();
    assert.equal(first.sent(), 1);
    const next = await openRoom(rule, undefined, -1, first.store);
    next.clock.advanceTo(first.clock.now() + 1000);
    assert.equal(await recover(next.parts), 1);
    await next.arrivals.offered.settleDoubts();
    assert.deepEqual(next.parts.uses.doubts(), [], rule);
    const again = await next.arrivals.offered.call(
      first.caller,
      first.agent,
      (await next.parts.servers.find('box__add')) as never,
      { input: { n: 1 }, use: 'u1' },
      new AbortController().signal,
    );
    const text = 'code' in again.outcome ? again.outcome.code : JSON.stringify(again.outcome);
    assert.match(text, told, rule);
    assert.equal(next.sent(), sent, rule);
  }
});

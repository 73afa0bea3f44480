import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../agents/turns.ts';
import type { TurnId } from '../base/ids.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';
import { turnOf } from './schedule.ts';

test("a sub-agent under its main agent's key is a thread of the turn that one is in; a program of its own is not", () => {
  const turns = new Turns();
  const ask = (agent: number, text: string, turn: string) =>
    turns.recognise({ agent, canonical: [text], lastIsUser: true }, () => turn as TurnId).id;
  const main = { pid: 1, keyId: 'k1' };
  const sub = { pid: 2, keyId: 'k1' };
  const program = { pid: 3, keyId: 'k2' };
  const flight = (chain: readonly (typeof main)[], turn: TurnId) =>
    ({ agent: chain[0], chain, call: { turn } }) as unknown as Flight;
  const parts = { turns } as unknown as Parts;
  const own = ask(sub.pid, 'look into it', 'sub-turn');
  assert.equal(turnOf(parts, flight([sub, main], own)), own, 'its main agent is in no turn that is known');
  const first = ask(main.pid, 'do it', 'main-1');
  assert.equal(turnOf(parts, flight([main], first)), first);
  assert.equal(turnOf(parts, flight([sub, main], own)), first);
  const second = ask(main.pid, 'do more', 'main-2');
  assert.equal(turnOf(parts, flight([sub, main], own)), second);
  const theirs = ask(program.pid, 'hi', 'program-turn');
  assert.equal(turnOf(parts, flight([program, main], theirs)), theirs, 'started with a key of its own');
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Launch } from '../../base/control.ts';
import { type Question, shows } from './condition.ts';
import { messageOf, type Room } from './room.ts';

const WORK = '@lab A long task, at the step where it is paused.';
const recorded = { model: 'recorder' };

async function paused(room: Room) {
  const agent = await room.agent('worker');
  await room.control.call('signal', { agent: String(agent.pid), signal: 'pause' });
  const before = room.recorder.bodies.length;
  const asked = room.ask(agent, WORK, recorded);
  const wait = await room.waits(agent);
  const held = room.recorder.bodies.length === before;
  await room.control.call('signal', { agent: String(agent.pid), signal: 'resume' });
  const { call, status } = await asked;
  return shows(
    held && wait?.waitsFor === 'pause' && status === 200,
    `its next model call waited (${wait?.waitsFor}) and nothing reached the upstream until it was resumed`,
    call,
  );
}

/** A program that sends one request and is killed while it waits. */
async function killedClient(room: Room, agent: Launch): Promise<void> {
  const script = `fetch(process.argv[1], { method: 'POST', body: process.argv[2] }).catch(() => {})`;
  const url = await room.url(agent, '/v1/messages');
  const body = JSON.stringify(messageOf(WORK, recorded));
  const child = spawn(process.execPath, ['-e', script, url, body], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  await room.waits(agent);
  child.kill('SIGKILL');
  await gone;
}

/** The same request with and without a pause in which both the client and the kernel are killed. */
async function nothingLost(room: Room) {
  const agent = await room.agent('survivor');
  await room.ask(agent, WORK, recorded);
  const plain = room.recorder.bodies.at(-1);
  const before = room.recorder.bodies.length;
  await room.control.call('signal', { agent: String(agent.pid), signal: 'pause' });
  await killedClient(room, agent);
  await room.crash();
  await room.start();
  const { agents } = await room.control.call('ps', {});
  const state = agents.find(({ pid }) => pid === agent.pid)?.state;
  await room.control.call('signal', { agent: String(agent.pid), signal: 'resume' });
  const { call } = await room.ask(agent, WORK, recorded);
  const sent = room.recorder.bodies.slice(before);
  return shows(
    state === 'paused' && sent.length === 1 && sent[0] === plain,
    `client and kernel killed with kill -9: still ${state}; after resume the upstream got ${sent.length} request, ${sent[0] === plain ? 'byte for byte the same' : 'not the same bytes'}`,
    call,
  );
}

export const PAUSING: Question = {
  number: 2,
  text: 'How is a long task paused and resumed without losing state?',
  conditions: [
    { id: '2a', text: 'a long-running task is paused', experiment: paused },
    {
      id: '2b',
      text: 'and resumed without losing state, client and kernel killed in between',
      experiment: nothingLost,
    },
    {
      id: '2c',
      text: 'KV cache, scratchpad and persistent memory are handled differently',
      missing: 'the three memories: mezz keeps conversations in its journal and nothing else yet',
    },
    { id: '2d', text: 'a snapshot can be taken', missing: 'snapshots' },
    { id: '2e', text: 'and restored', missing: 'snapshots' },
  ],
};

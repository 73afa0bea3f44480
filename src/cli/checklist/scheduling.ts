import { type Question, shows } from './condition.ts';
import type { Room } from './room.ts';

const order = (starts: readonly { readonly name: string }[]): string =>
  starts.map(({ name }) => name).join(', then ');
const callsOf = (starts: readonly { readonly call: string }[]): string[] => starts.map(({ call }) => call);

async function somethingDecides(room: Room) {
  const [busy, other] = [await room.agent('busy'), await room.agent('other')];
  const [start] = await room.race(busy, [other]);
  const { steps } = await room.control.call('trace', { call: start?.call ?? '' });
  const wait = steps.find(({ stage }) => stage === 'wait');
  const waited = (steps.find(({ stage }) => stage === 'start')?.atMs ?? 0) - (wait?.atMs ?? 0);
  return shows(
    wait !== undefined && waited > 0,
    `the second agent waited ${waited} ms for ${wait?.detail ?? 'nothing'}, then ran`,
    start?.call ?? '',
  );
}

/** The same three calls arrive in the same order under two policies. */
async function anotherPolicy(room: Room) {
  const busy = await room.agent('busy-2');
  const rivals = [await room.agent('late-but-dear', -5), await room.agent('early', 5)].reverse();
  const fifo = await room.race(busy, rivals);
  room.configure('priority');
  await room.control.call('config.reload', {});
  const priority = await room.race(busy, rivals);
  return shows(
    order(fifo) !== order(priority),
    `first come, first served: ${order(fifo)}; strict priority: ${order(priority)}`,
    ...callsOf(fifo),
    ...callsOf(priority),
  );
}

async function inspected(room: Room) {
  const [busy, other] = [await room.agent('busy-3'), await room.agent('curious')];
  let told: string[] = [];
  let ahead: number | null = null;
  const [start] = await room.race(busy, [other], async () => {
    const wait = await room.waits(other);
    told = [...(wait?.reasons ?? [])];
    ahead = wait?.ahead ?? null;
  });
  return shows(
    told.length > 0 && ahead !== null,
    `mezz why said: ${ahead} ahead; ${told.join('; ') || 'nothing'}`,
    start?.call ?? '',
  );
}

async function tuned(room: Room) {
  const busy = await room.agent('busy-4');
  const [first, second] = [await room.agent('first', 0), await room.agent('second', 0)];
  const plain = await room.race(busy, [first, second]);
  const live = await room.race(busy, [first, second], async () => {
    await room.control.call('nice', { agent: String(second.pid), nice: -10 });
  });
  return shows(
    plain[0]?.name === first.name && live[0]?.name === second.name,
    `${order(plain)}; after mezz nice while both waited: ${order(live)}`,
    ...callsOf(live),
  );
}

export const SCHEDULING: Question = {
  number: 1,
  text: 'Two agents need the model at once: what decides?',
  conditions: [
    { id: '1a', text: 'something decides', experiment: somethingDecides },
    { id: '1b', text: 'a second policy gives another order on the same arrivals', experiment: anotherPolicy },
    { id: '1c', text: 'why a call waits can be inspected while it waits', experiment: inspected },
    { id: '1d', text: 'the order can be tuned while calls wait', experiment: tuned },
  ],
};

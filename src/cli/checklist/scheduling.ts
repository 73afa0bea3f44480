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
  let holder: string | undefined;
  const [start] = await room.race(busy, [other], async () => {
    const wait = await room.waits(other);
    told = [...(wait?.reasons ?? [])];
    ahead = wait?.ahead ?? null;
    holder = wait?.rivals.find(({ has }) => has !== null)?.agentName;
  });
  const { entries } = await room.control.call('trace', { call: start?.call ?? '' });
  const kept = String(entries.find(({ kind }) => kind === 'call.start')?.order ?? '');
  return shows(
    told.length > 0 && ahead !== null && holder === busy.name && kept !== '',
    `mezz why said: ${holder} has it, ${ahead} ahead; ${told.join('; ') || 'nothing'}. The journal keeps: ${kept || 'nothing'}`,
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
  await room.control.call('nice', { agent: String(second.pid), nice: 5 });
  const swapped = await room.race(busy, [second, first], async () => {
    await room.control.call('sched.set', { policy: 'fifo' });
  });
  return shows(
    plain[0]?.name === first.name && live[0]?.name === second.name && swapped[0]?.name === second.name,
    `${order(plain)}; after mezz nice while both waited: ${order(live)}; after mezz sched set fifo while both waited, though its nice value is worse: ${order(swapped)}`,
    ...callsOf(swapped),
  );
}

/** A policy of the operator's own: the last to come goes first. It fails once it sees the agent `fatal`. */
const OWN_POLICY = `export default {
  name: 'last-first',
  text: 'the last to come goes first',
  start: () => null,
  event: () => null,
  key: (_state, call) => {
    if (call.nice === 7) throw new Error('asked about an agent that it does not like');
    return [-call.arrivedAt];
  },
  reasons: () => ['came last'],
};
`;

async function ownPolicy(room: Room) {
  const busy = await room.agent('busy-5');
  const [early, late] = [await room.agent('came-early'), await room.agent('came-late')];
  await room.control.call('sched.set', { policy: room.file('last-first.mjs', OWN_POLICY) });
  await room.crash();
  await room.start();
  const { order: kept } = await room.control.call('sched', {});
  const own = await room.race(busy, [early, late]);
  const fatal = await room.agent('fatal', 7);
  const after = await room.race(busy, [early, fatal]);
  const { order: replaced } = await room.control.call('sched', {});
  await room.control.call('sched.set', { reset: true });
  return shows(
    kept.policy === 'last-first' && own[0]?.name === late.name && replaced.policy !== 'last-first',
    `a policy from a file, set, kept through kill -9 of the kernel: ${order(own)}; then ${replaced.fault ?? 'it did not fail'}, and both calls ran: ${order(after)}`,
    ...callsOf(own),
    ...callsOf(after),
  );
}

export const SCHEDULING: Question = {
  number: 1,
  text: 'Two agents need the model at once: what decides?',
  conditions: [
    { id: '1a', text: 'something decides', experiment: somethingDecides },
    { id: '1b', text: 'a second policy gives another order on the same arrivals', experiment: anotherPolicy },
    { id: '1c', text: 'why a call waits can be inspected while it waits', experiment: inspected },
    {
      id: '1d',
      text: 'the order can be tuned, and its policy swapped, while calls wait',
      experiment: tuned,
    },
    {
      id: '1e',
      text: 'a policy of your own is kept through a crash, and one that fails is replaced',
      experiment: ownPolicy,
    },
  ],
};

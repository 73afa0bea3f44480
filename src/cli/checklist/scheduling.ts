import { type Evidence, lacks, no, type Question, shows } from './condition.ts';
import { type Raced, race } from './race.ts';
import type { Models, Subject, Waiting } from './subject.ts';

const order = ({ ran }: Raced): string => ran.map(({ name }) => name).join(', then ');
const callsOf = ({ ran }: Raced): string[] => ran.map(({ call }) => call).filter((call) => call !== '');
const NO_MODELS = lacks('endpoint for model calls', '');
const AT_ONCE = 'calls of several agents are passed on as they come, while another runs: there is no order';

/** What two calls at once show, where there is nothing to change the order with. */
async function plainly(subject: Subject, models: Models, what: string): Promise<Evidence> {
  const [busy, other] = [await subject.caller('busy'), await subject.caller('other')];
  const raced = await race(subject, models, busy, [other]);
  if (raced.passed > 0) return no(AT_ONCE, ...callsOf(raced));
  return lacks(what, `two calls at once, of which the second waited`, ...callsOf(raced));
}

async function somethingDecides(subject: Subject): Promise<Evidence> {
  const { models } = subject;
  if (!models) return NO_MODELS;
  const [busy, other] = [await subject.caller('busy'), await subject.caller('other')];
  const raced = await race(subject, models, busy, [other]);
  const [second] = raced.ran;
  if (raced.passed > 0)
    return no(
      'two calls were sent at once, and the model had both at once: nothing stands between',
      ...callsOf(raced),
    );
  if (second?.heldMs === undefined)
    return no(
      `the second call was turned away (${second?.status}) and never reached the model: its agent has to come again`,
      ...callsOf(raced),
    );
  const { waits } = raced;
  const what = waits?.kind ? `${waits.kind} ${waits.resource}` : 'the first to end';
  return shows(true, `the second agent waited ${second.heldMs} ms for ${what}, then ran`, ...callsOf(raced));
}

/** The same two calls arrive in the same order under two policies. */
async function anotherPolicy(subject: Subject): Promise<Evidence> {
  const { models, order: orders } = subject;
  if (!models) return NO_MODELS;
  if (!orders?.policies) return plainly(subject, models, 'second policy, or a way to set one');
  const [one, two] = orders.policies;
  const busy = await subject.caller('busy-2');
  const rivals = [await subject.caller('late-but-dear', -5), await subject.caller('early', 5)].reverse();
  await orders.set(one.name);
  const first = await race(subject, models, busy, rivals);
  await orders.set(two.name);
  const second = await race(subject, models, busy, rivals);
  return shows(
    order(first) !== order(second),
    `${one.text}: ${order(first)}; ${two.text}: ${order(second)}`,
    ...callsOf(first),
    ...callsOf(second),
  );
}

async function inspected(subject: Subject): Promise<Evidence> {
  const { models, waiting } = subject;
  if (!models) return NO_MODELS;
  if (!waiting) return plainly(subject, models, 'way to ask what a call waits for');
  const [busy, other] = [await subject.caller('busy-3'), await subject.caller('curious')];
  let wait: Waiting | undefined;
  const raced = await race(subject, models, busy, [other], async () => {
    wait = await waiting(other);
  });
  if (raced.passed > 0) return no(AT_ONCE, ...callsOf(raced));
  const told = wait?.reasons.join('; ') ?? '';
  const names = wait?.holder === busy.name || told.includes(busy.name);
  const kept = await subject.order?.kept?.(raced.ran[0]?.call ?? '');
  return shows(
    told !== '' && names && (wait?.holder === undefined || wait.ahead !== undefined) && kept !== '',
    `asked what it waits for, it said: ${wait?.holder ? `${wait.holder} has it, ${wait.ahead} ahead; ` : ''}${told || 'nothing'}. Kept of it: ${kept ?? 'not asked'}`,
    ...callsOf(raced),
  );
}

async function tuned(subject: Subject): Promise<Evidence> {
  const { models, order: orders } = subject;
  if (!models) return NO_MODELS;
  const { policies, prefer } = orders ?? {};
  if (!orders || !policies || !prefer)
    return plainly(subject, models, 'way to change the order while calls wait');
  await orders.set(policies[1].name);
  const busy = await subject.caller('busy-4');
  const [first, second] = [await subject.caller('first'), await subject.caller('second')];
  const plain = await race(subject, models, busy, [first, second]);
  const live = await race(subject, models, busy, [first, second], () => prefer(second, true));
  await prefer(second, false);
  const swapped = await race(subject, models, busy, [second, first], () => orders.set(policies[0].name));
  return shows(
    plain.ran[0]?.name === first.name &&
      live.ran[0]?.name === second.name &&
      swapped.ran[0]?.name === second.name,
    `${order(plain)}; the second made more important while both waited: ${order(live)}; "${policies[0].text}" set while both waited, though its importance is less: ${order(swapped)}`,
    ...callsOf(swapped),
  );
}

async function ownPolicy(subject: Subject): Promise<Evidence> {
  const { models, order: orders, running } = subject;
  if (!models) return NO_MODELS;
  const own = orders?.own;
  if (!own || !running) return plainly(subject, models, 'way to set a policy of its operator');
  const busy = await subject.caller('busy-5');
  const [early, late] = [await subject.caller('came-early'), await subject.caller('came-late')];
  await own.set();
  await running.crash();
  await running.start();
  const kept = await own.inForce();
  const raced = await race(subject, models, busy, [early, late]);
  const fatal = await subject.caller('fatal', 7);
  const after = await race(subject, models, busy, [early, fatal]);
  const replaced = await own.inForce();
  await own.reset();
  return shows(
    kept.isOwn && raced.ran[0]?.name === late.name && !replaced.isOwn,
    `a policy from a file, set, kept through kill -9: ${order(raced)}; then ${replaced.fault ?? 'it did not fail'}, and both calls ran: ${order(after)}`,
    ...callsOf(raced),
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

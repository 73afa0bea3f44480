import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Evidence, lacks, type Question, shows } from './condition.ts';
import { ask, waitOf } from './race.ts';
import type { Caller, Models, Subject } from './subject.ts';

const WORK = '@lab A long task, at the step where it is paused.';
const NO_MODELS = lacks('endpoint for model calls', '');

async function unpaused(subject: Subject, models: Models, what: string): Promise<Evidence> {
  const { status } = await ask(models, await subject.caller('worker'), WORK);
  return lacks(what, `a model call, answered with ${status}`);
}

async function paused(subject: Subject): Promise<Evidence> {
  const { models, pausing, upstream } = subject;
  if (!models) return NO_MODELS;
  if (!pausing) return unpaused(subject, models, 'way to pause an agent');
  const caller = await subject.caller('worker');
  await pausing.pause(caller);
  const before = upstream.arrivals.length;
  const asked = ask(models, caller, WORK);
  const wait = await waitOf(subject, caller);
  const held = upstream.arrivals.length === before;
  await pausing.resume(caller);
  const reply = await asked;
  return shows(
    held && (wait?.kind ?? 'pause') === 'pause' && reply.status === 200,
    `its next model call waited (${wait?.kind ?? wait?.reasons[0] ?? 'it does not tell for what'}) and nothing reached the upstream until it was resumed`,
    models.idOf(reply),
  );
}

/** A program that sends one request and is killed while it waits. */
async function killedClient(subject: Subject, models: Models, caller: Caller): Promise<void> {
  const script = `const [url, headers, body] = process.argv.slice(1); fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...JSON.parse(headers) }, body }).catch(() => {})`;
  const { url, headers, body } = await models.request(caller, WORK);
  const child = spawn(process.execPath, ['-e', script, url, JSON.stringify(headers), body], {
    stdio: 'ignore',
  });
  const gone = once(child, 'exit');
  await waitOf(subject, caller);
  child.kill('SIGKILL');
  await gone;
}

/** The same request with and without a pause in which both the client and the product are killed. */
async function nothingLost(subject: Subject): Promise<Evidence> {
  const { models, pausing, running, upstream } = subject;
  if (!models) return NO_MODELS;
  if (!pausing) return unpaused(subject, models, 'way to pause an agent');
  if (!running) return unpaused(subject, models, 'way to start it again, so that it is not killed');
  const caller = await subject.caller('survivor');
  await ask(models, caller, WORK);
  const plain = upstream.arrivals.at(-1)?.digest;
  const before = upstream.arrivals.length;
  await pausing.pause(caller);
  await killedClient(subject, models, caller);
  await running.crash();
  await running.start();
  const asked = ask(models, caller, WORK);
  await waitOf(subject, caller);
  const isHeld = upstream.arrivals.length === before;
  await pausing.resume(caller);
  const reply = await asked;
  const sent = upstream.arrivals.slice(before).map(({ digest }) => digest);
  return shows(
    isHeld && sent.length === 1 && sent[0] === plain,
    `client and ${subject.isOwn ? 'kernel' : subject.name} killed with kill -9: ${isHeld ? 'still paused' : 'no longer paused'}; after resume the upstream got ${sent.length} request, ${sent[0] === plain ? 'byte for byte the same' : 'not the same bytes'}`,
    models.idOf(reply),
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

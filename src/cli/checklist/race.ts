/** Calls of several agents at once, with one answer that is not let go: who comes through, and in which order? */
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageFailure } from '../exit.ts';
import { LIMITS } from '../limits.ts';
import { type HttpReply, send } from './http.ts';
import type { Caller, Models, Subject, Waiting } from './subject.ts';

/** Waits for what must become true; the experiment fails when it does not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMITS.experimentMs.value;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new UsageFailure(`The experiment waited ${LIMITS.experimentMs.value / 1000} s until ${what}`);
    await sleep(LIMITS.kernelPollMs.value);
  }
}

/** One model call. */
export function ask(models: Models, caller: Caller, text: string, tool?: string): Promise<HttpReply> {
  const reply = models.request(caller, text, tool).then(send);
  // An experiment that is broken off awaits none of its calls any more: their failing must not end this process.
  reply.catch(() => {});
  return reply;
}

/** What an agent's call waits for, once it waits; where the product tells nothing, it had a while to get there. */
export async function waitOf(subject: Subject, caller: Caller): Promise<Waiting | undefined> {
  return settle(subject, caller, () => false);
}

export interface Ran {
  readonly name: string;
  readonly call: string;
  readonly status: number;
  /** From when it was sent until it reached the model; undefined: it never did. */
  readonly heldMs: number | undefined;
}
export interface Raced {
  /** In the order in which they reached the model; those that never did are last. */
  readonly ran: readonly Ran[];
  /** How many of them reached the model while the first call's answer was still held. */
  readonly passed: number;
  /** What the last of them waited for, where the product tells that. */
  readonly waits: Waiting | undefined;
}

/** The occupant's call is held by the model; the rivals' calls arrive meanwhile, in this order; then all goes on. */
export async function race(
  subject: Subject,
  models: Models,
  occupant: Caller,
  rivals: readonly Caller[],
  before: () => Promise<void> = async () => {},
): Promise<Raced> {
  const { upstream } = subject;
  const mark = `race ${upstream.arrivals.length}`;
  const textOf = ({ name }: Caller) => `@lab say 3\nThis is ${mark} of ${name}.`;
  const arrivalOf = (caller: Caller) => upstream.arrivals.find(({ text }) => text === textOf(caller));
  const release = upstream.hold();
  const asked: { caller: Caller; sentAt: number; reply: Promise<HttpReply> }[] = [];
  let passed = 0;
  let waits: Waiting | undefined;
  try {
    const first = occupy(models, occupant, textOf(occupant));
    await until('a call reaches the model', () => first.isOver() || arrivalOf(occupant) !== undefined);
    if (!arrivalOf(occupant)) throw new UsageFailure(await unreached(first.reply));
    for (const caller of rivals) {
      const { reply, isOver } = occupy(models, caller, textOf(caller));
      asked.push({ caller, sentAt: performance.now(), reply });
      const come = () => isOver() || arrivalOf(caller) !== undefined;
      waits = await settle(subject, caller, come);
    }
    passed = rivals.filter((caller) => arrivalOf(caller) !== undefined).length;
    await before();
    release();
    await first.reply;
    const ran = await Promise.all(
      asked.map(async ({ caller, sentAt, reply }) => {
        const answer = await reply;
        const at = arrivalOf(caller)?.atMs;
        const heldMs = at === undefined ? undefined : Math.round(at - sentAt);
        return { name: caller.name, call: models.idOf(answer), status: answer.status, heldMs, at };
      }),
    );
    ran.sort((a, b) => (a.at ?? Number.POSITIVE_INFINITY) - (b.at ?? Number.POSITIVE_INFINITY));
    return { ran, passed, waits };
  } finally {
    release();
  }
}

function occupy(models: Models, caller: Caller, text: string) {
  let over = false;
  const reply = ask(models, caller, text);
  const end = () => {
    over = true;
  };
  reply.then(end, end);
  return { reply, isOver: () => over };
}

async function unreached(reply: Promise<HttpReply>): Promise<string> {
  const { status, text } = await reply;
  return `a model call was answered (${status}: ${text.slice(0, 120)}) and never reached the model of this checklist: what the product lets through cannot be seen`;
}

async function settle(subject: Subject, caller: Caller, come: () => boolean): Promise<Waiting | undefined> {
  if (subject.waiting) {
    let wait: Waiting | undefined;
    await until(`the call of ${caller.name} waits or has come through`, async () => {
      wait = await subject.waiting?.(caller);
      return wait !== undefined || come();
    });
    return wait;
  }
  const end = performance.now() + LIMITS.settleMs.value;
  while (!come() && performance.now() < end) await sleep(LIMITS.kernelPollMs.value);
  return undefined;
}

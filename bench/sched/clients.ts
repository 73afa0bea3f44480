/** How calls get to a hosted API: by clients that retry as SDKs do, or through the kernel's scheduler and governor. */

import { HOSTED } from '../../src/scheduler/cost.ts';
import { Governor } from '../../src/scheduler/governor.ts';
import type { History } from '../../src/scheduler/history.ts';
import type { Policy } from '../../src/scheduler/policy.ts';
import { readBuckets } from '../../src/scheduler/readings.ts';
import { Slots } from '../../src/scheduler/resource.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { type Answer, BOUND, stepOf, type Turn, type Way } from './hosted.ts';

/** Official SDKs: so many retries, half a second and twice as long each time; or what retry-after says. */
export function sdk(retries: number, honours: boolean, atOnce = Number.POSITIVE_INFINITY): Way {
  return (world) => {
    const waiting: Turn[] = [];
    let running = 0;
    const go = (turn: Turn, tries: number): void =>
      world.send(
        turn,
        () => {},
        ({ retryAfterMs }) => {
          if (retryAfterMs !== undefined && tries < retries) {
            const jitter = world.random.unit() / 4;
            const delayMs = honours
              ? retryAfterMs * (1 + jitter)
              : Math.min(8, 0.5 * 2 ** tries) * 1000 * (1 - jitter);
            return void world.clock.after(delayMs, () => go(turn, tries + 1));
          }
          running--;
          world.ended(turn, retryAfterMs === undefined);
          next();
        },
      );
    const next = (): void => {
      while (running < atOnce && waiting.length > 0) {
        running++;
        go(waiting.shift() as Turn, 0);
      }
    };
    return {
      ready: (turn) => {
        waiting.push(turn);
        next();
      },
    };
  };
}

export interface KernelWay {
  readonly policy: Policy<unknown>;
  readonly history: History;
  /** Without: those who go last leave nothing to those who go first but the order. */
  readonly keeps?: boolean;
}

const IMAGE = 'coding';
const SLOTS = 512;

/** The kernel's own code, with estimates as wrong as they are: input by 1 to 2 %, answers as long as the mean one. */
export function kernel({ policy, history, keeps = true }: KernelWay): Way {
  return (world) => {
    const governor = new Governor();
    const { clock } = world;
    const resources = [new Slots('api', SLOTS, HOSTED)];
    const scheduler = new Scheduler({
      clock,
      policy,
      history,
      resources,
      meter: governor,
      maxWaitMs: 1e12,
      queue: 1e6,
    });
    let meanOutput = 400;
    const tollOf = (turn: Turn) => {
      const nice = turn.by?.nice ?? 0;
      const { input, fresh } = stepOf(turn);
      const guess = Math.round(input * (0.99 + 0.03 * world.random.unit()));
      const bound = BOUND[world.kind];
      const output = Math.min(bound, Math.round(meanOutput));
      const need = { input: guess, cached: Math.min(guess, input - fresh), output, bound };
      return { limit: 'api', need, nice: keeps ? nice : undefined };
    };
    const send = (turn: Turn): void => {
      const call = callOf(turn);
      const heard = (headers: readonly string[]): void => {
        governor.heard('api', call, readBuckets(headers, clock.now()), clock.now());
        const terms = governor.terms('api');
        if (terms) scheduler.reprice('api', terms);
        scheduler.look('api', ['api']);
      };
      world.send(turn, heard, (answer) => end(turn, answer));
    };
    const end = (turn: Turn, { retryAfterMs }: Answer): void => {
      const call = callOf(turn);
      const now = clock.now();
      if (retryAfterMs !== undefined) {
        governor.leave('api', call, { untilMs: now + retryAfterMs, isFinal: false }, undefined, now);
        scheduler.release(call, 'api');
        return ready(turn);
      }
      const { input, fresh, output } = stepOf(turn);
      governor.leave('api', call, 'served', { input, cached: input - fresh, output }, now);
      meanOutput += 0.02 * (output - meanOutput);
      const endsTurn = turn.at === turn.program.steps.length - 1;
      scheduler.used(call, { input: fresh, cached: input - fresh, output, endsTurn });
      scheduler.release(call, 'api');
      world.ended(turn, true);
    };
    const ready = (turn: Turn): void => {
      const toll = tollOf(turn);
      const nice = turn.by?.nice ?? 0;
      scheduler.submit({
        call: callOf(turn),
        agent: turn.by?.agent ?? turn.id,
        owner: 'me',
        turn: String(turn.id),
        nice,
        arrivedAt: turn.readyMs,
        deadlineAt: Number.POSITIVE_INFINITY,
        inTokens: toll.need.input,
        outTokens: toll.need.output,
        freshTokens: toll.need.input - toll.need.cached,
        image: IMAGE,
        resources: ['api'],
        tolls: new Map([['api', toll]]),
        // Not in the middle of a decision: as the gate, that is woken and goes on by itself.
        onGrant: () => void clock.after(0, () => send(turn)),
        onRefuse: () => {
          throw new Error('the benchmark has no bound that could refuse');
        },
      });
    };
    return { ready };
  };
}

const callOf = (turn: Turn): string => `${turn.id}.${turn.at}`;

/** Clairvoyant SRPT: the turn with the least left, as it will turn out, in units of what binds. */
export function clairvoyant(leftOf: (turn: number) => number): Policy<null> {
  return {
    name: 'clairvoyant',
    text: 'the turn with the least left, as it will turn out',
    start: () => null,
    event: () => null,
    key: (_state, call) => [leftOf(Number(call.turn)), call.arrivedAt],
    reasons: () => [],
  };
}

/** What is learned of a cache against a cache that is really there, and what is done with it: never an idle slot. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { seededRandom } from '../base/random.ts';
import { Admission } from './admission.ts';
import { ENGINE } from './cost.ts';
import { aCall, aWaiting } from './fixture.test.ts';
import { LIMITS } from './limits.ts';
import { mezz } from './policies/mezz.ts';
import type { Policy } from './policy.ts';
import { Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

/** Least recently started out first, as engines do; what it holds is told by what it reports alone. */
class Lru {
  readonly #room: number;
  readonly #held = new Map<string, number>();

  constructor(room: number) {
    this.#room = room;
  }

  /** Tokens found of this conversation, which is `tokens` long from now on. */
  use(id: string, tokens: number): number {
    const found = this.#held.get(id) ?? 0;
    this.#held.delete(id);
    this.#held.set(id, tokens);
    let used = [...this.#held.values()].reduce((sum, one) => sum + one, 0);
    for (const [other, size] of this.#held) {
      if (used <= this.#room) break;
      this.#held.delete(other);
      used -= size;
    }
    return found;
  }
}

interface Traffic {
  readonly seed: number;
  readonly room: number;
  readonly calls: number;
  /** Of a hundred calls, those that find nothing for a reason of their own: a client that rewrote its conversation. */
  readonly rewritten?: number;
  readonly reports?: boolean;
  look?(admission: Admission): void;
}

/** Twenty turns of some 1,000 to 9,000 tokens, the lively ones called more often. */
function play({ seed, room, calls, rewritten = 0, reports = true, look }: Traffic): Admission {
  const random = seededRandom(seed);
  const [admission, cache] = [new Admission(), new Lru(room)];
  const lengths = Array.from({ length: 20 }, () => 1_000 + Math.floor(4_000 * random.unit()));
  for (let i = 0; i < calls; i++) {
    const which = Math.floor(20 * random.unit() ** 2);
    const length = lengths[which] as number;
    const call = aCall(`c${i}`, { turn: `t${which}`, inTokens: length, outTokens: 50 });
    admission.started(call);
    const found = cache.use(`t${which}`, length + 50);
    const isNew = 100 * random.unit() < rewritten;
    const cached = reports && !isNew ? Math.min(found, length) : 0;
    admission.ended(call, { input: length - cached, cached, output: 50, endsTurn: false });
    look?.(admission);
  }
  return admission;
}

const someTraffic = fc.record({ seed: fc.integer(), room: fc.integer({ min: 25_000, max: 45_000 }) });

describe('admission', () => {
  test('learns what a cache holds from what answers report, also where clients rewrite some conversations', () => {
    for (const [rewritten, least, most] of [
      [0, 0.7, 1.4],
      [5, 0.45, 1.5],
    ] as const)
      fc.assert(
        fc.property(someTraffic, ({ seed, room }) => {
          const windows: number[] = [];
          play({ seed, room, calls: 3_000, rewritten, look: ({ window }) => windows.push(window) });
          const late = windows.slice(-1_000).filter(Number.isFinite);
          const share = late.reduce((sum, one) => sum + one, 0) / late.length / room;
          assert.ok(share > least && share < most, `${share.toFixed(2)} of ${room}`);
        }),
        { numRuns: 25 },
      );
  });

  test('a cache that loses nothing, or says nothing, bounds nothing; nor does one where nearly all is lost', () => {
    const bounds = (traffic: Partial<Traffic>) => {
      let bounded = 0;
      const look = ({ window }: Admission) => {
        bounded += Number.isFinite(window) ? 1 : 0;
      };
      return [play({ seed: 3, room: 1e9, calls: 1_000, look, ...traffic }), bounded] as const;
    };
    assert.equal(bounds({})[1], 0);
    const [silent, silently] = bounds({ room: 5_000, reports: false });
    assert.deepEqual([silent.found, silently], [undefined, 0]);
    const [lost] = bounds({ room: 9_000 });
    assert.ok((lost.found ?? 1) < LIMITS.worthKeeping.value / 100);
    assert.equal(lost.window, Number.POSITIVE_INFINITY);
    assert.ok((bounds({ room: 35_000 })[1] as number) > 500, 'and one that loses some is bounded');
  });

  test('turns that never end are forgotten: a call looks at a bounded number of them', () => {
    const admission = new Admission();
    for (let i = 0; i < 2 * LIMITS.openTurns.value; i++)
      admission.started(aCall(`c${i}`, { turn: `t${i}`, inTokens: 10, outTokens: 0 }));
    assert.deepEqual(admission.active, {
      turns: LIMITS.openTurns.value,
      tokens: 10 * LIMITS.openTurns.value,
    });
  });

  test('a prefix that was found proves that so much was held: the window is never below', () => {
    const admission = new Admission();
    let count = 0;
    const use = (turn: string, cached: number, tokens = 1_000) => {
      const call = aCall(`c${count++}`, { turn, inTokens: tokens, outTokens: 0 });
      admission.started(call);
      admission.ended(call, { input: tokens - cached, cached, output: 0, endsTurn: false });
    };
    for (const turn of ['a', 'b', 'c', 'd', 'e']) use(turn, 0);
    use('a', 1_000);
    for (let i = 0; i < 10; i++) use('a', 0);
    assert.ok(admission.window < 5_000, 'losses shrink it');
    use('b', 1_000);
    assert.ok(admission.window >= 5_000, 'b was found behind c, d, e and a');
  });
});

interface Run {
  readonly scheduler: Scheduler;
  readonly granted: string[];
  submit(call: string, turn: string, inTokens?: number): void;
  end(call: string, cached: number, input?: number, endsTurn?: boolean): void;
}

function start(size: number, cacheTokens: number | 'learned'): Run {
  const clock = new VirtualClock(0);
  const granted: string[] = [];
  const scheduler = new Scheduler({
    clock,
    resources: [new Slots('x', size, { ...ENGINE, cacheTokens })],
    policy: mezz as Policy<unknown>,
    maxWaitMs: 1e9,
    queue: 1_000,
  });
  return {
    scheduler,
    granted,
    submit(call, turn, inTokens = 1_000) {
      clock.advanceTo(clock.now() + 1);
      scheduler.submit(
        aWaiting(call, { turn, inTokens, arrivedAt: clock.now(), onGrant: () => void granted.push(call) }),
      );
    },
    end(call, cached, input = 1_000, endsTurn = false) {
      scheduler.used(call, { input: input - cached, cached, output: 10, endsTurn });
      scheduler.release(call, 'x');
    },
  };
}

describe('a cache that is learned', () => {
  test('gives the last slots first to calls that fit, says so, and idles none', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const run = start(8, 'learned');
        const cache = new Lru(30_000);
        const lengthOf = (turn: string) => 500 * (1 + (Number(turn.slice(1)) % 6));
        const running: { call: string; turn: string }[] = [];
        const waiting = new Map<string, string>();
        let told = 0;
        for (let i = 0; i < 600; i++) {
          for (const call of waiting.size < 12 ? [`a${i}`, `b${i}`] : []) {
            const turn = `t${Math.floor(random.unit() * 24)}`;
            waiting.set(call, turn);
            run.submit(call, turn, lengthOf(turn));
          }
          for (const call of run.granted.splice(0)) {
            running.push({ call, turn: waiting.get(call) as string });
            waiting.delete(call);
          }
          assert.ok(waiting.size === 0 || running.length === 8, 'no slot is free while a call waits');
          for (const call of waiting.keys())
            if (run.scheduler.explain(call)?.reasons.some((one) => one.startsWith('admission: '))) told++;
          if (running.length < 8) continue;
          const [done] = running.splice(Math.floor(random.unit() * running.length), 1);
          const { call = '', turn: of = 't0' } = done ?? {};
          run.end(call, Math.min(lengthOf(of), cache.use(of, lengthOf(of) + 10)), lengthOf(of));
        }
        assert.ok(run.scheduler.admitted('x')?.windowTokens !== null, 'it lost some');
        assert.ok(told > 0);
      }),
      { numRuns: 10 },
    );
  });

  test('a turn whose tool has just returned goes before its like whose prefix is gone', () => {
    const run = start(1, 4_000);
    // Two turns alike; then one that takes the room of the first.
    for (const turn of ['gone', 'warm']) {
      run.submit(turn, turn, 1_000);
      run.end(turn, 0);
    }
    run.submit('large', 'large', 2_500);
    run.submit('gone2', 'gone', 1_100);
    run.submit('warm2', 'warm', 1_100);
    const reasons = run.scheduler.explain('gone2')?.reasons.join() ?? '';
    assert.match(reasons, /its cached prefix is gone/);
    run.end('large', 0, 2_500, true);
    run.end('warm2', 1_000, 1_100);
    assert.deepEqual(run.granted, ['gone', 'warm', 'large', 'warm2', 'gone2'], 'though it came later');
  });
});

/**
 * The kernel's scheduler and governor against the lab's rate limits, in virtual time, on real coding sessions: what
 * bench/hosted.ts measures at length holds in small, whatever the API's way of charging.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kernel, sdk } from '../bench/sched/clients.ts';
import { type Change, Hosted, type Kind, type Way } from '../bench/sched/hosted.ts';
import { BINDING, figuresOf, historyOf, limitsOf, turnsOf } from '../bench/sched/load.ts';
import { HOSTED } from '../src/scheduler/cost.ts';
import { fifo } from '../src/scheduler/policies/fifo.ts';
import { mezz } from '../src/scheduler/policies/mezz.ts';

const history = historyOf(HOSTED);
const MINUTE = 60_000;

function world(kind: Kind, load: number, way: Way, changes: readonly Change[] = []) {
  const limits = limitsOf(kind, load);
  const hosted = new Hosted(kind, limits, turnsOf(3, 400), way, 3, changes);
  return { hosted, ...figuresOf(hosted, limits), limit: limits[BINDING[kind]] ?? 0 };
}
const ours = () => kernel({ policy: mezz, history });

for (const kind of ['anthropic', 'openai'] as const)
  describe(`rate limits enforced as by ${kind}, asked 1.3 times as much`, () => {
    test('no turn fails, hardly a call is refused, the limit is used up, and short turns do not wait for long ones', () => {
      const through = world(kind, 1.3, ours());
      assert.equal(through.failed, 0);
      assert.ok(through.refused < 0.02 * through.sends, `${through.refused} of ${through.sends}`);
      assert.ok(through.used >= 0.98, `${through.used}`);
      const inTurn = world(kind, 1.3, kernel({ policy: fifo, history }));
      assert.ok(through.slowdown < inTurn.slowdown / 2, `${through.slowdown} and ${inTurn.slowdown}`);
      const alone = world(kind, 1.3, sdk(2, false));
      assert.ok(alone.failed > 5, `${alone.failed} turns of clients that only retry`);
    });

    test('a limit that is halved and doubled is followed within three minutes', () => {
      const changes = [
        { atMs: 12 * MINUTE, factor: 0.5 },
        { atMs: 24 * MINUTE, factor: 1 },
      ];
      const { hosted, limit } = world(kind, 2.6, ours(), changes);
      const of = (from: number, to: number) =>
        (hosted.charged.get(BINDING[kind]) ?? []).slice(from, to).reduce((sum, one) => sum + one, 0) /
        (limit * (to - from));
      assert.ok(Math.abs(of(15, 24) - 0.5) < 0.03, `${of(15, 24)} of a half`);
      assert.ok(Math.abs(of(27, 39) - 1) < 0.05, `${of(27, 39)} of the whole`);
      assert.ok(hosted.refused < 0.05 * hosted.sends, `${hosted.refused} of ${hosted.sends}`);
    });

    test('what another client of the account takes is left to it, and the rest is used', () => {
      const changes = [{ atMs: 10 * MINUTE, othersPerMinute: 20 }];
      const { hosted, limit, failed } = world(kind, 2, ours(), changes);
      assert.equal(failed, 0);
      const all = (hosted.charged.get(BINDING[kind]) ?? []).slice(15, 35).reduce((sum, one) => sum + one, 0);
      assert.ok(all >= 0.95 * limit * 20, `${all / limit / 20}`);
      assert.ok(hosted.others.slice(15, 35).some((count) => count > 0));
      assert.ok(hosted.refused < 0.2 * hosted.sends, `${hosted.refused} of ${hosted.sends}`);
    });
  });

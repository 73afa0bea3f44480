import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../base/clock.ts';
import { LIMITS } from './limits.ts';
import { Traffic } from './traffic.ts';

test('a server that only fails gets no more calls, then one at a time after a growing pause, until it answers', () => {
  const clock = new VirtualClock(1000);
  const traffic = new Traffic(clock);
  const most = LIMITS.failuresInRow.value;
  for (let i = 0; i < most; i++) {
    assert.equal(traffic.enter('box', undefined), undefined);
    traffic.left('box', 'failed');
  }
  assert.equal(traffic.enter('box', undefined)?.code, 'unreachable');
  assert.equal(traffic.enter('other', undefined), undefined, 'others go on');
  clock.advanceTo(1000 + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box', undefined), undefined);
  assert.equal(traffic.enter('box', undefined)?.code, 'unreachable', 'one finds out');
  traffic.left('box', 'failed');
  clock.advanceTo(clock.now() + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box', undefined)?.code, 'unreachable', 'the pause grows');
  clock.advanceTo(clock.now() + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box', undefined), undefined);
  traffic.left('box', 'answered');
  assert.deepEqual(traffic.health('box'), { failures: 0, refused: 3, shutUntil: undefined });
  assert.equal(traffic.enter('box', undefined), undefined);
});

test('a server gets its calls a minute, and says when the next may come', () => {
  const clock = new VirtualClock(0);
  const traffic = new Traffic(clock);
  assert.deepEqual([traffic.enter('box', 2), traffic.enter('box', 2)], [undefined, undefined]);
  const refused = traffic.enter('box', 2);
  assert.deepEqual([refused?.code, refused?.retryAfterMs], ['busy', 30_000]);
  clock.advanceTo(30_000);
  assert.equal(traffic.enter('box', 2), undefined);
  assert.equal(traffic.enter('box', 2)?.code, 'busy');
});

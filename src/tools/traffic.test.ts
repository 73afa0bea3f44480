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
    assert.equal(traffic.enter('box'), undefined);
    traffic.left('box', 'failed');
  }
  assert.equal(traffic.enter('box')?.code, 'unreachable');
  assert.equal(traffic.enter('other'), undefined, 'others go on');
  clock.advanceTo(1000 + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box'), undefined);
  assert.equal(traffic.enter('box')?.code, 'unreachable', 'one finds out');
  traffic.left('box', 'failed');
  clock.advanceTo(clock.now() + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box')?.code, 'unreachable', 'the pause grows');
  clock.advanceTo(clock.now() + LIMITS.firstShutMs.value);
  assert.equal(traffic.enter('box'), undefined);
  traffic.left('box', 'answered');
  assert.deepEqual(traffic.health('box'), { failures: 0, refused: 3, shutUntil: undefined });
  assert.equal(traffic.enter('box'), undefined);
});

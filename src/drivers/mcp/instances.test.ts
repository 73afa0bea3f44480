import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { Guard } from '../guard.ts';
import { LIMITS } from '../limits.ts';
import { Instances } from './instances.ts';

test('a server that runs and says nothing is started after a pause, too, and who asks meanwhile is told at once', async () => {
  const clock = new VirtualClock();
  const guard = new Guard();
  const command = [process.execPath, '-e', 'setInterval(() => {}, 1000)'];
  const server = new Instances({ id: 'mute', command, env: {}, cwd: '/' }, clock, guard, () => 'shared');
  const asked = async () => {
    const described = server.describe();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advanceTo(clock.now() + LIMITS.toolStartMs.value);
    const answer = await described;
    return 'code' in answer ? answer.message : 'it said something';
  };
  try {
    for (const _ of [1, 2])
      assert.match(await asked(), /mute does not start: it did not say in 20 s what it offers/);
    assert.match(await asked(), /mute ended, or said nothing, 2 times in a row/);
  } finally {
    await server.close();
    guard.close();
  }
});

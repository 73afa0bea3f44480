/** Plan windows: what is kept for one is for nobody else, and when one is full at the rate of late. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../db/memory/store.ts';
import { Reserves } from './reserves.ts';
import { Windows } from './windows.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = Date.UTC(2026, 0, 31, 12);
const who = (name: string, owner = 'me') => ({ accounts: ['plan'], names: [name, 'root'], owner });

async function open(store = new MemoryStore()) {
  const windows = await Windows.open(store);
  const reserves = await Reserves.open(store, windows);
  const report = (usedShare: number, at: number, resetsAt = NOON + 5 * HOUR) =>
    store.commit(windows.record('plan', [{ name: '5h', usedShare, resetsAt, status: null }], at));
  const keep = (name: string, percent: number) => store.commit(reserves.set('plan', '5h', name, percent));
  const stops = (one: ReturnType<typeof who>, at = NOON) => reserves.refusal(one, at)?.code;
  return { store, windows, reserves, report, keep, stops };
}

describe('a part of a plan window that is kept for one', () => {
  test('stops all others where the rest is what is kept, and never whom it is kept for', async () => {
    const { report, keep, stops, reserves, store } = await open();
    await keep('agent:fix', 30);
    await keep('owner:ann', 20);
    await report(0.49, NOON);
    assert.equal(stops(who('other')), undefined);
    await report(0.5, NOON);
    assert.equal(stops(who('other')), 'over_budget');
    assert.equal(stops(who('fix')), undefined, "only ann's part is not for it");
    assert.equal(stops(who('other', 'ann')), undefined);
    await report(0.8, NOON);
    assert.equal(stops(who('fix')), 'over_budget');
    assert.equal(stops(who('fix', 'ann')), undefined);
    assert.equal(stops({ ...who('other'), accounts: ['another'] }), undefined);
    const why = reserves.refusal(who('other'), NOON);
    assert.match(why?.message ?? '', /80 % of it is used, and 50 % is kept for agent:fix/);
    assert.equal(reserves.resetsAt(why?.rule ?? '', NOON), NOON + 5 * HOUR);
    assert.equal(stops(who('other'), NOON + 5 * HOUR), undefined, 'the window is over');
    const again = await open(store);
    assert.equal(again.stops(who('other')), 'over_budget', 'also after a restart');
    await again.keep('agent:fix', 0);
    await again.keep('owner:ann', 0);
    assert.equal(again.stops(who('other')), undefined);
    assert.deepEqual((await open(store)).reserves.list(), []);
  });
});

describe('when a plan window is full', () => {
  const full = (windows: Windows, now: number) => windows.fullAt({ account: 'plan', name: '5h' }, now);

  test('is told by the rate since it began, then by that of late', async () => {
    const { windows, report } = await open();
    assert.equal(full(windows, NOON), null);
    // An hour into the window, a quarter is used: the rest takes three more hours.
    await report(0.25, NOON, NOON + 4 * HOUR);
    assert.equal(full(windows, NOON), NOON + 3 * HOUR);
    // Then a quarter in ten minutes: the other half takes twenty.
    await report(0.5, NOON + 10 * MINUTE, NOON + 4 * HOUR);
    assert.equal(full(windows, NOON + 10 * MINUTE), NOON + 30 * MINUTE);
  });

  test('is not told where it begins anew before, where nothing is used, or when it is over', async () => {
    const { windows, report } = await open();
    await report(0.2, NOON, NOON + HOUR);
    assert.equal(full(windows, NOON), null, 'at this rate it never is');
    await report(0.9, NOON + 20 * MINUTE, NOON + HOUR);
    assert.notEqual(full(windows, NOON + 20 * MINUTE), null);
    assert.equal(full(windows, NOON + HOUR), null);
    await report(0.01, NOON + HOUR, NOON + 6 * HOUR);
    assert.equal(full(windows, NOON + HOUR), null, 'a window that begins anew has no past');
  });
});

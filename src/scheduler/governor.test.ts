import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { Governor } from './governor.ts';
import { readPushback } from './pushback.ts';

const NOW = Date.UTC(2026, 10, 25, 12, 0, 0);
const read = (status: number, headers: Record<string, string>, body = '{}') =>
  readPushback(status, Object.entries(headers).flat(), Buffer.from(body), NOW);
const inMs = (...from: Parameters<typeof read>) => {
  const untilMs = read(...from)?.untilMs;
  return typeof untilMs === 'number' ? untilMs - NOW : untilMs;
};

describe('what a provider says about its limits', () => {
  test('when to try again, in every way that providers say it', () => {
    assert.equal(inMs(429, { 'retry-after': '7' }), 7000);
    assert.equal(inMs(429, { 'Retry-After': '7', 'retry-after-ms': '250' }), 250);
    assert.equal(inMs(529, { 'retry-after': new Date(NOW + 60_000).toUTCString() }), 60_000);
    const anthropic = {
      'anthropic-ratelimit-requests-remaining': '12',
      'anthropic-ratelimit-requests-reset': new Date(NOW + 99_000).toISOString(),
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': new Date(NOW + 31_000).toISOString(),
    };
    assert.equal(inMs(429, anthropic), 31_000, 'only what is used up counts');
    const openai = (reset: string) => ({
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': reset,
    });
    assert.equal(inMs(429, openai('6m0s')), 360_000);
    assert.equal(inMs(429, openai('1.5s')), 1500);
    assert.equal(inMs(429, openai('250ms')), 250);
    for (const nonsense of ['', 'soon', '-3', '1 fortnight'])
      assert.equal(inMs(429, { ...openai(nonsense), 'retry-after': nonsense }), null, nonsense);
  });
  test('other failures are none, and what retrying cannot help is final', () => {
    assert.equal(read(200, { 'retry-after': '7' }), undefined);
    assert.equal(read(500, { 'retry-after': '7' }), undefined);
    assert.equal(read(503, {}), undefined);
    assert.equal(inMs(503, { 'retry-after': '7' }), 7000);
    assert.equal(read(429, {})?.isFinal, false);
    assert.equal(read(429, {}, '{"error":{"code":"insufficient_quota"}}')?.isFinal, true);
    assert.equal(read(429, { 'x-should-retry': 'false' })?.isFinal, true);
  });
});

describe('the governor', () => {
  const refused = (untilMs: number | null = null) => ({ untilMs, isFinal: false });
  const busy = (governor: Governor, count: number) => {
    for (let i = 0; i < count; i++) governor.enter('a m');
  };

  test('sends nothing before the reset, then half as many at once, then one more for each round', () => {
    const governor = new Governor();
    busy(governor, 8);
    assert.equal(governor.room('a m', NOW), Number.POSITIVE_INFINITY);
    governor.leave('a m', refused(NOW + 5000), NOW);
    // The others were on their way: what they say is not news.
    for (let i = 0; i < 7; i++) governor.leave('a m', refused(NOW + 4000), NOW + 10);
    assert.equal(governor.opensAt('a m', NOW + 10), NOW + 5000);
    assert.equal(governor.room('a m', NOW + 4999), 0);
    assert.equal(governor.room('other', NOW), Number.POSITIVE_INFINITY);
    const later = NOW + 5000;
    assert.equal(governor.room('a m', later), 4);
    busy(governor, 4);
    assert.equal(governor.room('a m', later), 0);
    for (let i = 0; i < 5; i++) {
      governor.leave('a m', 'served', later);
      governor.enter('a m');
    }
    assert.equal(governor.room('a m', later), 1);
  });
  test('without a time it pauses longer after each refusal; a call that is served begins anew', () => {
    const governor = new Governor();
    let now = NOW;
    const pause = () => {
      governor.enter('a m');
      governor.leave('a m', refused(), now);
      const ms = governor.opensAt('a m', now) - now;
      now += ms;
      return ms;
    };
    assert.deepEqual([pause(), pause(), pause()], [1000, 2000, 4000]);
    for (let i = 0; i < 10; i++) pause();
    assert.equal(pause(), 60_000);
    governor.enter('a m');
    governor.leave('a m', 'served', now);
    assert.equal(pause(), 1000);
  });
  test('forgets a limit that nobody has met for a while, and keeps nothing of one that never was', () => {
    const governor = new Governor();
    governor.enter('a m');
    governor.leave('a m', refused(), NOW);
    assert.equal(governor.room('a m', NOW + 1000), 1);
    governor.enter('a m');
    governor.leave('a m', 'served', NOW + 700_000);
    assert.equal(governor.room('a m', NOW + 700_000), Number.POSITIVE_INFINITY);
  });
});

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { Need } from './charging.ts';
import { Governor, type Used, type Verdict } from './governor.ts';
import { readPushback } from './pushback.ts';
import { type Dimension, readBuckets } from './readings.ts';

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
  test('when the window of a plan begins anew, however soon it may be tried again', () => {
    const claude = {
      'retry-after': '5',
      'x-should-retry': 'false',
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(NOW / 1000 + 7200),
    };
    assert.deepEqual(read(429, claude), { untilMs: NOW + 7_200_000, isFinal: false });
    assert.equal(inMs(429, { ...claude, 'anthropic-ratelimit-unified-status': 'allowed' }), 5000);
    const codex = { 'x-codex-primary-used-percent': '100', 'x-codex-primary-reset-after-seconds': '600' };
    assert.equal(inMs(429, codex), 600_000);
    assert.equal(inMs(429, { ...codex, 'x-codex-primary-used-percent': '99' }), null);
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

const HEADERS = {
  'anthropic-ratelimit-requests-limit': '50',
  'anthropic-ratelimit-requests-remaining': '49',
  'anthropic-ratelimit-requests-reset': new Date(NOW + 1200).toISOString(),
  'Anthropic-RateLimit-Input-Tokens-Limit': '40000',
  'anthropic-ratelimit-input-tokens-remaining': '20000',
  'anthropic-ratelimit-input-tokens-reset': '2026-11-25T12:00:30Z',
  'anthropic-ratelimit-output-tokens-limit': '8000',
  'anthropic-ratelimit-output-tokens-remaining': '7500',
  'anthropic-ratelimit-tokens-limit': '48000',
  'anthropic-ratelimit-tokens-remaining': '27000',
  'anthropic-ratelimit-unified-5h-utilization': '0.5',
  'x-ratelimit-limit-things': '3',
};
const readings = (headers: Record<string, string>) => readBuckets(Object.entries(headers).flat(), NOW);

describe('a refusal for too many calls at once', () => {
  const streams = (status: number, message: string) =>
    read(status, {}, JSON.stringify({ error: { message } }))?.streams;
  test('is told from others by its words, and so is how many it allows', () => {
    assert.equal(streams(429, 'Number of concurrent connections has exceeded your rate limit.'), null);
    assert.equal(streams(429, 'Concurrency limit reached for requests'), null);
    assert.equal(
      streams(429, 'request reached max organization concurrency: 3, please try again after 1 seconds'),
      3,
    );
    assert.equal(streams(429, 'Too many concurrent requests, please try again after 5 seconds'), null);
    assert.equal(streams(403, "You've reached your concurrent request limit."), null);
    assert.equal(
      streams(429, 'request reached organization max RPM: 3, please try again after 1 seconds'),
      undefined,
    );
    assert.equal(read(403, {}, '{"error":{"message":"You may not do this."}}'), undefined);
  });
});

describe("what a provider's headers say of its buckets", () => {
  test('Anthropic: each dimension, rounded tokens and dates in whole seconds told apart', () => {
    assert.deepEqual(readings(HEADERS), [
      { dimension: 'requests', limit: 50, remaining: 49, fullAt: NOW + 1200, fullWithinMs: 1, slack: 0 },
      {
        dimension: 'input',
        limit: 40000,
        remaining: 20000,
        fullAt: NOW + 30000,
        fullWithinMs: 1000,
        slack: 500,
      },
      { dimension: 'output', limit: 8000, remaining: 7500, fullAt: null, fullWithinMs: 1, slack: 0 },
    ]);
  });
  test('OpenAI: tokens are input and output together, and times are spans', () => {
    const openai = {
      'x-ratelimit-limit-requests': '500',
      'x-ratelimit-remaining-requests': '499',
      'x-ratelimit-reset-requests': '120ms',
      'x-ratelimit-limit-tokens': '30000',
      'x-ratelimit-remaining-tokens': '24999',
      'x-ratelimit-reset-tokens': '10.002s',
    };
    assert.deepEqual(readings(openai), [
      { dimension: 'requests', limit: 500, remaining: 499, fullAt: NOW + 120, fullWithinMs: 1, slack: 0 },
      { dimension: 'tokens', limit: 30000, remaining: 24999, fullAt: NOW + 10002, fullWithinMs: 1, slack: 0 },
    ]);
  });
  test('what is missing or no number gives no reading', () => {
    assert.deepEqual(readings({ 'x-ratelimit-limit-requests': '500' }), []);
    assert.deepEqual(
      readings({ 'x-ratelimit-limit-tokens': 'many', 'x-ratelimit-remaining-tokens': '-3' }),
      [],
    );
    assert.deepEqual(readings({ 'x-ratelimit-limit-tokens': '0', 'x-ratelimit-remaining-tokens': '0' }), []);
  });
});

const need = (input: number, more: Partial<Need> = {}): Need => ({
  input,
  cached: 0,
  output: 0,
  bound: 0,
  ...more,
});
const refused = (untilMs: number | null = null) => ({ untilMs, isFinal: false });

/** A governor with one limit, and names for the calls under it. */
class Under {
  readonly governor = new Governor();
  #calls = 0;

  room(now: number): boolean {
    return this.governor.isOpen({ limit: 'a m', need: need(0) }, now);
  }
  send(now = NOW, asked = need(0)): string {
    const call = `c${this.#calls++}`;
    this.governor.take({ limit: 'a m', need: asked }, call, now);
    return call;
  }
  try(asked: Need, now: number): string | undefined {
    const call = `c${this.#calls++}`;
    return this.governor.tryTake({ limit: 'a m', need: asked }, call, now) ? call : undefined;
  }
  leave(call: string, verdict: Verdict, now: number, used?: Used): void {
    this.governor.leave('a m', call, verdict, used, now);
  }
  hear(call: string, of: readonly (readonly [Dimension, number, number])[], now: number): void {
    const told = of.map(([dimension, limit, remaining]) => ({
      ...{ dimension, limit, remaining, slack: 0, fullWithinMs: 1 },
      fullAt: now + (60_000 * (limit - remaining)) / limit,
    }));
    this.governor.heard('a m', call, told, now);
  }
  opensAt(asked: Need, now: number): number {
    return this.governor.opensAt({ limit: 'a m', need: asked }, now);
  }
}

describe('the governor, of a provider whose headers say nothing', () => {
  test('sends nothing before the reset, then half as many at once, then one more for each round', () => {
    const under = new Under();
    const first = Array.from({ length: 8 }, () => under.send());
    assert.ok(under.room(NOW));
    under.leave(first[0] as string, refused(NOW + 5000), NOW);
    // The others were on their way: what they say is not news.
    for (const call of first.slice(1)) under.leave(call, refused(NOW + 4000), NOW + 10);
    assert.equal(under.governor.refusedUntil('a m', NOW + 10), NOW + 5000);
    assert.ok(!under.room(NOW + 4999));
    assert.ok(under.governor.isOpen({ limit: 'other', need: need(0) }, NOW));
    const later = NOW + 5000;
    let running = Array.from({ length: 4 }, () => under.try(need(0), later) as string);
    assert.equal(under.try(need(0), later), undefined);
    assert.equal(under.opensAt(need(0), later), Number.POSITIVE_INFINITY, 'only an end can tell');
    for (let i = 0; i < 5; i++) {
      under.leave(running[0] as string, 'served', later);
      running = [...running.slice(1), under.send(later)];
    }
    assert.ok(under.try(need(0), later), 'one more');
    assert.equal(under.try(need(0), later), undefined, 'and no second');
  });
  test('without a time it pauses longer after each refusal; a call that is served begins anew', () => {
    const under = new Under();
    let now = NOW;
    const pause = () => {
      under.leave(under.send(now), refused(), now);
      const ms = under.governor.refusedUntil('a m', now) - now;
      now += ms;
      return ms;
    };
    assert.deepEqual([pause(), pause(), pause()], [1000, 2000, 4000]);
    for (let i = 0; i < 10; i++) pause();
    assert.equal(pause(), 60_000);
    under.leave(under.send(now), 'served', now);
    assert.equal(pause(), 1000);
  });
  test('a refusal that names calls at once: as many as its provider allows go from then on, and seldom one more', () => {
    const under = new Under();
    const calls = Array.from({ length: 10 }, () => under.send());
    const atOnce = { untilMs: null, isFinal: false, streams: null };
    // Those beyond the third come back, in whatever order.
    for (const call of calls.slice(3).reverse()) under.leave(call, atOnce, NOW);
    assert.equal(under.governor.refusedUntil('a m', NOW), NOW + 250, 'the others will end: no long pause');
    const later = NOW + 250;
    assert.equal(under.try(need(0), later), undefined);
    const why = under.governor.reason({ limit: 'a m', need: need(0) }, later);
    assert.equal(why, 'its provider allows so many at once: 3 of at most 3 are on their way');
    assert.deepEqual(
      [...under.governor.standing(later)],
      [{ limit: 'a m', of: 'streams', most: 3, left: 0, from: 'refusals' }],
    );
    let running = calls.slice(0, 3);
    const serve = () => {
      under.leave(running[0] as string, 'served', later);
      running = [...running.slice(1), under.try(need(0), later) as string];
    };
    for (let i = 0; i < 100; i++) serve();
    assert.equal(under.try(need(0), later), undefined, 'not one more in a hundred');
    for (let i = 0; i < 100; i++) serve();
    assert.ok(under.try(need(0), later), 'one more is tried: others may have left');
  });
  test('where the refusal says how many, it is that many and no more', () => {
    const under = new Under();
    const calls = Array.from({ length: 6 }, () => under.send());
    for (const call of calls) under.leave(call, { untilMs: NOW + 1000, isFinal: false, streams: 2 }, NOW);
    const later = NOW + 1000;
    for (let i = 0; i < 500; i++) under.leave(under.try(need(0), later) as string, 'served', later);
    assert.ok(under.try(need(0), later));
    assert.ok(under.try(need(0), later));
    assert.equal(under.try(need(0), later), undefined);
  });
  test('forgets a limit that nobody has met for a while, and keeps nothing of one that never was', () => {
    const under = new Under();
    under.leave(under.send(), refused(), NOW);
    const call = under.try(need(0), NOW + 1000) as string;
    assert.equal(under.try(need(0), NOW + 1000), undefined);
    under.leave(call, 'served', NOW + 700_000);
    for (let i = 0; i < 20; i++) assert.ok(under.try(need(0), NOW + 700_000));
  });
});

describe('the governor, of a provider whose headers show its buckets', () => {
  test('sends a call only when every bucket covers it, and knows when that is', () => {
    const under = new Under();
    const first = under.send();
    under.hear(
      first,
      [
        ['requests', 60, 2],
        ['input', 60_000, 3000],
      ],
      NOW,
    );
    under.leave(first, 'served', NOW, { input: 100, cached: 0, output: 10 });
    const second = under.try(need(2500), NOW);
    assert.ok(second, 'both have enough');
    assert.equal(under.try(need(1000), NOW), undefined, 'input lacks 500');
    assert.equal(under.opensAt(need(1000), NOW), NOW + 500);
    assert.equal(under.try(need(1000), NOW + 499), undefined);
    assert.ok(under.try(need(1000), NOW + 500));
    assert.equal(
      under.opensAt(need(0), NOW + 500),
      NOW + 1000,
      'now a request is what lacks: one comes each second',
    );
    const why = under.governor.reason({ limit: 'a m', need: need(0) }, NOW + 500);
    assert.equal(why, 'of 60 requests a minute 1 are left and 1 are needed: about 1 s more');
  });
  test('settles what a call really used, and gives back what was never sent', () => {
    const under = new Under();
    const first = under.send();
    under.hear(first, [['input', 60_000, 10_000]], NOW);
    under.leave(first, 'served', NOW, { input: 100, cached: 0, output: 10 });
    const second = under.try(need(9000), NOW) as string;
    assert.equal(under.try(need(5000), NOW), undefined);
    under.leave(second, 'served', NOW, { input: 4000, cached: 0, output: 10 });
    const third = under.try(need(5000), NOW) as string;
    assert.ok(third, '5000 of the 9000 came back');
    under.governor.giveUp({ limit: 'a m', need: need(5000) }, third, NOW);
    under.governor.giveUp({ limit: 'a m', need: need(5000) }, third, NOW);
    assert.ok(under.try(need(6000), NOW), 'once');
    assert.equal(under.try(need(1), NOW), undefined);
  });
  test('learns from calls that are alone whether cached input counts, and whether max_tokens does', () => {
    for (const [countsCached, countsBound] of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ]) {
      const under = new Under();
      let left = 200_000;
      const asked = need(10_000, { cached: 9000, output: 300, bound: 4000 });
      for (let i = 0; i < 3; i++) {
        const call = under.send(NOW, asked);
        left -= (countsCached ? 10_000 : 1000) + (countsBound ? 4000 : 0);
        under.hear(call, [['tokens', 1_000_000, left]], NOW);
        left -= countsBound ? 0 : 300;
        under.leave(call, 'served', NOW, { input: 10_000, cached: 9000, output: 300 });
      }
      assert.deepEqual(under.governor.charging('a m'), { countsCached, countsBound });
    }
  });
  test('a way of charging by which more would be gone than is, is given up, however many calls are on their way', () => {
    const under = new Under();
    const asked = need(100, { output: 20, bound: 32_000 });
    under.hear(under.send(), [['output', 8000, 8000]], NOW);
    const calls = Array.from({ length: 5 }, () => under.send(NOW, asked));
    assert.equal(under.governor.charging('a m')?.countsBound, true);
    under.hear(calls[3] as string, [['output', 8000, 7900]], NOW + 100);
    assert.equal(under.governor.charging('a m')?.countsBound, false);
    assert.equal(under.governor.charging('a m')?.countsCached, true, 'nothing was said of that');
  });
  test('follows what others take, also when the limit is halved or doubled', () => {
    const under = new Under();
    let now = NOW;
    const hear = (limit: number, remaining: number) => {
      const call = under.send(now);
      under.hear(call, [['requests', limit, remaining]], now);
      under.leave(call, 'served', now, { input: 1, cached: 0, output: 1 });
    };
    hear(60, 30);
    now += 1000;
    hear(60, 5);
    const calls = Array.from({ length: 5 }, () => under.try(need(0), now) as string);
    assert.equal(under.opensAt(need(0), now), now + 1000, 'another client took the rest');
    for (const call of calls) under.leave(call, 'served', now);
    hear(30, 0);
    assert.equal(under.opensAt(need(0), now), now + 2000);
    hear(120, 0);
    assert.equal(under.opensAt(need(0), now), now + 500);
  });
  test('dates in whole seconds of a bucket that fills fast tell how fast at least', () => {
    const under = new Under();
    const call = under.send();
    const told = { dimension: 'requests', limit: 40, remaining: 0, slack: 0, fullWithinMs: 1000 } as const;
    under.governor.heard('a m', call, [{ ...told, fullAt: NOW + 3000 }], NOW);
    under.governor.heard('a m', call, [{ ...told, fullAt: NOW + 3000 }], NOW);
    under.leave(call, 'served', NOW);
    assert.equal(under.opensAt(need(0), NOW), NOW + 100, 'ten a second, and not forty a minute');
  });
  test('what calls have to wait for costs more than what they do not, four times as much at most', () => {
    const under = new Under();
    const first = under.send();
    under.hear(
      first,
      [
        ['requests', 100, 100],
        ['input', 50_000, 0],
        ['output', 10_000, 10_000],
      ],
      NOW,
    );
    under.leave(first, 'served', NOW, { input: 1, cached: 0, output: 1 });
    const terms = () => under.governor.terms('a m');
    const { inputWeight = 0, requestWeight = 0 } = terms() ?? {};
    assert.deepEqual([inputWeight, requestWeight], [0.2, 100]);
    for (let i = 0; i < 50; i++) under.try(need(1000), NOW);
    assert.ok((terms()?.inputWeight ?? 0) > 1.2 * inputWeight);
    assert.equal(Math.round(terms()?.requestWeight ?? 0), requestWeight, 'nobody waits for either');
    for (let i = 0; i < 500; i++) under.try(need(1000), NOW);
    assert.equal(terms()?.inputWeight, 4 * inputWeight);
  });
  test('a call larger than a bucket overdraws it: what is told as nothing left is less, and full again later', () => {
    const under = new Under();
    under.leave(under.send(NOW, need(0)), 'served', NOW, { input: 0, cached: 0, output: 0 });
    const hear = (call: string, left: number, now: number) => {
      const [limit, remaining] = [60_000, Math.max(0, left)];
      const told = { dimension: 'input', limit, remaining, slack: 0, fullWithinMs: 1 } as const;
      under.governor.heard('a m', call, [{ ...told, fullAt: now + limit - left }], now);
    };
    const first = under.send();
    hear(first, 60_000, NOW);
    under.leave(first, 'served', NOW, { input: 0, cached: 0, output: 0 });
    const large = under.try(need(100_000), NOW);
    assert.ok(large, 'a full bucket is all that can be waited for');
    hear(large, -40_000, NOW);
    under.leave(large, 'served', NOW, { input: 100_000, cached: 0, output: 0 });
    assert.equal(under.opensAt(need(500), NOW), NOW + 40_500, 'one a millisecond, as before');
  });
  test('a refusal that a bucket explains cuts its rate and not the calls at once', () => {
    const under = new Under();
    const calls = Array.from({ length: 6 }, () => under.send());
    under.hear(calls[0] as string, [['requests', 60, 0]], NOW);
    under.leave(calls[0] as string, refused(NOW + 1000), NOW);
    under.hear(calls[1] as string, [['requests', 60, 30]], NOW + 1000);
    for (let i = 0; i < 10; i++) assert.ok(under.try(need(0), NOW + 1000), `${i}`);
  });
});

/**
 * One rate limit of a provider: the mirrors of its buckets, how it charges them, what is on its way, and for what no
 * header tells - calls at once, a limit in words only - additive increase and multiplicative decrease (Chiu and Jain,
 * 1989). What other clients of the account take shows in the provider's own figures; between two of them a share of what
 * flows in is believed to be ours, which a refusal cuts. Invariant: what was taken for a call is settled once, when it
 * ends or is given up.
 */
import { Bucket } from './bucket.ts';
import { type Charge, Charging, type Need } from './charging.ts';
import type { Terms } from './cost.ts';
import { Kept } from './kept.ts';
import { LIMITS } from './limits.ts';
import type { Standing } from './meter.ts';
import type { Pushback } from './pushback.ts';
import type { Dimension, Reading } from './readings.ts';
import { Scarcity } from './scarcity.ts';

/** How a call under a limit ended: served, refused by the limit, or in a way that says nothing about it. */
export type Verdict = 'served' | 'unknown' | Pushback;

/** What a call really used; `bound` is what its request allowed. */
export type Used = Omit<Need, 'bound'>;

/** What keeps a call back, and until when; `atMs` is unbounded where only the end of another call can tell. */
export type Obstacle =
  | { readonly kind: 'refused'; readonly atMs: number }
  | {
      readonly kind: 'streams';
      readonly atMs: number;
      readonly running: number;
      readonly most: number;
      /** By its provider, and not guessed. */
      readonly isTold: boolean;
    }
  | {
      readonly kind: 'bucket';
      readonly atMs: number;
      readonly dimension: Dimension;
      readonly perMinute: number;
      readonly left: number;
      readonly need: number;
      /** For calls that go first. */
      readonly kept: number;
    };

interface Taken extends Charge {
  /** What its bucket had given altogether then, and how often it had been read. */
  readonly takenBy: number;
  readonly readings: number;
  /** What its class had drawn before. */
  readonly drawn: number;
}
/** What was gone when its head came, and what of that others may have written. */
interface Seen {
  readonly gone: number;
  readonly written: number;
  readonly slack: number;
}
interface Sent {
  readonly need: Need;
  readonly nice: number | undefined;
  readonly order: number;
  readonly at: number;
  /** Others that were on their way then. */
  readonly atOnce: number;
  readonly charges: Map<Dimension, Taken>;
  /** All that were on their way before had been heard, so that figures tell what this one took. */
  isClear: boolean;
  readonly seen: Map<Dimension, Seen>;
  heardAt: number | undefined;
}
interface Last {
  readonly remaining: number;
  readonly at: number;
  /** Tokens of the answers that ended since then. */
  written: number;
}

export class Quota {
  readonly #buckets = new Map<Dimension, Bucket>();
  readonly #last = new Map<Dimension, Last>();
  readonly #charging = new Charging();
  readonly #kept = new Kept();
  readonly #scarcity = new Scarcity();
  readonly #sent = new Map<string, Sent>();
  /** What running answers will still take of each bucket. */
  readonly #later = new Map<Dimension, number>();
  #share = 1;
  /** What is asked to be there, for one that is needed: estimates are wrong, and a refusal shows that they were too low. */
  #caution = 1;
  #order = 0;
  /** Nothing is sent before. */
  #untilMs = 0;
  /** Calls at once; without bound until a refusal that no bucket explains. */
  #window = Number.POSITIVE_INFINITY;
  /** A refusal named calls at once: the most that it allowed, unbounded where it did not say. */
  #told: number | undefined;
  /** Refusals in a row. */
  #refusals = 0;
  #refusedAt = 0;

  get charging(): Charging {
    return this.#charging;
  }

  /** Does it hold nothing that is worth keeping? */
  get isIdle(): boolean {
    return this.#sent.size === 0 && this.#window === Number.POSITIVE_INFINITY && this.#buckets.size === 0;
  }

  /**
   * What serving costs under it, in units of what is scarcest (dominant resource), each at its price; undefined before its
   * buckets are known.
   */
  get terms(): Terms | undefined {
    const unit: Dimension = this.#buckets.has('output') ? 'output' : 'tokens';
    const worth = (dimension: Dimension): number => {
      const limit = this.#buckets.get(dimension)?.limit;
      return limit === undefined ? 0 : this.#scarcity.priceOf(dimension) / limit;
    };
    if (worth(unit) === 0) return undefined;
    const inputWeight = unit === 'tokens' ? 1 : worth('input') / worth(unit);
    return { inputWeight, requestWeight: worth('requests') / worth(unit), combine: 'max' };
  }

  /** How each of its buckets stands, and the calls at once that refusals left. */
  *standing(now: number): Iterable<Omit<Standing, 'limit'>> {
    for (const [of, bucket] of this.#buckets) {
      const left = Math.max(0, bucket.level(now, this.#share) - (this.#later.get(of) ?? 0));
      yield { of, most: bucket.perMinute, left, from: 'headers' };
    }
    const most = Math.floor(this.#window);
    if (Number.isFinite(most))
      yield { of: 'streams', most, left: Math.max(0, most - this.#sent.size), from: 'refusals' };
  }

  /** A call waits for this. */
  waited(obstacle: Obstacle): void {
    if (obstacle.kind === 'bucket') this.#scarcity.waited(obstacle.dimension);
  }

  /** When the provider takes calls again; 0 if it refused none lately. */
  refusedUntil(now: number): number {
    return this.#untilMs > now ? this.#untilMs : 0;
  }

  /**
   * What keeps a call of this class back that needs so much; undefined: nothing. Of several, what takes longest. Without a
   * class, nothing is kept from it for others.
   */
  obstacle(need: Need, now: number, nice = Number.NEGATIVE_INFINITY): Obstacle | undefined {
    if (this.#untilMs > now) return { kind: 'refused', atMs: this.#untilMs };
    const running = this.#sent.size;
    const most = Math.floor(this.#window);
    if (running >= most) {
      const isTold = this.#told !== undefined;
      return { kind: 'streams', atMs: Number.POSITIVE_INFINITY, running, most, isTold };
    }
    let found: Obstacle | undefined;
    for (const [dimension, bucket] of this.#buckets) {
      const charge = this.#charging.chargeOf(dimension, need);
      const whole = charge.now + charge.later;
      const later = this.#later.get(dimension) ?? 0;
      const kept = this.#kept.from(nice, dimension, bucket, now);
      const wanted = whole * this.#caution + later;
      if (bucket.waitMs(wanted + kept.now, now, this.#share) === 0) continue;
      // What is kept grows as the bucket fills: until all of it is there, waiting brings nothing.
      const waitMs = bucket.waitMs(wanted + kept.later, now, this.#share);
      if (found && found.atMs >= now + waitMs) continue;
      const left = Math.max(0, bucket.level(now, this.#share) - later);
      const { perMinute } = bucket;
      found = { kind: 'bucket', atMs: now + waitMs, dimension, perMinute, left, need: whole, kept: kept.now };
    }
    return found;
  }

  /** Takes what the call needs, whether it is there or not. */
  take(call: string, need: Need, now: number, nice?: number): void {
    let isClear = true;
    for (const other of this.#sent.values()) {
      if (other.heardAt !== undefined) continue;
      isClear = false;
      other.isClear = false;
    }
    const sent: Sent = {
      need,
      nice,
      order: this.#order++,
      at: now,
      atOnce: this.#sent.size,
      charges: new Map(),
      isClear,
      seen: new Map(),
      heardAt: undefined,
    };
    for (const [dimension, bucket] of this.#buckets) {
      const charge = this.#charging.chargeOf(dimension, need);
      bucket.take(charge.now, now, this.#share);
      const whole = charge.now + charge.later;
      const drawn = nice === undefined ? 0 : this.#kept.take(nice, dimension, whole, bucket, now);
      sent.charges.set(dimension, { ...charge, takenBy: bucket.taken, readings: bucket.readings, drawn });
      this.#later.set(dimension, (this.#later.get(dimension) ?? 0) + charge.later);
    }
    this.#sent.set(call, sent);
  }

  /** The head of a call's answer has come, with these figures. */
  heard(call: string, readings: readonly Reading[], now: number): void {
    const sent = this.#sent.get(call);
    for (const reading of readings) {
      const { dimension, remaining, slack } = reading;
      const bucket = this.#buckets.get(dimension);
      const last = this.#last.get(dimension);
      if (bucket && sent) {
        const most = reading.limit - remaining + bucket.inflow(now - sent.at) + slack;
        if (sent.heardAt === undefined) this.#charging.refute(dimension, sent.need, most);
        if (sent.isClear && last && sent.heardAt === undefined && reading.limit === bucket.limit) {
          const gone = bucket.filled(last.remaining, now - last.at) - remaining;
          const unsure = dimension === 'output' || dimension === 'tokens' ? this.#running(call) : 0;
          sent.seen.set(dimension, { gone, written: last.written, slack: slack + unsure });
        }
        bucket.read(reading, this.#unsure(dimension, bucket, sent), now, this.#share);
      } else if (!bucket) this.#buckets.set(dimension, new Bucket(reading, now));
      this.#last.set(dimension, { remaining, at: now, written: 0 });
    }
    if (sent) sent.heardAt ??= now;
  }

  /** A call that was taken has ended; `used` where that is known. Nothing for one that is not (or no more) on its way. */
  leave(call: string, verdict: Verdict, used: Used | undefined, now: number): void {
    const sent = this.#sent.get(call);
    if (!sent) return;
    this.#sent.delete(call);
    if (used) this.#learn(sent, used);
    const isRefused = typeof verdict === 'object';
    const actual = used && { ...used, bound: Math.max(sent.need.bound, used.output) };
    for (const [dimension, charge] of sent.charges) {
      const really = isRefused ? FREE : actual ? this.#charging.chargeOf(dimension, actual) : charge;
      this.#settle(dimension, charge, charge.now - really.now, now);
      this.#drew(sent, dimension, really);
      if (really.later > 0) this.#write(dimension, really.later, sent.heardAt, now);
    }
    if (typeof verdict === 'object' && verdict.streams !== undefined) this.#narrow(sent, verdict, now);
    else if (typeof verdict === 'object') this.#refuse(sent, verdict, now);
    else if (verdict === 'served') this.#served(now);
  }

  /** It was never sent. */
  giveUp(call: string, now: number): void {
    const sent = this.#sent.get(call);
    if (!sent) return;
    this.#sent.delete(call);
    for (const [dimension, charge] of sent.charges) {
      this.#settle(dimension, charge, charge.now, now);
      this.#drew(sent, dimension, FREE);
    }
  }

  #drew({ nice, charges }: Sent, dimension: Dimension, really: Charge): void {
    const took = charges.get(dimension);
    if (nice === undefined || !took) return;
    this.#kept.settle(nice, dimension, took.now + took.later, really.now + really.later, took.drawn);
  }

  #settle(dimension: Dimension, { later, readings }: Taken, back: number, now: number): void {
    this.#later.set(dimension, (this.#later.get(dimension) ?? 0) - later);
    const bucket = this.#buckets.get(dimension);
    bucket?.give(back, bucket.readings === readings, now, this.#share);
  }

  /** An answer of so many tokens has ended. Some of it is in the provider's last figures, as if it was written evenly. */
  #write(dimension: Dimension, tokens: number, heardAt: number | undefined, now: number): void {
    const bucket = this.#buckets.get(dimension);
    const since = Math.max(heardAt ?? now, this.#last.get(dimension)?.at ?? now);
    const isStreamed = heardAt !== undefined && heardAt < now;
    const rest = isStreamed ? (tokens * (now - since)) / (now - heardAt) : tokens;
    bucket?.give(-rest, isStreamed, now, this.#share);
  }

  /** What other calls that are being answered may have written since the last figures. */
  #running(call: string): number {
    let tokens = 0;
    for (const [other, { need }] of this.#sent) if (other !== call) tokens += need.output;
    return tokens;
  }

  /** What the provider may not have counted in the figures of this call's head. */
  #unsure(dimension: Dimension, bucket: Bucket, { order, charges }: Sent): number {
    const since = bucket.taken - (charges.get(dimension)?.takenBy ?? bucket.taken);
    let unsure = since + (this.#later.get(dimension) ?? 0);
    for (const other of this.#sent.values())
      if (other.heardAt === undefined && other.order < order)
        unsure += other.charges.get(dimension)?.now ?? 0;
    return unsure;
  }

  #learn({ seen, need }: Sent, used: Used): void {
    const actual = { ...used, bound: Math.max(need.bound, used.output) };
    for (const [dimension, { gone, written, slack }] of seen)
      this.#charging.learn(dimension, actual, gone, written, slack);
    for (const last of this.#last.values()) last.written += used.output;
  }

  #served(now: number): void {
    this.#refusals = 0;
    this.#share = Math.min(1, this.#share + LIMITS.shareStep.value / 100);
    this.#caution = Math.max(1, this.#caution - CAUTION / 200);
    if (this.#window === Number.POSITIVE_INFINITY) return;
    if (now - this.#refusedAt > LIMITS.limitForgottenMs.value) {
      this.#window = Number.POSITIVE_INFINITY;
      this.#told = undefined;
    } else if (this.#told === undefined) this.#window += 1 / this.#window;
    else this.#window = Math.min(this.#told, this.#window + 1 / (this.#window * LIMITS.streamsProbe.value));
  }

  /**
   * More calls were on their way than its provider allows at once. The first that was too much saw as many as it allows;
   * however many came back with it, the least that one of them saw is that.
   */
  #narrow({ atOnce }: Sent, { untilMs, streams }: Pushback, now: number): void {
    this.#told = streams ?? this.#told ?? Number.POSITIVE_INFINITY;
    this.#window = Math.max(1, Math.min(this.#window, streams ?? atOnce));
    if (this.#untilMs <= now) this.#refusals++;
    this.#refusedAt = now;
    // With none of ours on its way, somebody else's must end first.
    const { limitLeastPauseMs: least, limitPauseMs, limitMostPauseMs } = LIMITS;
    const backoffMs = Math.min(limitMostPauseMs.value, limitPauseMs.value * 2 ** (this.#refusals - 1));
    const pauseMs = this.#sent.size > 0 ? least.value : backoffMs;
    this.#untilMs = Math.max(this.#untilMs, untilMs ?? 0, now + pauseMs);
  }

  #refuse(sent: Sent, { untilMs }: Pushback, now: number): void {
    // Those that were on their way when the limit was met tell nothing new, but for a later reset.
    const isNews = this.#untilMs <= now;
    const bucketMs = this.#emptyMs(sent, now);
    if (isNews) {
      this.#refusals++;
      if (bucketMs > 0) {
        this.#share = Math.max(LIMITS.leastShare.value / 100, this.#share * 0.7);
        this.#caution = Math.min(LIMITS.mostCaution.value / 100, this.#caution + CAUTION);
      } else this.#window = Math.max(1, Math.floor(Math.min(this.#window, this.#sent.size + 1) / 2));
    }
    this.#refusedAt = now;
    const unsaid = Math.min(
      LIMITS.limitMostPauseMs.value,
      bucketMs > 0 ? bucketMs : LIMITS.limitPauseMs.value * 2 ** (this.#refusals - 1),
    );
    if (isNews || untilMs !== null)
      this.#untilMs = Math.max(
        this.#untilMs,
        untilMs ?? now + unsaid,
        now + (bucketMs > 0 ? 1 : LIMITS.limitLeastPauseMs.value),
      );
  }

  /** Does a bucket explain a refusal, as estimates are wrong, and how long until it has enough? */
  #emptyMs({ need }: Sent, now: number): number {
    let longest = 0;
    for (const [dimension, bucket] of this.#buckets) {
      const charge = this.#charging.chargeOf(dimension, need);
      longest = Math.max(longest, bucket.waitMs(2 * (charge.now + charge.later), now, this.#share));
    }
    return longest;
  }
}

/** What a refusal adds to the caution; each call that is served takes a two-hundredth of it back. */
const CAUTION = 0.02;
const FREE: Charge = { now: 0, later: 0 };

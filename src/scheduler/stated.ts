/**
 * What operators say of an account, whatever the model, since no provider tells it in a header: how many answers may be
 * open at once, and what may be spent in an hour (a bucket that saves up an hour's worth at most, and is full at first).
 * Invariant: what was taken for a call is given back, or settled with what it cost, once. In memory only.
 */
import { Bucket } from './bucket.ts';
import type { Wide } from './meter.ts';

export interface Stated {
  /** Answers that may be open at once. */
  readonly streams?: number;
  readonly nanoUsdPerHour?: number;
}

/** What keeps a call back, and until when; `atMs` is unbounded where only the end of another call can tell. */
export type StatedObstacle =
  | {
      readonly kind: 'open';
      readonly atMs: number;
      readonly account: string;
      readonly open: number;
      readonly most: number;
    }
  | {
      readonly kind: 'money';
      readonly atMs: number;
      readonly account: string;
      /** Nano-dollars. */
      readonly perHour: number;
      readonly left: number;
      readonly need: number;
    };

interface Account {
  readonly streams: number;
  readonly perHour: number;
  readonly money: Bucket | undefined;
  open: number;
}

const HOUR_MS = 3_600_000;
/** All that comes in is ours: nobody else is known of. */
const SHARE = 1;

export class StatedLimits {
  #accounts: ReadonlyMap<string, Account> = new Map();
  readonly #taken = new Map<string, { readonly accounts: readonly Account[]; readonly nanoUsd: number }>();

  /** From now on. What an account that stays has taken stays taken, and its money too where the amount is the same. */
  set(stated: ReadonlyMap<string, Stated>, now: number): void {
    const before = this.#accounts;
    this.#accounts = new Map(
      [...stated].map(([id, { streams = Number.POSITIVE_INFINITY, nanoUsdPerHour }]) => {
        const old = before.get(id);
        const perHour = nanoUsdPerHour ?? 0;
        const money = old?.perHour === perHour ? old.money : newMoney(nanoUsdPerHour, now);
        const account: Account = { streams, perHour, money, open: 0 };
        if (old) this.#follow(old, account);
        return [id, account];
      }),
    );
  }

  /** Those of these accounts that something is said of. */
  among(accounts: readonly string[]): string[] {
    return accounts.filter((id) => this.#accounts.has(id));
  }

  get isAny(): boolean {
    return this.#accounts.size > 0;
  }

  /** Of several, what takes longest; undefined: nothing. */
  obstacle({ accounts, nanoUsd }: Wide, now: number): StatedObstacle | undefined {
    let found: StatedObstacle | undefined;
    for (const account of accounts) {
      const known = this.#accounts.get(account);
      if (!known) continue;
      const { open, streams: most, money, perHour } = known;
      if (open >= most) return { kind: 'open', atMs: Number.POSITIVE_INFINITY, account, open, most };
      const waitMs = money?.waitMs(nanoUsd, now, SHARE) ?? 0;
      if (waitMs === 0 || !money || (found && found.atMs >= now + waitMs)) continue;
      const left = Math.max(0, money.level(now, SHARE));
      found = { kind: 'money', atMs: now + waitMs, account, perHour, left, need: nanoUsd };
    }
    return found;
  }

  /** Takes what the call needs, whether it is there or not. */
  take(call: string, { accounts: names, nanoUsd }: Wide, now: number): void {
    const accounts = names.flatMap((name) => this.#accounts.get(name) ?? []);
    this.#taken.set(call, { accounts, nanoUsd });
    for (const account of accounts) {
      account.open++;
      account.money?.take(nanoUsd, now, SHARE);
    }
  }

  /** The call has ended and cost so much; undefined: what was expected. Nothing for one that is not (or no more) open. */
  settle(call: string, nanoUsd: number | undefined, now: number): void {
    const taken = this.#taken.get(call);
    if (!taken) return;
    this.#taken.delete(call);
    const back = taken.nanoUsd - (nanoUsd ?? taken.nanoUsd);
    for (const account of taken.accounts) {
      account.open--;
      account.money?.give(back, true, now, SHARE);
    }
  }

  /** As they stand, for people. */
  *list(now: number): Iterable<{ account: string; of: 'streams' | 'usd'; most: number; left: number }> {
    for (const [account, { streams, open, money, perHour }] of this.#accounts) {
      if (Number.isFinite(streams))
        yield { account, of: 'streams', most: streams, left: Math.max(0, streams - open) };
      if (money) yield { account, of: 'usd', most: perHour, left: Math.max(0, money.level(now, SHARE)) };
    }
  }

  /** The calls of an account count for it as it is now. */
  #follow(old: Account, account: Account): void {
    for (const [call, { accounts, nanoUsd }] of this.#taken) {
      if (!accounts.includes(old)) continue;
      account.open++;
      this.#taken.set(call, { accounts: accounts.map((one) => (one === old ? account : one)), nanoUsd });
    }
  }
}

const newMoney = (perHour: number | undefined, now: number): Bucket | undefined =>
  perHour === undefined
    ? undefined
    : new Bucket({ limit: perHour, remaining: perHour, slack: 0 }, now, HOUR_MS);

/**
 * The keys mezz issues: what a caller shows to be somebody. The secret is shown once; only its SHA-256 is kept, which
 * is enough for a secret of 256 random bits.
 */
import type { KeyView } from '../base/control.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { newKeyId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { KEY, type KeyRow } from '../db/schema/access.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

export type { KeyRow };

type Puts = NonNullable<Batch['puts']>;

const SECRET = /^mezz_[A-Za-z0-9_-]{43}$/;

/** Has this text the form of a mezz key? Says nothing about whether it is one. */
export const isSecret = (text: string) => SECRET.test(text);

export class Keys {
  readonly #byId = new Map<string, KeyRow>();
  readonly #byHash = new Map<string, KeyRow>();
  /** When keys were last used since `takeUsed`: a use costs no write of its own. */
  readonly #used = new Map<string, number>();

  static async open(store: Store): Promise<Keys> {
    const keys = new Keys();
    const limit = LIMITS.page.value;
    for (let from = ''; ; ) {
      const rows = await store.range(KEY, { from, limit });
      for (const row of rows) keys.#keep(row);
      if (rows.length < limit) return keys;
      from = `${(rows.at(-1) as KeyRow).id} `;
    }
  }

  /** A new key and its secret, `mezz_` and 43 base64url digits. The caller commits `puts` before showing it. */
  create(
    spec: { readonly name: string; readonly owner: string; readonly pid: number | null },
    random: Random,
    now: number,
  ): { key: KeyRow; secret: string; puts: Puts } {
    const secret = `mezz_${Buffer.from(random.bytes(32)).toString('base64url')}`;
    const key: KeyRow = {
      id: newKeyId(now, random),
      name: spec.name,
      owner: spec.owner,
      pid: spec.pid,
      hash: sha256Hex(secret),
      createdAt: now,
      lastUsedAt: null,
      revokedAt: null,
    };
    this.#keep(key);
    return { key, secret, puts: [{ table: KEY, row: key }] };
  }

  /** Whose secret this is; nobody's when it was revoked. Looking up a hash leaks no secret through time. */
  identify(secret: string, now: number): KeyRow | undefined {
    const key = isSecret(secret) ? this.#byHash.get(sha256Hex(secret)) : undefined;
    if (key) this.#used.set(key.id, now);
    return key;
  }

  /** The rows of keys used since this was asked last, for a batch that is written anyway or now and then. */
  takeUsed(): { puts: Puts } {
    const puts = [...this.#used].map(([id, lastUsedAt]) => {
      const row = { ...(this.#byId.get(id) as KeyRow), lastUsedAt };
      this.#keep(row);
      return { table: KEY, row };
    });
    this.#used.clear();
    return { puts };
  }

  /** Calls that came before their key was revoked must not start after it. */
  isRevoked(id: string): boolean {
    const key = this.#byId.get(id);
    return key !== undefined && key.revokedAt !== null;
  }

  /** By id, by name among the keys in force, or by a prefix of an id that only one has. */
  revoke(idOrPrefixOrName: string, now: number): { key: KeyRow; puts: Puts } | Refusal {
    const found = this.#find(idOrPrefixOrName);
    if (found.length !== 1) {
      const many = found.length > 1;
      return refusal(
        many ? 'bad_request' : 'not_found',
        many
          ? `${found.length} keys match ${idOrPrefixOrName}.`
          : `No key in force matches ${idOrPrefixOrName}.`,
        { remedy: 'mezz key ls shows their ids' },
      );
    }
    const put = this.#revoke(found[0] as KeyRow, now);
    return { key: put.row, puts: [put] };
  }

  /** Revokes every key that belongs to one agent. */
  revokeAgent(pid: number, now: number): { keys: KeyRow[]; puts: Puts } {
    const puts = this.#inForce()
      .filter((key) => key.pid === pid)
      .map((key) => this.#revoke(key, now));
    return { keys: puts.map(({ row }) => row), puts };
  }

  list(): KeyView[] {
    return [...this.#byId.values()].map(({ id, name, owner, pid, createdAt, lastUsedAt, revokedAt }) => ({
      id,
      name,
      owner,
      agent: pid,
      createdAt,
      lastUsedAt: this.#used.get(id) ?? lastUsedAt,
      revoked: revokedAt !== null,
    }));
  }

  #inForce(): KeyRow[] {
    return [...this.#byId.values()].filter(({ revokedAt }) => revokedAt === null);
  }

  #find(text: string): KeyRow[] {
    const keys = this.#inForce();
    const exact = keys.filter(({ id }) => id === text);
    if (exact.length > 0 || text === '') return exact;
    const named = keys.filter(({ name }) => name === text);
    return named.length > 0 ? named : keys.filter(({ id }) => id.startsWith(text));
  }

  #revoke(key: KeyRow, now: number): { table: typeof KEY; row: KeyRow } {
    const row = { ...key, revokedAt: now };
    this.#keep(row);
    return { table: KEY, row };
  }

  #keep(key: KeyRow): void {
    this.#byId.set(key.id, key);
    if (key.revokedAt === null) this.#byHash.set(key.hash, key);
    else this.#byHash.delete(key.hash);
  }
}

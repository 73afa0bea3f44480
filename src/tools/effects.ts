/**
 * tools/ owns what tool calls touch: effects, keys, locks and versions. Invariant: two calls whose effects conflict never
 * hold their locks at once, and a write that would undo what its agent never saw is refused. It must not know who may
 * call a tool, what carries the call, or the machine: files are seen through a port.
 */
import type { Access } from '../base/manifest.ts';
import type { ProcessNames } from '../base/ports.ts';

/** What a command throws away that no commit holds: changes of tracked files, files git does not know, or both. */
export type Discards = 'tracked' | 'untracked' | 'all';

export const isDiscarded = (tracked: boolean, discards: Discards): boolean =>
  discards === 'all' || tracked === (discards === 'tracked');

/** One key that a call touches. Keys are canonical and hierarchical: `file:/a` covers `file:/a/b`. */
export interface Effect {
  readonly key: string;
  readonly access: Access;
  /** The file whose content tells the version of the key; absent where there is none to look at. */
  readonly path?: string;
  /** Nobody said so: a command that mezz cannot read may write anywhere below the key. Readers do not wait for it. */
  readonly guessed?: true;
  readonly discards?: Discards;
}

/** What a manifest or the reader of shell commands says, before paths are resolved. */
export type Touch =
  | { readonly on: 'file'; readonly path: string; readonly access: Access; readonly discards?: Discards }
  /** The checkout that the directory is in, or the directory where it is in none. */
  | {
      readonly on: 'tree';
      readonly dir: string;
      readonly access: Access;
      readonly discards?: Discards;
      readonly guessed?: true;
    }
  | { readonly on: 'git'; readonly dir: string; readonly part: GitPart; readonly access: Access }
  | { readonly on: 'port'; readonly port: number }
  /** The ports of whatever these processes serve. */
  | { readonly on: 'processes'; readonly of: ProcessNames }
  | { readonly on: 'package'; readonly dir: string }
  | { readonly on: 'url'; readonly url: string; readonly access: Access }
  /** A tool server, or the part of it that is named. */
  | { readonly on: 'server'; readonly name: string; readonly access: Access; readonly guessed?: true };

/** `head`: which branch is checked out; `tip`: the commit it is at; `refs`: what all worktrees share; `stash`: they share it, too. */
export type GitPart = 'index' | 'head' | 'tip' | 'refs' | 'stash';

const STRENGTH: { readonly [A in Access]: number } = {
  read: 0,
  append: 1,
  external: 2,
  delta: 3,
  replace: 4,
};

export const isWrite = ({ access }: Effect): boolean => access !== 'read';

/** One effect a key: the strongest, and what any of them discards. A guess gives way to what is known. */
export function mergeEffects(effects: readonly Effect[]): Effect[] {
  const byKey = new Map<string, Effect>();
  for (const effect of effects) {
    const old = byKey.get(effect.key);
    if (!old) byKey.set(effect.key, effect);
    else byKey.set(effect.key, strongest(old, effect));
  }
  return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function strongest(a: Effect, b: Effect): Effect {
  const known = a.guessed === b.guessed ? undefined : a.guessed ? b : a;
  if (known && isWrite(known)) return known;
  const first = STRENGTH[a.access] >= STRENGTH[b.access] ? a : b;
  const other = first === a ? b : a;
  return first.discards || !other.discards ? first : { ...first, discards: other.discards };
}

/** Equal, or one is the other's parent. */
export function overlaps(a: string, b: string): boolean {
  if (a.length === b.length) return a === b;
  const short = a.length < b.length ? a : b;
  const long = short === a ? b : a;
  // Asked for each pair of calls that wait: nothing is made for it.
  return (long[short.length] === '/' || short.endsWith('/')) && long.startsWith(short);
}

/** May not run at once. */
export function conflict(a: Effect, b: Effect): boolean {
  if (!isWrite(a) && !isWrite(b)) return false;
  // What adds something, here or elsewhere, may be done in any order with its like.
  if (a.access === b.access && (a.access === 'append' || a.access === 'external')) return false;
  if ((a.guessed && !isWrite(b)) || (b.guessed && !isWrite(a))) return false;
  return overlaps(a.key, b.key);
}

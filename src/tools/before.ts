/** What files hold before a call changes them, within bounds: so that it can be shown, and put back. */
import { sha256Hex } from '../base/hash.ts';
import type { Workspace } from '../base/ports.ts';
import { type Effect, isDiscarded, isWrite } from './effects.ts';
import { LIMITS } from './limits.ts';
import type { Versions } from './versions.ts';

export interface Before {
  readonly path: string;
  /** SHA-256, hex; '' where there is no file. */
  readonly hash: string;
  /** undefined where there is no file, and where it is larger than what is kept. */
  readonly bytes: Uint8Array | undefined;
  /** undefined where there is no file. */
  readonly mode: number | undefined;
}

/**
 * Of the files that the call names, of those in a directory that it names, of those below a tree that it may write which
 * agents have touched, and of what it throws away that no commit has, whoever wrote that.
 */
export async function readBefore(
  effects: readonly Effect[],
  versions: Versions,
  workspace: Workspace,
): Promise<Before[]> {
  const paths = new Set<string>();
  const named = new Set<string>();
  for (const effect of effects) {
    if (!isWrite(effect) || !effect.key.startsWith('file:')) continue;
    if (effect.path !== undefined) named.add(effect.path);
    for (const key of versions.below(effect.key)) paths.add(key.slice('file:'.length));
    for (const path of await filesIn(effect, workspace)) paths.add(path);
  }
  const kept: Before[] = [];
  let room: number = LIMITS.beforeBytesPerCall.value;
  for (const path of [...named.union(paths)].slice(0, LIMITS.beforeFiles.value)) {
    const content = await workspace.content(path, Math.min(room, LIMITS.beforeBytes.value));
    if (content === 'other') {
      // That it was changed is known all the same.
      const known = named.has(path) ? versions.digest(`file:${path}`) : undefined;
      if (known) kept.push({ path, hash: known.hash, bytes: undefined, mode: undefined });
      continue;
    }
    const { bytes, mode } = content ?? {};
    room -= bytes?.length ?? 0;
    kept.push({ path, hash: bytes ? sha256Hex(bytes) : '', bytes, mode });
  }
  return kept;
}

async function filesIn({ key, path, discards }: Effect, workspace: Workspace): Promise<readonly string[]> {
  const place = key.slice('file:'.length);
  const named = path === undefined ? undefined : await workspace.below(path, LIMITS.beforeFiles.value);
  if (named || !discards) return named ?? [];
  const root = (await workspace.checkout(place))?.root ?? place;
  const dirty = (await workspace.uncommitted(root)).filter(({ tracked }) => isDiscarded(tracked, discards));
  return dirty.map((one) => one.path).filter((one) => one === place || one.startsWith(`${place}/`));
}

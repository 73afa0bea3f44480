/**
 * What can be taken back of what calls changed: a plan, made from rows and from what files hold now. Invariant: nothing is
 * planned that would take back what somebody else has done since; where that cannot be known, it is not planned.
 */
import type { ChangeRow } from '../db/schema/tools.ts';
import { overlaps } from './effects.ts';

export interface Step {
  readonly row: ChangeRow;
  /** Why it is left as it is; absent: it is taken back. */
  readonly skip?: string;
}

export interface World {
  /** What a file holds now: SHA-256, hex; '' where there is none. */
  hashOf(path: string): Promise<string>;
  isKept(row: ChangeRow): Promise<boolean>;
  /** Does `since` end before now? */
  readonly isCut: boolean;
  /** Who made a call by what, in words. */
  tell(row: ChangeRow): Promise<string>;
}

export const pathOf = ({ key }: Pick<ChangeRow, 'key'>): string => key.slice('file:'.length);

/**
 * The newest first. `since`: every change of anybody after the oldest of `mine`. What stands at a file is followed from
 * step to step, so that a plan says what would happen without doing it.
 */
export async function planUndo(
  mine: readonly ChangeRow[],
  since: readonly ChangeRow[],
  world: World,
): Promise<Step[]> {
  const own = new Set(mine.map(({ call }) => call));
  const others = since.filter(({ call, undoneBy }) => !own.has(call) && undoneBy === null);
  const now = new Map<string, string>();
  const left = new Set<string>();
  const steps: Step[] = [];
  for (const row of [...mine].sort(newestFirst)) {
    // In the same millisecond counts as since.
    const later = others.findLast((one) => one.at >= row.at && overlaps(one.key, row.key));
    const skip = await (row.kind === 'file'
      ? fileSkip(row, later, { now, left }, world)
      : callSkip(row, later, world));
    steps.push(skip === undefined ? { row } : { row, skip });
    if (row.kind !== 'file' || row.undoneBy !== null) continue;
    if (skip === undefined) now.set(row.key, row.before);
    else left.add(row.key);
  }
  return steps;
}

/** Within one millisecond, what one call left is what the next found. */
function newestFirst(a: ChangeRow, b: ChangeRow): number {
  if (a.at !== b.at) return b.at - a.at;
  if (a.key === b.key && a.after !== b.after) return a.after === b.before ? 1 : -1;
  return a.call < b.call ? 1 : -1;
}

async function fileSkip(
  row: ChangeRow,
  later: ChangeRow | undefined,
  known: { readonly now: Map<string, string>; readonly left: ReadonlySet<string> },
  world: World,
): Promise<string | undefined> {
  if (row.undoneBy !== null) return `taken back already, by call ${row.undoneBy}`;
  if (row.after === null) return 'its end was never told, so what it left is not known';
  const now = known.now.get(row.key) ?? (await world.hashOf(pathOf(row)));
  known.now.set(row.key, now);
  if (now === row.before) return 'it is as it was before';
  // Also where it holds the same again: whoever put it there meant it.
  if (later) return `${await world.tell(later)} has changed it since`;
  if (now !== row.after)
    return known.left.has(row.key)
      ? 'what it did to it later is left'
      : 'somebody round mezz has changed it since';
  return (await world.isKept(row)) ? undefined : 'what it held before is not kept';
}

async function callSkip(
  row: ChangeRow,
  later: ChangeRow | undefined,
  world: World,
): Promise<string | undefined> {
  if (row.undoneBy !== null) return `taken back already, by call ${row.undoneBy}`;
  if (row.kind === 'none') return 'no call is known that takes it back';
  if (later) return `${await world.tell(later)} has changed it since`;
  return world.isCut ? 'more was changed since than is looked at' : undefined;
}

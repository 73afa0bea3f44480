/** Re-computes the tamper structure of a log from its entries and names what does not agree. */

import { isRecord, parseJson } from '../base/json.ts';
import { TILE } from '../db/schema/journal.ts';
import type { EntryRow, Store } from '../db/store.ts';
import { leafOf } from './journal.ts';
import { LIMITS } from './limits.ts';
import { EMPTY_ROOT, type MerkleTree, type Tile } from './merkle.ts';
import { firstSeq, treeAt } from './tree.ts';

export interface AuditFinding {
  readonly code: 'gap' | 'leaf' | 'tile' | 'checkpoint' | 'truncated' | 'prune';
  /** The entry concerned: for a gap or a cut the seq that is missing, for a tile the last entry under it. */
  readonly seq: number;
  readonly detail: string;
}

export interface AuditReport {
  readonly size: number;
  /** Entries that retention took from the front: their leaves are still in the tiles, their text is gone. */
  readonly pruned: number;
  readonly root: Buffer;
  readonly findings: readonly AuditFinding[];
}

/**
 * Reads log 0 in pages. `known` is a checkpoint kept outside the store: without one, entries cut off the end
 * together with the checkpoints behind them cannot be missed. Stops at the first gap: what follows cannot be judged.
 */
export async function verifyAudit(
  store: Store,
  options: { readonly known?: { size: number; root: string }; progress?(entries: number): void } = {},
): Promise<AuditReport> {
  const pruned = await firstSeq(store);
  const tree = await treeAt(store, pruned);
  if (!tree) {
    const detail = 'the tiles that prove the pruned entries are missing';
    return { size: 0, pruned, root: EMPTY_ROOT, findings: [{ code: 'tile', seq: pruned, detail }] };
  }
  const findings: AuditFinding[] = [];
  const limit = LIMITS.page.value;
  const { known } = options;
  const front = tree.root().toString('hex');
  let said = pruned === 0;
  if (
    known &&
    known.size <= pruned &&
    (await treeAt(store, known.size))?.root().toString('hex') !== known.root
  )
    findings.push({ code: 'checkpoint', seq: known.size, detail: 'differs from the known checkpoint' });
  for (let more = true; more; ) {
    const rows = await store.entries({ log: 0, fromSeq: tree.size, limit });
    more = rows.length === limit;
    for (const row of rows) {
      if (row.seq !== tree.size) {
        findings.push({ code: 'gap', seq: tree.size, detail: `the next entry is ${row.seq}` });
        return { size: tree.size, pruned, root: tree.root(), findings };
      }
      findings.push(...checkEntry(row, tree));
      said ||= saysPruned(row, pruned, front);
      for (const tile of tree.append(leafOf(row))) findings.push(...(await checkTile(store, tile, row.seq)));
      if (known?.size === tree.size && known.root !== tree.root().toString('hex')) {
        findings.push({ code: 'checkpoint', seq: row.seq, detail: 'differs from the known checkpoint' });
      }
    }
    options.progress?.(tree.size);
  }
  if (known && known.size > tree.size) {
    findings.push({ code: 'truncated', seq: tree.size, detail: `${known.size} entries were there` });
  }
  if (!said)
    findings.push({
      code: 'prune',
      seq: pruned,
      detail: 'the entries before it are gone, and no entry says so',
    });
  return { size: tree.size, pruned, root: tree.root(), findings };
}

/** Is this the entry of the prune that made this front, and are the tiles below still what they were then? */
function saysPruned(row: EntryRow, before: number, root: string): boolean {
  if (row.kind !== 'prune') return false;
  const body = parseJson(row.body);
  return isRecord(body) && body.before === before && body.root === root;
}

function checkEntry(row: EntryRow, before: MerkleTree): AuditFinding[] {
  if (!leafOf(row).equals(row.leaf)) {
    return [{ code: 'leaf', seq: row.seq, detail: 'the entry is not what its leaf was made of' }];
  }
  if (row.kind !== 'checkpoint') return [];
  const body = parseJson(row.body);
  const sound = isRecord(body) && body.size === before.size && body.root === before.root().toString('hex');
  return sound ? [] : [{ code: 'checkpoint', seq: row.seq, detail: 'the entries before it have changed' }];
}

async function checkTile(store: Store, tile: Tile, seq: number): Promise<AuditFinding[]> {
  const row = await store.get(TILE, [0, tile.level, tile.index]);
  if (row && Buffer.compare(row.hashes, tile.hashes) === 0) return [];
  return [
    { code: 'tile', seq, detail: `tile ${tile.level}/${tile.index} is ${row ? 'changed' : 'missing'}` },
  ];
}

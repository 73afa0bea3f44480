/**
 * The parts of results that were too large to be shown whole. Invariant: a part is read by the agent whose call it was,
 * and by no other; where bodies are not stored it is kept in memory, and the oldest makes room.
 */
import { sha256Hex } from '../base/hash.ts';
import { RESULT } from '../db/schema/tools.ts';
import type { Batch, BlobRow, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import type { Part } from './shorten.ts';

/** Whose call it was. */
export interface Maker {
  readonly call: string;
  readonly agent: number;
  readonly owner: string;
}

interface Held extends Maker, Part {}

export interface Kept {
  readonly puts: NonNullable<Batch['puts']>;
  readonly blobs: readonly BlobRow[];
}

export class Results {
  readonly #store: Store;
  /** The oldest first. */
  readonly #held = new Map<string, Held>();
  #heldBytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The rows and contents of an END. */
  keep({ call, agent, owner }: Maker, parts: readonly Part[], at: number): Kept {
    const rows = parts.map(({ key, mime, bytes }) => ({
      ...{ call, key, agent, owner, mime, at },
      hash: sha256Hex(bytes),
    }));
    return {
      puts: rows.map((row) => ({ table: RESULT, row })),
      blobs: parts.map(({ bytes }, n) => ({ owner, at, bytes, hash: rows[n]?.hash ?? '' })),
    };
  }

  hold(maker: Maker, parts: readonly Part[]): void {
    for (const part of parts) {
      this.#held.set(`${maker.call}/${part.key}`, { ...maker, ...part });
      this.#heldBytes += part.bytes.length;
    }
    for (const [id, { bytes }] of this.#held) {
      if (this.#heldBytes <= LIMITS.heldResultBytes.value) return;
      this.#held.delete(id);
      this.#heldBytes -= bytes.length;
    }
  }

  /** A part of a result that this agent got; undefined where there is none, or it is not kept any more. */
  async read(agent: number, id: string): Promise<Pick<Part, 'mime' | 'bytes'> | undefined> {
    const held = this.#held.get(id);
    if (held) return held.agent === agent ? held : undefined;
    const [call = '', key = ''] = id.split('/');
    const row = await this.#store.get(RESULT, [call, key]);
    if (row?.agent !== agent) return undefined;
    const bytes = await this.#store.blob(row.owner, row.hash);
    return bytes && { mime: row.mime, bytes };
  }

  /** What is held of agents whose records are erased. */
  erase(agents: ReadonlySet<number>): void {
    for (const [id, { agent, bytes }] of this.#held) {
      if (!agents.has(agent)) continue;
      this.#held.delete(id);
      this.#heldBytes -= bytes.length;
    }
  }
}

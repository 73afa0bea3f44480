/**
 * Bodies of requests, stored once: a message is a row named by its exact chain id and a blob; the system prompt, the
 * tools and the envelope around them are blobs of their own. Only what is new is written, and the exact bytes of a
 * request can be put together again.
 */
import { assert } from '../base/assert.ts';
import { sha256Hex } from '../base/hash.ts';
import type { Range, RequestFacts } from '../base/model.ts';
import { Recent } from '../base/recent.ts';
import { MESSAGE, type MessageRow, REQUEST, type RequestRow } from '../db/schema/journal.ts';
import type { Batch, BlobRow, Store } from '../db/store.ts';
import { type ChainLink, ChainReader } from './chain.ts';
import { LIMITS } from './limits.ts';
import { cutMarks, insertMarks, type Mark } from './marks.ts';

export interface StoredRequest {
  readonly links: readonly ChainLink[];
  readonly puts: NonNullable<Batch['puts']>;
  readonly blobs: readonly BlobRow[];
}

interface Part {
  readonly kind: 'blob' | 'messages';
  /** Where in the envelope it goes. */
  readonly at: number;
  readonly hash?: string;
  readonly count?: number;
  /** The bytes between two messages, where they are the same everywhere. */
  readonly between?: string;
  readonly gaps?: readonly string[];
}

type Owners = readonly string[];
const KNOWN = LIMITS.knownMessages.value;

export class ContextStore {
  readonly #readers = new Map<string, ChainReader>();
  /** Whose they are: stored messages by their exact id, blobs by their hash. */
  readonly #known = { m: new Recent<string, Owners>(KNOWN), b: new Recent<string, Owners>(KNOWN) };

  /** Chain ids of a request. Costs one hash per message; only new messages are parsed. */
  links(
    dialect: string,
    canonical: (bytes: Uint8Array) => string,
    body: Uint8Array,
    facts: RequestFacts,
  ): ChainLink[] {
    let reader = this.#readers.get(dialect);
    if (!reader) {
      reader = new ChainReader(canonical);
      this.#readers.set(dialect, reader);
    }
    return reader.read(body, facts.messages);
  }

  /** What must be written so that this request can be rebuilt later. */
  store(
    request: Pick<RequestRow, 'call' | 'owner' | 'asked'>,
    body: Uint8Array,
    facts: RequestFacts,
    links: readonly ChainLink[],
    at: number,
  ): StoredRequest {
    const { owner } = request;
    const puts: { table: typeof MESSAGE | typeof REQUEST; row: MessageRow | RequestRow }[] = [];
    const blobs: BlobRow[] = [];
    const keep = (bytes: Uint8Array, hash = sha256Hex(bytes)): string => {
      if (this.#remember(owner, 'b', hash)) blobs.push({ owner, hash, at, bytes });
      return hash;
    };
    // A stored message's id holds all before it, and they were stored with it or earlier.
    const stored = links.findLastIndex((link) => this.knows(owner, 'm', link.exact));
    for (let i = stored + 1; i < links.length; i++) {
      const link = links[i] as ChainLink;
      this.#remember(owner, 'm', link.exact);
      const range = facts.messages[i];
      assert(range, 'one link per message');
      const bytes = body.subarray(range.start, range.end);
      const cut = cutMarks(bytes);
      const blob = cut ? keep(cut.bytes) : keep(bytes, link.blob);
      const prev = links[i - 1]?.exact ?? '';
      const marks = cut ? JSON.stringify(cut.marks) : null;
      puts.push({
        table: MESSAGE,
        row: { owner, id: link.exact, prev, canon: link.canonical, blob, at, marks },
      });
    }
    const { envelope, parts } = takeApart(body, facts, keep);
    const { call, asked } = request;
    const head = links.at(-1)?.exact ?? '';
    const row = { call, owner, head, envelope: keep(envelope), parts: JSON.stringify(parts), asked };
    puts.push({ table: REQUEST, row });
    return { links, puts: puts as unknown as NonNullable<Batch['puts']>, blobs };
  }

  /** The same for a body that is no conversation: it is one blob. */
  storeWhole(
    request: Pick<RequestRow, 'call' | 'owner' | 'asked'>,
    { hash, bytes }: Pick<BlobRow, 'hash' | 'bytes'>,
    at: number,
  ): Omit<StoredRequest, 'links'> {
    const { call, owner, asked } = request;
    const row: RequestRow = { call, owner, head: '', envelope: hash, parts: '[]', asked };
    return {
      puts: [{ table: REQUEST, row }],
      blobs: this.#remember(owner, 'b', hash) ? [{ owner, hash, at, bytes }] : [],
    };
  }

  /** Bytes beside the requests, named by their hash: nothing where they are stored. */
  keepBlob(blob: BlobRow): readonly BlobRow[] {
    return this.#remember(blob.owner, 'b', blob.hash) ? [blob] : [];
  }

  /** Something stored may be gone: whatever comes is handed to the store again, which keeps what it has. */
  forgetKnown(): void {
    this.#known.m.clear();
    this.#known.b.clear();
  }

  /** Was this blob (`b`) or message (`m`) used by a call since what is known was last forgotten? */
  knows(owner: string, kind: 'b' | 'm', id: string): boolean {
    return this.#known[kind].get(id)?.includes(owner) === true;
  }

  /** true if it was not known. */
  #remember(owner: string, kind: 'b' | 'm', id: string): boolean {
    const owners = this.#known[kind].get(id) ?? [];
    if (owners.includes(owner)) return false;
    this.#known[kind].set(id, [...owners, owner]);
    return true;
  }
}

function takeApart(
  body: Uint8Array,
  facts: RequestFacts,
  keep: (bytes: Uint8Array, hash?: string) => string,
) {
  const first = facts.messages[0];
  const last = facts.messages.at(-1);
  const cuts: { start: number; end: number; part: Omit<Part, 'at'> }[] = [];
  const system: RequestFacts['tools'] = facts.system && behindFirstBlock(body, facts.system);
  for (const range of [system, facts.tools]) {
    if (!range) continue;
    const { start, end } = range;
    cuts.push({ start, end, part: { kind: 'blob', hash: keep(body.subarray(start, end), range.hash) } });
  }
  if (first && last)
    cuts.push({
      start: first.start,
      end: last.end,
      part: { kind: 'messages', count: facts.messages.length, ...gapsOf(body, facts) },
    });
  cuts.sort((a, b) => a.start - b.start);
  const pieces: Uint8Array[] = [];
  const parts: Part[] = [];
  let from = 0;
  let length = 0;
  for (const cut of cuts) {
    pieces.push(body.subarray(from, cut.start));
    length += cut.start - from;
    parts.push({ ...cut.part, at: length });
    from = cut.end;
  }
  pieces.push(body.subarray(from));
  return { envelope: Buffer.concat(pieces), parts };
}

/** Claude Code's first system block is short and changes with every request: it stays in the envelope. */
function behindFirstBlock(body: Uint8Array, system: Range): Range {
  const start = Buffer.from(body.buffer, body.byteOffset, system.end).indexOf('},{', system.start);
  const isShort = start !== -1 && start - system.start < LIMITS.firstBlockBytes.value;
  return isShort ? { start: start + 2, end: system.end } : system;
}

function gapsOf(body: Uint8Array, facts: RequestFacts): Pick<Part, 'between' | 'gaps'> {
  const gaps: string[] = [];
  for (let i = 1; i < facts.messages.length; i++) {
    const from = facts.messages[i - 1]?.end as number;
    const to = facts.messages[i]?.start as number;
    // Nearly always one comma.
    const comma = to - from === 1 && body[from] === COMMA;
    gaps.push(comma ? ',' : Buffer.from(body.subarray(from, to)).toString('latin1'));
  }
  return gaps.every((gap) => gap === gaps[0]) ? { between: gaps[0] ?? '' } : { gaps };
}

const COMMA = 0x2c;

/** The exact bytes of a stored request, or undefined when part of it is gone (retention, erasure). */
export async function rebuildRequest(store: Store, call: string): Promise<Buffer | undefined> {
  const row = await store.get(REQUEST, [call]);
  const envelope = row && (await store.blob(row.owner, row.envelope));
  if (!row || !envelope) return undefined;
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const part of JSON.parse(row.parts) as Part[]) {
    pieces.push(envelope.subarray(from, part.at));
    from = part.at;
    const bytes =
      part.kind === 'blob'
        ? await store.blob(row.owner, part.hash ?? '')
        : await messagesBytes(store, row, part);
    if (!bytes) return undefined;
    pieces.push(bytes);
  }
  pieces.push(envelope.subarray(from));
  return Buffer.concat(pieces);
}

async function messagesBytes(store: Store, row: RequestRow, part: Part): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let id = row.head;
  for (let i = (part.count ?? 0) - 1; i >= 0; i--) {
    const message = await store.get(MESSAGE, [row.owner, id]);
    const bytes = message && (await store.blob(row.owner, message.blob));
    if (!message || !bytes) return undefined;
    const marks = message.marks === null ? [] : (JSON.parse(message.marks) as Mark[]);
    pieces.unshift(insertMarks(bytes, marks));
    if (i > 0) pieces.unshift(Buffer.from(part.between ?? part.gaps?.[i - 1] ?? '', 'latin1'));
    id = message.prev;
  }
  return Buffer.concat(pieces);
}

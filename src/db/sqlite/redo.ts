/**
 * The records of the redo log: one a batch, in one file of fixed size whose halves are filled in turn. A record is valid
 * when its checksum is right, its epoch is the one that the database names and its number follows; the first that is not
 * ends the log. What lies behind it was never acknowledged, or is older and long in the database.
 */
import { crc32 } from 'node:zlib';
import { LIMITS } from '../limits.ts';

export const REDO = 'mezz.redo';
export const HALF_BYTES = LIMITS.redoHalfBytes.value;
export const REDO_BYTES = 2 * HALF_BYTES;

/** Checksum of all that follows, then: epoch, number (doubles), length of the text, length of the bytes. */
const CHECKSUM = 0;
const EPOCH = 4;
const NUMBER = 12;
const TEXT_LENGTH = 20;
const BYTES_LENGTH = 24;
const HEADER = 28;

/** A batch as the writer takes it. */
export interface Written {
  /** A `Commit` as JSON. */
  readonly text: string;
  /** The bytes of its entries and then of its blobs, one after the other. */
  readonly bytes: Uint8Array;
}
export interface Numbered extends Written {
  readonly number: number;
}

/** Where records lie in the log, bytes from its beginning. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Node has it; its types do not know it. */
declare const WebAssembly: {
  readonly Memory: new (of: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

/** For all of the log, shared by threads. That of WebAssembly begins at a page, as a disk wants it. */
export function newLogMemory(): SharedArrayBuffer {
  const pages = REDO_BYTES / 65_536;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}

/** What a record with these pieces takes, bytes. */
export const recordBytes = (text: string, pieces: readonly Uint8Array[]): number =>
  pieces.reduce((sum, piece) => sum + piece.length, HEADER + Buffer.byteLength(text));

/** Puts a record at `from`, where there is room for it. Gives where it ends. */
export function writeRecord(
  log: Buffer,
  from: number,
  mark: { readonly epoch: number; readonly number: number },
  text: string,
  pieces: readonly Uint8Array[],
): number {
  const textEnd = from + HEADER + log.write(text, from + HEADER, 'utf8');
  let end = textEnd;
  for (const piece of pieces) {
    log.set(piece, end);
    end += piece.length;
  }
  log.writeDoubleLE(mark.epoch, from + EPOCH);
  log.writeDoubleLE(mark.number, from + NUMBER);
  log.writeUInt32LE(textEnd - from - HEADER, from + TEXT_LENGTH);
  log.writeUInt32LE(end - textEnd, from + BYTES_LENGTH);
  log.writeUInt32LE(crc32(log.subarray(from + EPOCH, end)), from + CHECKSUM);
  return end;
}

/** The records of a span that is known to hold whole ones. */
export function readRecords(log: Buffer, { from, to }: Span): Numbered[] {
  const records: Numbered[] = [];
  for (let at = from; at < to; at = endOf(log, at)) records.push(recordAt(log, at));
  return records;
}

/** What the file holds beyond `applied`, in order: the longest run of valid records that follows it. */
export function recordsAfter(log: Buffer, epoch: number, applied: number): Numbered[] {
  const found = [0, HALF_BYTES]
    .flatMap((from) => validRecords(log, from, epoch))
    .filter((record) => record.number > applied)
    .sort((a, b) => a.number - b.number);
  const gap = found.findIndex((record, i) => record.number !== applied + 1 + i);
  return gap === -1 ? found : found.slice(0, gap);
}

function validRecords(log: Buffer, from: number, epoch: number): Numbered[] {
  const records: Numbered[] = [];
  const to = from + HALF_BYTES;
  for (let at = from; at + HEADER <= to; ) {
    const end = endOf(log, at);
    if (end > to || log.readDoubleLE(at + EPOCH) !== epoch) break;
    if (log.readUInt32LE(at + CHECKSUM) !== crc32(log.subarray(at + EPOCH, end))) break;
    const record = recordAt(log, at);
    // What a half held before lies behind what it holds now.
    if (record.number <= (records.at(-1)?.number ?? 0)) break;
    records.push(record);
    at = end;
  }
  return records;
}

const endOf = (log: Buffer, at: number): number =>
  at + HEADER + log.readUInt32LE(at + TEXT_LENGTH) + log.readUInt32LE(at + BYTES_LENGTH);

function recordAt(log: Buffer, at: number): Numbered {
  const textEnd = at + HEADER + log.readUInt32LE(at + TEXT_LENGTH);
  return {
    number: log.readDoubleLE(at + NUMBER),
    text: log.toString('utf8', at + HEADER, textEnd),
    bytes: log.subarray(textEnd, endOf(log, at)),
  };
}

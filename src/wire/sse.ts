/** Server-sent events as bytes (WHATWG HTML, section 9.2): splits a stream into whole events, whatever the chunking. */
import { viewOf } from '../base/bytes.ts';

export interface SseEvent {
  /** Exactly the bytes of the event with its blank line. */
  readonly bytes: Buffer;
  readonly name: string;
  readonly data: string;
}

/** An event where it stands among those that came with it: most are only read, and their bytes leave together. */
export class PlacedEvent implements SseEvent {
  readonly #all: Buffer;
  readonly start: number;
  readonly end: number;
  readonly name: string;
  readonly data: string;

  constructor(all: Buffer, start: number, end: number, isFirst: boolean) {
    const { name, data } = parseEvent(all.toString('utf8', start, end), isFirst);
    this.#all = all;
    this.start = start;
    this.end = end;
    this.name = name;
    this.data = data;
  }

  get bytes(): Buffer {
    return this.#all.subarray(this.start, this.end);
  }

  /** The bytes from this event to the end of one that came with it. */
  upTo(last: PlacedEvent): Buffer {
    return this.#all.subarray(this.start, last.end);
  }
}

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);

export class SseSplitter {
  /** Pieces of the event that is not whole yet: joined once, when it is, so that long events cost no more per byte. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The last bytes held: a blank line is at most CR LF CR LF, and may be cut anywhere. */
  #edge: Buffer = EMPTY;
  #first = true;

  /** Whole events completed by this chunk, in order. */
  push(chunk: Uint8Array): PlacedEvent[] {
    const view = viewOf(chunk);
    const seam = this.#edge.length === 0 ? view : Buffer.concat([this.#edge, view]);
    let end = blankLineEnd(seam, 0);
    if (end === -1) {
      // Kept bytes are copied: the chunk's memory belongs to the socket.
      this.#keep(Buffer.from(view), seam);
      return [];
    }
    const whole = this.#held.length === 0 ? view : Buffer.concat([...this.#held, view]);
    end += whole.length - seam.length;
    const events: PlacedEvent[] = [];
    let start = 0;
    for (; end !== -1; end = blankLineEnd(whole, start)) {
      events.push(new PlacedEvent(whole, start, end, this.#first));
      this.#first = false;
      start = end;
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#edge = EMPTY;
    if (start === whole.length) return events;
    const rest = Buffer.from(whole.subarray(start));
    this.#keep(rest, rest);
    return events;
  }

  #keep(piece: Buffer, seam: Buffer): void {
    if (piece.length > 0) this.#held.push(piece);
    this.#heldBytes += piece.length;
    this.#edge = Buffer.from(seam.subarray(Math.max(0, seam.length - 3)));
  }

  get restBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes of the event that is not whole yet. */
  get rest(): Buffer {
    return Buffer.concat(this.#held);
  }
}

/** Offset behind the first blank line at or after `from`, or -1. A CR at the very end may be half of CRLF: wait. */
function blankLineEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== LF && byte !== CR) continue;
    const next = lineEnd(bytes, at);
    if (next === -1 || next >= bytes.length) return -1;
    if (bytes[next] !== LF && bytes[next] !== CR) {
      at = next - 1;
      continue;
    }
    return lineEnd(bytes, next);
  }
  return -1;
}

function lineEnd(bytes: Buffer, at: number): number {
  if (bytes[at] === LF) return at + 1;
  if (at + 1 >= bytes.length) return -1;
  return bytes[at + 1] === LF ? at + 2 : at + 1;
}

function parseEvent(whole: string, first: boolean): Pick<SseEvent, 'name' | 'data'> {
  const plain = parsePlain(whole);
  if (plain) return plain;
  let name = '';
  const data: string[] = [];
  // Only a mark at the very start of a stream is one.
  for (const line of (first ? whole.replace(/^\uFEFF/, '') : whole).split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return { name, data: data.join('\n') };
}

/** Nearly all events: one line of data, behind one with its name or none. undefined for any other. */
function parsePlain(whole: string): Pick<SseEvent, 'name' | 'data'> | undefined {
  const at = whole.startsWith(NAME) ? whole.indexOf('\n') + 1 : 0;
  const isPlain =
    whole.startsWith(DATA, at) && whole.indexOf('\n', at) === whole.length - 2 && !whole.includes('\r');
  if (!isPlain) return undefined;
  return { name: at === 0 ? '' : whole.slice(NAME.length, at - 1), data: whole.slice(at + DATA.length, -2) };
}

const NAME = 'event: ';
const DATA = 'data: ';

/** One event as bytes. */
export const encodeEvent = (name: string, data: string): Buffer =>
  Buffer.from(`${name === '' ? '' : `event: ${name}\n`}data: ${data}\n\n`);

/** Server-sent events as bytes (WHATWG HTML, section 9.2): splits a stream into whole events, whatever the chunking. */

export interface SseEvent {
  /** Exactly the bytes of the event with its blank line. */
  readonly bytes: Buffer;
  readonly name: string;
  readonly data: string;
}

const LF = 0x0a;
const CR = 0x0d;

export class SseSplitter {
  #held: Buffer = Buffer.alloc(0);
  /** How far `#held` was searched for a blank line, so that no byte is looked at twice. */
  #searched = 0;

  /** Whole events completed by this chunk, in order. */
  push(chunk: Uint8Array): SseEvent[] {
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#held = this.#held.length === 0 ? view : Buffer.concat([this.#held, view]);
    const events: SseEvent[] = [];
    let start = 0;
    for (;;) {
      const end = blankLineEnd(this.#held, Math.max(start, this.#searched));
      if (end === -1) break;
      events.push(parseEvent(this.#held.subarray(start, end)));
      start = end;
      this.#searched = end;
    }
    // What stays is copied: the chunk's memory belongs to the socket.
    this.#held = Buffer.from(this.#held.subarray(start));
    this.#searched = Math.max(0, this.#held.length - 3);
    return events;
  }

  /** Bytes of the event that is not whole yet. */
  get rest(): Buffer {
    return this.#held;
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

function parseEvent(bytes: Buffer): SseEvent {
  let name = '';
  const data: string[] = [];
  for (const line of bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    const field = line.slice(0, colon);
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return { bytes, name, data: data.join('\n') };
}

/** One event as bytes. */
export const encodeEvent = (name: string, data: string): Buffer =>
  Buffer.from(`${name === '' ? '' : `event: ${name}\n`}data: ${data}\n\n`);

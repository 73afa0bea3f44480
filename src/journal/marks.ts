/**
 * Cache marks in a message's bytes. Clients put them on the last message and take them away with the next request: with
 * its marks cut out, the message is the same bytes both times and is stored once. Invariant: inserting what was cut
 * gives the exact bytes again, whatever the bytes were.
 */
import { viewOf } from '../base/bytes.ts';

/** Where in the bytes without marks, and what was there. */
export type Mark = readonly [at: number, text: string];

const NAME = Buffer.from('"cache_control":');
/** Only the spelling that clients use; any other stays where it is. */
const MARK = /,"cache_control":\{"type":"ephemeral"(?:,"ttl":"\d{1,3}[a-z]")?\}/g;

/** Undefined where there are none. */
export function cutMarks(bytes: Uint8Array): { bytes: Uint8Array; marks: Mark[] } | undefined {
  const view = viewOf(bytes);
  if (!view.includes(NAME)) return undefined;
  // One character a byte, so that offsets are the same in both.
  const text = view.toString('latin1');
  const marks: Mark[] = [];
  const kept: Buffer[] = [];
  let from = 0;
  let length = 0;
  for (const { 0: mark, index } of text.matchAll(MARK)) {
    kept.push(view.subarray(from, index));
    length += index - from;
    marks.push([length, mark]);
    from = index + mark.length;
  }
  if (marks.length === 0) return undefined;
  return { bytes: Buffer.concat([...kept, view.subarray(from)]), marks };
}

export function insertMarks(bytes: Uint8Array, marks: readonly Mark[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const [at, text] of marks) {
    pieces.push(bytes.subarray(from, at), Buffer.from(text, 'latin1'));
    from = at;
  }
  return Buffer.concat([...pieces, bytes.subarray(from)]);
}

/** What the dialects share in reading a complete answer. */
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import { member } from './read.ts';
import { type BodyScan, scanBody, textOf, Unreadable } from './scan.ts';
import { SseSplitter } from './sse.ts';

const OPEN_BRACE = 0x7b;

/** Is it one JSON object, and not a stream of events? */
export function isWhole(answer: Uint8Array): boolean {
  let at = 0;
  while (at < answer.length && (answer[at] as number) <= 0x20) at++;
  return answer[at] === OPEN_BRACE;
}

/** Elements of an array member of a JSON object, as texts; undefined when it is not there or no JSON. */
export function elementTexts(json: Uint8Array, name: string): string[] | undefined {
  const scan = scanBody(json, [name]);
  if ('problem' in scan || !scan.members.has(name)) return undefined;
  return scan.elements.map((range) => textOf(json, range));
}

/** A member of a JSON object as the text it was written as. */
export function memberText(json: string, name: string): string | undefined {
  const bytes = Buffer.from(json);
  const scan = scanBody(bytes, []);
  const range = 'problem' in scan ? undefined : scan.members.get(name);
  return range && textOf(bytes, range);
}

export interface AnswerEvent {
  readonly data: JsonRecord;
  /** The same as it was written. */
  readonly json: string;
}

/** The events of a complete stream that carry JSON objects, in order. */
export function answerEvents(stream: Uint8Array): AnswerEvent[] {
  const splitter = new SseSplitter();
  // Some servers close right after the last data line, without its blank line.
  const events = [...splitter.push(stream), ...splitter.push(Buffer.from('\n\n'))];
  return events.flatMap(({ data: json }) => {
    const data = parseJson(json);
    return isRecord(data) ? [{ data, json }] : [];
  });
}

/**
 * A call's arguments as its client reads them. Undefined when they are no JSON or hold a key twice: what is decided
 * must be what runs.
 */
export function readArguments(json: string): JsonRecord | undefined {
  if (json.trim() === '') return {};
  const value = parseJson(json);
  if (value === undefined) return undefined;
  if (!isRecord(value)) return { value };
  const body = Buffer.from(json);
  const scan = scanBody(body, []);
  return 'problem' in scan || holdsKeyTwice(scan, body) ? undefined : value;
}

function holdsKeyTwice(scan: BodyScan, body: Buffer): boolean {
  try {
    for (const name of scan.members.keys()) member({ ...scan, body }, name);
    return false;
  } catch (error) {
    if (error instanceof Unreadable) return true;
    throw error;
  }
}

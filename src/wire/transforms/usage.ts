/**
 * The named transform `usage`: a chat stream reports usage only when asked, and a budget needs it. The request asks,
 * and the one extra chunk that the client did not ask for is taken out of the answer; no other byte changes.
 * (Upstreams may then write `"usage":null` into the other chunks; those pass as they come.)
 */
import { isRecord, parseJson } from '../../base/json.ts';
import { type BodyScan, scanBody, textOf } from '../scan.ts';
import { SseSplitter } from '../sse.ts';

/** The request with `stream_options.include_usage` set; undefined when it is not streamed, asks already or is unreadable. */
export function askForUsage(body: Uint8Array): Buffer | undefined {
  const scan = scanBody(body, []);
  if ('problem' in scan || memberText(body, scan, 'stream') !== 'true') return undefined;
  const options = scan.members.get('stream_options');
  if (!options) {
    const brace = body.indexOf(0x7b) + 1;
    return splice(body, brace, brace, '"stream_options":{"include_usage":true},');
  }
  const inner = body.subarray(options.start, options.end);
  const known = scanBody(inner, []);
  if ('problem' in known) {
    return textOf(body, options) === 'null'
      ? splice(body, options.start, options.end, '{"include_usage":true}')
      : undefined;
  }
  const asked = known.members.get('include_usage');
  if (!asked) {
    const comma = known.members.size > 0 ? ',' : '';
    return splice(body, options.start + 1, options.start + 1, `"include_usage":true${comma}`);
  }
  if (memberText(inner, known, 'include_usage') === 'true') return undefined;
  return splice(body, options.start + asked.start, options.start + asked.end, 'true');
}

function memberText(body: Uint8Array, scan: BodyScan, name: string): string | undefined {
  const range = scan.members.get(name);
  return range && textOf(body, range);
}

function splice(body: Uint8Array, start: number, end: number, text: string): Buffer {
  return Buffer.concat([body.subarray(0, start), Buffer.from(text), body.subarray(end)]);
}

/** Takes the usage chunk (`choices: []`) out of a chat stream, once. Memory: at most one event. */
export class UsageChunkFilter {
  readonly #splitter = new SseSplitter();
  #removed = false;

  push(chunk: Uint8Array): Uint8Array {
    const kept = this.#splitter.push(chunk).filter((event) => !this.#isExtra(event.data));
    return Buffer.concat(kept.map((event) => event.bytes));
  }

  /** What was no whole event when the stream ended. */
  finish(): Uint8Array {
    return this.#splitter.rest;
  }

  #isExtra(data: string): boolean {
    if (this.#removed || !data.includes('"usage"')) return false;
    const chunk = parseJson(data);
    if (!isRecord(chunk) || !isRecord(chunk.usage)) return false;
    this.#removed = Array.isArray(chunk.choices) && chunk.choices.length === 0;
    return this.#removed;
  }
}

/**
 * The named transform `usage`: a chat stream reports usage only when asked, and a budget needs it. The request asks,
 * and what the upstream then adds is taken out of the answer: the one extra chunk, and the `"usage":null` of the others.
 * No other byte changes. An upstream that writes its usage into a chunk that carries an answer too is left as it is.
 */
import { isRecord, parseJson } from '../../base/json.ts';
import type { Range, ResponseFacts } from '../../base/model.ts';
import type { StreamEnd, StreamMachine } from '../dialect.ts';
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

/** A chat stream as it would have been without the question, seen by a machine that still reads the usage. */
export class WithoutUsage implements StreamMachine {
  readonly #machine: StreamMachine;
  readonly #filter = new UsageChunkFilter();

  constructor(machine: StreamMachine) {
    this.#machine = machine;
  }

  push(chunk: Uint8Array): Uint8Array {
    return this.#filter.push(this.#machine.push(chunk));
  }

  get events(): number {
    return this.#machine.events;
  }

  finish(): StreamEnd {
    const end = this.#machine.finish();
    if (!('tail' in end)) return end;
    return { ...end, tail: Buffer.concat([this.#filter.push(end.tail), this.#filter.finish()]) };
  }

  facts(): ResponseFacts {
    return this.#machine.facts();
  }
}

/** Takes the usage chunk (`choices: []`) out of a chat stream, once, and `"usage":null` out of the others. */
export class UsageChunkFilter {
  readonly #splitter = new SseSplitter();
  #removed = false;

  push(chunk: Uint8Array): Uint8Array {
    const events = this.#splitter.push(chunk);
    const [first, last] = [events[0], events.at(-1)];
    if (first && last && !events.some(({ data }) => data.includes('"usage"'))) return first.upTo(last);
    const kept: Uint8Array[] = [];
    for (const event of events) {
      if (!event.data.includes('"usage"')) kept.push(event.bytes);
      else if (!this.#isExtra(event.data)) kept.push(withoutNull(event.bytes));
    }
    return Buffer.concat(kept);
  }

  /** What was no whole event when the stream ended. */
  finish(): Uint8Array {
    return this.#splitter.rest;
  }

  #isExtra(data: string): boolean {
    if (this.#removed) return false;
    const chunk = parseJson(data);
    if (!isRecord(chunk) || !isRecord(chunk.usage)) return false;
    this.#removed = Array.isArray(chunk.choices) && chunk.choices.length === 0;
    return this.#removed;
  }
}

/** An event without its top-level `"usage":null` and the one comma that joined it. */
function withoutNull(event: Buffer): Buffer {
  const start = event.indexOf('{');
  const chunk = event.subarray(start, event.lastIndexOf('}') + 1);
  const scan = scanBody(chunk, []);
  if ('problem' in scan || memberText(chunk, scan, 'usage') !== 'null') return event;
  const value = scan.members.get('usage') as Range;
  const name = chunk.lastIndexOf('"usage"', value.start);
  const before = /,\s*$/.exec(scan.latin1.slice(0, name));
  const after = /^\s*,/.exec(scan.latin1.slice(value.end));
  const from = before ? before.index : name;
  const to = before || !after ? value.end : value.end + after[0].length;
  return splice(event, start + from, start + to, '');
}

/**
 * The tool calls of a Chat stream in order. They come in pieces under an index; engines mix the pieces of parallel
 * calls, and some give every call the same index. Other dialects tell one call after the other: pieces of a later one
 * wait until the one before is whole.
 */
import { type JsonRecord, parseJson, stringOf } from '../../base/json.ts';
import type { ToolUse } from '../neutral.ts';
import { readCall } from './request.ts';

export interface Piece extends ToolUse {
  /** Counts the calls of the stream from 0. */
  readonly call: number;
}

export class CallOrder {
  #calls = 0;
  /** The call that an index means now, and its id. */
  readonly #known = new Map<string, { readonly call: number; readonly id: string }>();
  readonly #waiting: Piece[] = [];
  readonly #told = new Set<number>();
  #telling: Piece | undefined;
  #input = '';

  push(raw: JsonRecord): void {
    const piece = readCall(raw);
    const index = stringOf(raw.index ?? 0);
    const known = this.#known.get(index);
    const isNew = !known || (piece.name !== '' && piece.id !== '' && piece.id !== known.id);
    const call = isNew ? this.#calls++ : known.call;
    if (isNew) this.#known.set(index, { call, id: piece.id });
    // Behind its end a call has nothing to say.
    if (call === this.#telling?.call || !this.#told.has(call)) this.#waiting.push({ ...piece, call });
  }

  /** The next piece that may be told; `final`: nothing more will come, and what waits may go. */
  take(final: boolean): Piece | undefined {
    const at = this.#waiting.findIndex(({ call }) => call === this.#telling?.call);
    const next = at === -1 ? this.#follower(final) : this.#waiting.splice(at, 1)[0];
    if (next) this.#input += next.input;
    return next;
  }

  #follower(final: boolean): Piece | undefined {
    const isWhole = !this.#telling || this.#telling.custom || parseJson(this.#input) !== undefined;
    if (!isWhole && !final) return undefined;
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#telling = next;
    this.#told.add(next.call);
    this.#input = '';
    return next;
  }
}

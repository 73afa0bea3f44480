/**
 * What was said of an answer over several connections. Invariant: `text` is what its client has; what a server says again
 * before it goes on is not said twice. It must not know the dialect.
 */
import { LIMITS } from '../limits.ts';

export class Words {
  text = '';
  /** Pieces of text, which engines send a token each, and those before this connection. */
  #pieces = 0;
  #before = 0;
  readonly #written: ((tokens: number) => void) | undefined;
  /** What a continued answer may say again before it goes on, the longest first; empty when it has gone on. */
  #echoes: readonly string[] = [];
  #heldBack = '';

  /** `written` is told from time to time how much was said. */
  constructor(written: ((tokens: number) => void) | undefined) {
    this.#written = written;
  }

  get pieces(): number {
    return this.#pieces;
  }

  get before(): number {
    return this.#before;
  }

  /** Nothing new was said on this connection yet. */
  get isRepeating(): boolean {
    return this.#echoes.length > 0;
  }

  /** Another connection goes on, after so many tokens, and may say one of these first. */
  goOn(echoes: readonly string[], before = this.#pieces): void {
    this.#echoes = echoes.filter((echo) => echo !== '').sort((a, b) => b.length - a.length);
    this.#heldBack = '';
    this.#before = before;
  }

  /**
   * Another connection goes on from its words: those to send. Not the white space at their end, which APIs refuse and chat
   * templates take away: it may come again, from the other side.
   */
  goOnFrom(): string {
    const begun = this.text.trimEnd();
    this.goOn([this.text, begun, this.text.slice(begun.length)]);
    return begun;
  }

  /** What of a piece was not said before; `isLast`: nothing that could be held back for is to come. */
  take(piece: string, isLast: boolean): string {
    const fresh = this.#fresh(piece, isLast);
    this.text += fresh;
    if (fresh !== '' && ++this.#pieces % LIMITS.engineToldTokens.value === 0) this.#written?.(this.#pieces);
    return fresh;
  }

  #fresh(piece: string, isLast: boolean): string {
    if (this.#echoes.length === 0) return piece;
    this.#heldBack += piece;
    const said = this.#heldBack;
    const mayRepeat = this.#echoes.some((echo) => said.length < echo.length && echo.startsWith(said));
    if (mayRepeat && !isLast) return '';
    const echo = this.#echoes.find((one) => said.startsWith(one)) ?? '';
    this.#echoes = [];
    this.#heldBack = '';
    return said.slice(echo.length);
  }
}

/** Request bodies in memory. Each has a bound of its own, and all of them together have one. */
import type { IncomingMessage } from 'node:http';
import { type Refusal, refusal } from '../base/errors.ts';
import { decodeBody } from '../wire/encoding.ts';
import { LIMITS } from './limits.ts';

/** What all requests of one gateway hold. */
export class Bodies {
  #heldBytes = 0;
  #decoding: Promise<unknown> = Promise.resolve();

  hold(): HeldBody {
    return new HeldBody(this);
  }

  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > LIMITS.heldBytes.value) return false;
    this.#heldBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** One at a time: how large a compressed body becomes is known only when it is too large. */
  decode(encoding: string, body: Buffer): Promise<Uint8Array | Refusal> {
    const decoded = this.#decoding.then(() => decodeBody(encoding, body));
    this.#decoding = decoded;
    return decoded;
  }
}

/** One request's body, on the wire and decoded, until `release`. */
export class HeldBody {
  readonly #bodies: Bodies;
  #bytes = 0;

  constructor(bodies: Bodies) {
    this.#bodies = bodies;
  }

  release(): void {
    this.#bodies.giveBack(this.#bytes);
    this.#bytes = 0;
  }

  #take(bytes: number): boolean {
    if (!this.#bodies.take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  collect(request: IncomingMessage, maxBytes: number): Promise<Buffer | Refusal> {
    return collectBody(request, maxBytes, (bytes) => this.#take(bytes));
  }

  /** The plain bytes of a body that was collected. */
  async decode(encoding: string, body: Buffer): Promise<Uint8Array | Refusal> {
    if (body.length === 0) return body;
    const decoded = await this.#bodies.decode(encoding, body);
    if ('code' in decoded || decoded === body) return decoded;
    return this.#take(decoded.length) ? decoded : FULL;
  }
}

/**
 * The whole body, at most `maxBytes`; a refusal when it is larger, ends early, or `take` gives no room for more bytes.
 * Never hangs: the server has timeouts.
 */
export function collectBody(
  request: IncomingMessage,
  maxBytes: number,
  take: (bytes: number) => boolean = () => true,
): Promise<Buffer | Refusal> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return Promise.resolve(tooLarge(declared, maxBytes));
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let refused: Refusal | undefined;
    request.on('data', (chunk: Buffer) => {
      if (refused) return;
      size += chunk.length;
      if (size > maxBytes) refused = tooLarge(undefined, maxBytes);
      else if (!take(chunk.length)) refused = FULL;
      else chunks.push(chunk);
      if (refused) resolve(refused);
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    // Without a listener for it, node tells no error of a request: it is closed all the same.
    request.on('close', () => resolve(BROKEN_OFF));
  });
}

const tooLarge = (declared: number | undefined, maxBytes: number): Refusal =>
  refusal(
    'too_large',
    `The body ${declared === undefined ? 'is larger' : `has ${declared} bytes`}; at most ${maxBytes} bytes are read.`,
  );
const BROKEN_OFF = refusal('cancelled', 'The request broke off before its body was complete.');
const FULL = refusal('busy', 'The memory that mezz sets aside for request bodies is full.', {
  retryAfterMs: 1000,
});

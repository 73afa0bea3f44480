import type { IncomingMessage } from 'node:http';
import { type Refusal, refusal } from '../base/errors.ts';

/** The whole body, at most `maxBytes`; a refusal when it is larger or ends early. Never hangs: the server has timeouts. */
export function collectBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | Refusal> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) {
    return Promise.resolve(
      refusal('too_large', `The body has ${declared} bytes; at most ${maxBytes} are read.`),
    );
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else resolve(refusal('too_large', `The body is larger than ${maxBytes} bytes.`));
    });
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on('error', () =>
      resolve(refusal('cancelled', 'The request broke off before its body was complete.')),
    );
    request.on('close', () =>
      resolve(refusal('cancelled', 'The request broke off before its body was complete.')),
    );
  });
}

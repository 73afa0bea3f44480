/** Which headers travel, and whose login. Names are compared without case; order and spelling are kept. */
import type { CredentialKind } from '../../base/ports.ts';

/** Hop-by-hop (RFC 9110, 7.6.1), and those that undici computes itself. */
const DROPPED = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'content-length',
  'expect',
]);
/** Logins of any provider: they never reach a backend that is not paid with them. */
const LOGINS = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'chatgpt-account-id',
  'x-goog-api-key',
  'cookie',
]);

/**
 * The client's headers as the upstream gets them: with its own login, mezz's key, or none. A stream is asked for
 * uncompressed: inside a compressed one mezz could neither watch events nor withhold the last without recompressing.
 */
export function requestHeaders(
  headers: readonly string[],
  credential: CredentialKind,
  key: readonly string[],
  stream: boolean,
): string[] {
  const sent: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (DROPPED.has(name) || name.startsWith('x-mezz-')) continue;
    if (stream && name === 'accept-encoding') continue;
    if (credential !== 'client' && LOGINS.has(name)) continue;
    sent.push(headers[i] as string, headers[i + 1] as string);
  }
  if (stream) sent.push('accept-encoding', 'identity');
  if (credential === 'kernel') sent.push(...key);
  return sent;
}

/** The upstream's headers as the client gets them. Length and framing are the server's own. */
export function responseHeaders(raw: readonly Buffer[] | readonly string[]): string[] {
  const sent: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]);
    const lower = name.toLowerCase();
    // Only the kernel itself speaks in x-mezz-*.
    if (DROPPED.has(lower) || lower.startsWith('x-mezz-')) continue;
    sent.push(name, String(raw[i + 1]));
  }
  return sent;
}

export function headerValue(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2)
    if ((headers[i] as string).toLowerCase() === name) return headers[i + 1];
  return undefined;
}

/** The flat list without one header, named in lower case. */
export const withoutHeader = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => (headers[i - (i % 2)] as string).toLowerCase() !== name);

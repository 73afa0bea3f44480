/** Which headers travel, and whose login. Names are compared without case; order and spelling are kept. */
import type { CredentialKind } from '../../base/ports.ts';

/** Hop-by-hop (RFC 9110, 7.6.1), and those that undici computes itself. */
const DROPPED = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'content-length',
  'expect',
]);
/**
 * Logins of any provider. Cookies are among them and reach nobody: clients keep them by host, and this one stands for
 * several providers.
 */
const LOGINS = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'chatgpt-account-id',
  'x-goog-api-key',
  'cookie',
]);
/** The headers that are a login at each provider; at one that is not known here, the common three. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  anthropic: ['authorization', 'x-api-key'],
  openai: ['authorization'],
  chatgpt: ['authorization', 'chatgpt-account-id'],
};
const COMMON = ['authorization', 'x-api-key', 'api-key'];

/** Whose money a request is sent with. */
export interface RequestLogin {
  readonly credential: CredentialKind;
  /** To whom a client's own login belongs. */
  readonly provider: string;
  /** Header pairs with mezz's own key. */
  readonly key: readonly string[];
}

/**
 * The client's headers as the upstream gets them: with its own login, mezz's key, or none. A stream is asked for
 * uncompressed: a compressed one costs a second decoding, and no error event can be added to it (compressed.ts).
 */
export function requestHeaders(
  headers: readonly string[],
  { credential, provider, key }: RequestLogin,
  stream: boolean,
): string[] {
  const sent: string[] = [];
  const own = credential === 'client' ? (OWN[provider] ?? COMMON) : [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (DROPPED.has(name) || name.startsWith('x-mezz-')) continue;
    if (stream && name === 'accept-encoding') continue;
    if (LOGINS.has(name) && !own.includes(name)) continue;
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

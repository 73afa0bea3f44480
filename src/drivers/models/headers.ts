/** Which headers travel, and whose login. Names are compared without case; order and spelling are kept. */
import type { CredentialKind } from '../../base/ports.ts';

/** Is a name, in any case, one of these? Told by its length first: most are none of them. */
function oneOf(...names: readonly string[]): (name: string) => boolean {
  const byLength: (string[] | undefined)[] = [];
  for (const name of names) byLength[name.length] = [...(byLength[name.length] ?? []), name];
  return (name) => byLength[name.length]?.includes(name.toLowerCase()) === true;
}

/** Hop-by-hop (RFC 9110, 7.6.1), and those that undici computes itself. */
const isDropped = oneOf(
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
);
/**
 * Logins of any provider. Cookies are among them and reach nobody: clients keep them by host, and this one stands for
 * several providers.
 */
const isLogin = oneOf(
  'authorization',
  'x-api-key',
  'api-key',
  'chatgpt-account-id',
  'x-goog-api-key',
  'cookie',
);
/** Only the kernel itself speaks in these. */
const isOwn = (name: string): boolean => name[6] === '-' && /^x-mezz-/i.test(name);
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
    const name = headers[i] as string;
    if (isDropped(name) || isOwn(name)) continue;
    if (stream && isNamed(name, 'accept-encoding')) continue;
    if (isLogin(name) && !own.includes(name.toLowerCase())) continue;
    sent.push(name, headers[i + 1] as string);
  }
  if (stream) sent.push('accept-encoding', 'identity');
  if (credential === 'kernel') sent.push(...key);
  return sent;
}

/** The upstream's headers as the client gets them. Length and framing are the server's own. */
export function responseHeaders(raw: readonly Buffer[] | readonly string[]): string[] {
  const sent: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    // Bytes as characters, as node writes them: no other reading gives the same bytes back.
    const name = raw[i]?.toString('latin1') as string;
    if (!isDropped(name) && !isOwn(name)) sent.push(name, raw[i + 1]?.toString('latin1') as string);
  }
  return sent;
}

export function headerValue(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (isNamed(headers[i] as string, name)) return headers[i + 1];
  return undefined;
}

/** `wanted` is in lower case. */
const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && name.toLowerCase() === wanted;

/** The flat list without one header, named in lower case. */
export const withoutHeader = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => !isNamed(headers[i - (i % 2)] as string, name));

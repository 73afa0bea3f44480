/** What a client's own login is, told by its shape alone. The login passes through; only a salted digest names it. */
import { hmacUnder } from '../base/hash.ts';
import type { AccountId } from '../base/ids.ts';

export interface Login {
  readonly provider: 'anthropic' | 'openai' | 'chatgpt' | 'unknown';
  /** A subscription is a person's plan; a key is billed by use. */
  readonly kind: 'subscription' | 'key';
  /** `client:<provider>:<12 hex digits>` */
  readonly account: AccountId;
}

/** `headers` as they came: name, value, name, value. Undefined without a login; a mezz key is never one. */
export function readLogin(headers: readonly string[], salt: Uint8Array): Login | undefined {
  const bearer = readBearer(headerOf(headers, 'authorization'));
  const apiKey = loginOf(headerOf(headers, 'x-api-key'));
  const account = headerOf(headers, 'chatgpt-account-id');
  const login = (provider: Login['provider'], kind: Login['kind'], named: string): Login => ({
    provider,
    kind,
    account: `client:${provider}:${hmacUnder(salt)(named).slice(0, 12)}` as AccountId,
  });
  if (bearer !== undefined) {
    if (account) return login('chatgpt', 'subscription', account);
    if (bearer.startsWith('sk-ant-oat')) return login('anthropic', 'subscription', bearer);
    if (bearer.startsWith('sk-ant-')) return login('anthropic', 'key', bearer);
    if (bearer.startsWith('sk-')) return login('openai', 'key', bearer);
  }
  if (apiKey?.startsWith('sk-ant-')) return login('anthropic', 'key', apiKey);
  const other = apiKey ?? bearer;
  return other === undefined ? undefined : login('unknown', 'key', other);
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === name) return headers[i + 1]?.trim();
  }
  return undefined;
}

function readBearer(value: string | undefined): string | undefined {
  return loginOf(/^bearer\s+(.+)$/i.exec(value ?? '')?.[1]?.trim());
}

const loginOf = (token: string | undefined) => (!token || token.startsWith('mezz_') ? undefined : token);

/** Who calls: the first mezz key found, in the path, `x-mezz-key`, `Authorization` or `x-api-key`. No header that holds one travels on. */
import type { Caller, Kernel } from './kernel.ts';

export interface Identified {
  readonly caller: Caller | undefined;
  /** The client's headers without mezz's own credential. */
  readonly headers: string[];
}

const KEY = /^mezz_[\w-]{20,}$/;

/** Is there a key of mezz's anywhere in a header's value or a URL, also inside Basic credentials or percent-encoded? */
export function holdsKey(text: string): boolean {
  if (!text.includes('mezz_') && !text.includes('%') && !/^ba/i.test(text)) return false;
  const anywhere = /mezz_[\w-]{20,}/;
  const basic = /^basic +([\w+/-]+=*)$/i.exec(text)?.[1];
  if (basic !== undefined) return anywhere.test(Buffer.from(basic, 'base64').toString('latin1'));
  const plain = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return anywhere.test(plain);
}

export function identify(kernel: Kernel, token: string | undefined, raw: readonly string[]): Identified {
  const headers: string[] = [];
  let fromHeader: string | undefined;
  let fromLogin: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (isNamed(name, 'x-mezz-key')) {
      fromHeader ??= value;
      continue;
    }
    const secret = isNamed(name, 'authorization')
      ? value.replace(/^bearer\s+/i, '')
      : isNamed(name, 'x-api-key')
        ? value
        : undefined;
    if (secret !== undefined && KEY.test(secret)) {
      fromLogin ??= secret;
      continue;
    }
    if (!holdsKey(value)) headers.push(name, value);
  }
  const secret = token ?? fromHeader ?? fromLogin;
  return { caller: secret === undefined ? undefined : kernel.identify(secret), headers };
}

/** Compares without case; most names differ in length already. */
const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && name.toLowerCase() === wanted;

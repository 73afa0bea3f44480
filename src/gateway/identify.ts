/**
 * Who calls: the first mezz key found, in the path, `x-mezz-key`, `Authorization` or `x-api-key`. No header that holds one
 * travels on, and neither does the length of the body, which its sender computes.
 */
import type { Caller, Kernel } from './kernel.ts';

export interface Identified {
  readonly caller: Caller | undefined;
  /** The client's headers without mezz's own credential. */
  readonly headers: readonly string[];
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

interface Read {
  /** The first key in the headers. */
  readonly secret: string | undefined;
  readonly headers: readonly string[];
}

/**
 * The headers of one connection's requests. Clients send the same ones every time: then what was read of them before is
 * given again, the same list, so that whoever reads something else in it knows it as well.
 */
export class Heads {
  #raw: readonly string[] = [];
  #read: Read = { secret: undefined, headers: [] };

  identify(kernel: Kernel, token: string | undefined, raw: readonly string[]): Identified {
    if (!isSame(raw, this.#raw)) {
      this.#raw = raw;
      this.#read = read(raw);
    }
    const secret = token ?? this.#read.secret;
    return {
      caller: secret === undefined ? undefined : kernel.identify(secret),
      headers: this.#read.headers,
    };
  }
}

/** But for the lengths of bodies. */
function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++)
    if (a[i] !== b[i] && !(i % 2 === 1 && isNamed(a[i - 1] as string, LENGTH))) return false;
  return true;
}

const LENGTH = 'content-length';

function read(raw: readonly string[]): Read {
  const headers: string[] = [];
  let fromHeader: string | undefined;
  let fromLogin: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    if (isNamed(name, LENGTH)) continue;
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
  return { secret: fromHeader ?? fromLogin, headers };
}

/** Compares without case; most names differ in length already. */
const isNamed = (name: string, wanted: string): boolean =>
  name.length === wanted.length && name.toLowerCase() === wanted;

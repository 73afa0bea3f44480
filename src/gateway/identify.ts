/** Who calls: the first mezz key found, in the path, `x-mezz-key`, `Authorization` or `x-api-key`. It does not travel on. */
import type { Caller, Kernel } from './kernel.ts';

export interface Identified {
  readonly caller: Caller | undefined;
  /** The client's headers without mezz's own credential. */
  readonly headers: string[];
}

const KEY = /^mezz_[\w-]{20,}$/;

export function identify(kernel: Kernel, token: string | undefined, raw: readonly string[]): Identified {
  const headers: string[] = [];
  let fromHeader: string | undefined;
  let fromLogin: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const value = raw[i + 1] as string;
    if (name === 'x-mezz-key') {
      fromHeader ??= value;
      continue;
    }
    const secret =
      name === 'authorization' ? value.replace(/^bearer\s+/i, '') : name === 'x-api-key' ? value : undefined;
    if (secret !== undefined && KEY.test(secret)) {
      fromLogin ??= secret;
      continue;
    }
    headers.push(raw[i] as string, value);
  }
  const secret = token ?? fromHeader ?? fromLogin;
  return { caller: secret === undefined ? undefined : kernel.identify(secret), headers };
}

/** Secrets that exist once in the world, and the search for them in every spelling. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Secrets = Readonly<Record<string, string>>;

/** Every way a secret may be written down: plain, percent-encoded, hex, and base64 at each of its three offsets. */
function spellings(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const found = [secret, hex, hex.toUpperCase(), percent, percent.toUpperCase(), encodeURIComponent(secret)];
  for (const offset of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    // The characters at both ends also depend on the neighbours.
    const middle = text.slice(offset === 0 ? 0 : offset + 1, text.replace(/=+$/, '').length - 1);
    found.push(middle, middle.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(found)].map((text) => Buffer.from(text));
}

/** The names of the secrets that occur in `bytes`. */
export function finder(secrets: Secrets): (bytes: Buffer) => string[] {
  const wanted = Object.entries(secrets).map(([name, secret]) => ({ name, forms: spellings(secret) }));
  return (bytes) =>
    wanted.filter(({ forms }) => forms.some((form) => bytes.includes(form))).map(({ name }) => name);
}

/** Every file below `directory`, whole. */
export function readTree(directory: string): { readonly path: string; readonly bytes: Buffer }[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

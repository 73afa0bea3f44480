/** A file from an address: how large it is before it is asked for, and its bytes, from where an earlier try ended. */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isRecord, parseJson } from '../../base/json.ts';
import { UsageFailure } from '../exit.ts';
import { LIMITS } from '../limits.ts';

export interface FileFacts {
  /** undefined where the server does not say. */
  readonly bytes: number | undefined;
  readonly sha256: string | undefined;
  /** Names this very content, so that a second part is of the same file. */
  readonly etag: string | undefined;
}

/** Asks for the head alone. A hub tells checksum and size of what it redirects to. */
export async function describeFile(url: string): Promise<FileFacts> {
  const response = await request(url, { method: 'HEAD', redirect: 'manual' });
  const { headers, status } = response;
  const linked = headers.get('x-linked-etag')?.replaceAll(/^(W\/)?"|"$/g, '');
  const sha256 = linked && /^[0-9a-f]{64}$/.test(linked) ? linked : undefined;
  const told = Number(headers.get('x-linked-size') ?? NaN);
  if (status >= 300 && status < 400 && Number.isNaN(told)) {
    const next = headers.get('location');
    if (next) return describeFile(new URL(next, url).href);
  }
  if (status >= 400) throw new UsageFailure(`${url} answers ${status}`, 'check the address', 1);
  const bytes = Number.isNaN(told) ? Number(headers.get('content-length') ?? NaN) : told;
  return { bytes: Number.isNaN(bytes) ? undefined : bytes, sha256, etag: headers.get('etag') ?? linked };
}

/** The licence as the model's card tells it; undefined where there is no card or it does not. */
export async function readLicence(card: string): Promise<string | undefined> {
  const response = await request(card, {});
  const text = response.ok ? await response.text() : '';
  const answer = text.length <= LIMITS.modelCardCharacters.value ? parseJson(text) : undefined;
  const tags = isRecord(answer) && Array.isArray(answer.tags) ? answer.tags : [];
  return tags
    .map(String)
    .find((tag) => tag.startsWith('license:'))
    ?.slice('license:'.length);
}

/**
 * Brings the file to `path`; `told` hears how many bytes are there. A part of an earlier try is gone on with where it is
 * of the same content. Throws where it ends early: the part stays for the next try.
 */
export async function download(
  url: string,
  path: string,
  facts: FileFacts,
  told: (bytes: number) => void,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const note = `${path}.etag`;
  const same = facts.etag !== undefined && existsSync(path) && readIfThere(note) === facts.etag;
  if (!same) rmSync(path, { force: true });
  if (facts.etag !== undefined) writeFileSync(note, facts.etag);
  const from = same ? statSync(path).size : 0;
  if (facts.bytes === undefined || from < facts.bytes) await fetchFrom(url, path, from, told);
  const bytes = statSync(path).size;
  if (facts.bytes !== undefined && bytes !== facts.bytes)
    throw new UsageFailure(
      `the download ended at ${bytes} of ${facts.bytes} bytes`,
      'type the same again: it goes on from there',
      1,
    );
  if (facts.sha256 !== undefined && (await checksum(path)) !== facts.sha256) {
    rmSync(path);
    throw new UsageFailure('what came is not what the hub says the file is', 'type the same again', 1);
  }
  rmSync(note, { force: true });
}

async function fetchFrom(
  url: string,
  path: string,
  from: number,
  told: (bytes: number) => void,
): Promise<void> {
  const response = await request(url, from > 0 ? { headers: { range: `bytes=${from}-` } } : {});
  if (!response.ok || !response.body)
    throw new UsageFailure(`${url} answers ${response.status}`, 'type the same again later', 1);
  // A server that knows no ranges sends it all.
  const goesOn = response.status === 206;
  let there = goesOn ? from : 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      there += chunk.length;
      told(there);
      yield chunk;
    }
  };
  try {
    await pipeline(
      response.body,
      counted,
      createWriteStream(path, { flags: goesOn ? 'a' : 'w', mode: 0o600 }),
    );
  } catch (error) {
    throw new UsageFailure(
      `the download broke off at ${there} bytes: ${error instanceof Error ? error.message : error}`,
      'type the same again: it goes on from there',
      1,
    );
  }
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(LIMITS.downloadMs.value) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageFailure(
      `${new URL(url).host} cannot be reached: ${why}`,
      'check the connection, or use mezz model add with a file',
      1,
    );
  }
}

export async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

const readIfThere = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8') : undefined;

/** Everything in open formats: a JSON object a line for rows and entries, a file for each body, and what is what. */
import { type FileHandle, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Refusal, refusal } from '../../base/errors.ts';
import { KEY } from '../../db/schema/access.ts';
import { TABLES } from '../../db/schema/index.ts';
import { REQUEST, SALT } from '../../db/schema/journal.ts';
import { META } from '../../db/schema/meta.ts';
import type { Row, Store, Table, Value } from '../../db/store.ts';
import { rebuildRequest } from '../../journal/context.ts';

type Exported = { files: { path: string; rows: number }[] };

const PAGE = 1000;
/** Secrets of this installation: they prove or identify, and mean nothing elsewhere. */
const SECRET: ReadonlySet<string> = new Set([SALT, META, KEY].map(({ name }) => name));

const README = `An export of mezz.

journal.jsonl    every entry of the journal, in order; \`leaf\` is its leaf in the Merkle tree (RFC 6962), in hex
<table>.jsonl    the rows of a table; bytes are in hex
bodies/<call>    with --all: what the call sent, byte for byte: the body of a model request, or a tool call as canonical JSON

Left out: hashes of keys, salts and other secrets of the installation. Bodies that retention or erasure took are gone.
`;

/** Writes into a new or empty directory; a file that is there is never overwritten. */
export async function exportAll(
  store: Store,
  directory: string,
  withBodies: boolean,
): Promise<Exported | Refusal> {
  try {
    // Not recursive: where a parent cannot hold directories (/proc) Node's own recursion never ends.
    await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if ((await readdir(directory)).length > 0)
      return refusal('bad_request', `${directory} is not empty.`, { remedy: 'name a new directory' });
    const files = [];
    for (const table of TABLES.filter(({ name }) => !SECRET.has(name))) {
      const path = join(directory, `${table.name}.jsonl`);
      files.push({ path, rows: await withFile(path, (file) => exportRows(store, table, file)) });
    }
    const journal = join(directory, 'journal.jsonl');
    files.push({ path: journal, rows: await withFile(journal, (file) => exportEntries(store, file)) });
    const bodies = join(directory, 'bodies');
    if (withBodies) files.push({ path: bodies, rows: await exportBodies(store, bodies) });
    await writeFile(join(directory, 'README'), README, { mode: 0o600, flag: 'wx' });
    return { files };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    // What the disk refuses is the user's to mend; anything else is a bug here.
    if (syscall === undefined) throw error;
    return refusal('bad_request', `${directory} cannot be written (${code}).`, {
      remedy: 'name a new directory that you may write to, on a disk with room',
    });
  }
}

async function withFile(path: string, work: (file: FileHandle) => Promise<number>): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

const asText = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
// Uint8Array has no toJSON, so the replacer sees it as it is.
const lineOf = (row: object): string => `${JSON.stringify(row, asText)}\n`;

/** Pages by the first key column; the rows of a page's last value come whole, by their prefix. */
async function exportRows(store: Store, table: Table, file: FileHandle): Promise<number> {
  const [first = ''] = table.key;
  let written = 0;
  const write = async (rows: readonly Row[]) => {
    for (const row of rows) await file.write(lineOf(row));
    written += rows.length;
  };
  for (let from: Value | undefined; ; ) {
    const page: Row[] = await store.range(table, { ...(from === undefined ? {} : { from }), limit: PAGE });
    const end = page.at(-1)?.[first];
    if (page.length < PAGE || end === undefined) {
      await write(page);
      return written;
    }
    await write(page.filter((row) => row[first] !== end));
    await write(await store.range(table, { prefix: [end], limit: Number.MAX_SAFE_INTEGER }));
    from = typeof end === 'number' ? end + 1 : `${end}\u0000`;
  }
}

async function exportEntries(store: Store, file: FileHandle): Promise<number> {
  let written = 0;
  for (let next = 0; ; ) {
    const page = await store.entries({ log: 0, fromSeq: next, limit: PAGE });
    for (const entry of page) await file.write(lineOf({ ...entry, body: JSON.parse(entry.body) }));
    written += page.length;
    if (page.length < PAGE) return written;
    next = (page.at(-1)?.seq ?? next) + 1;
  }
}

async function exportBodies(store: Store, directory: string): Promise<number> {
  await mkdir(directory, { mode: 0o700 });
  let written = 0;
  for (let from = ''; ; ) {
    const page = await store.range(REQUEST, { from, limit: PAGE });
    for (const { call } of page) {
      const body = call === from ? undefined : await rebuildRequest(store, call);
      if (!body) continue;
      await writeFile(join(directory, call), body, { mode: 0o600, flag: 'wx' });
      written++;
    }
    if (page.length < PAGE) return written;
    from = page.at(-1)?.call ?? '';
  }
}

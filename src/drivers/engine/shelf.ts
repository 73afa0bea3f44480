/** The models of this user: GGUF files in one directory, each with a note of where it came from and its checksum. */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { parseJson } from '../../base/json.ts';
import { optionalText } from '../../wire/members.ts';
import { record } from '../../wire/read.ts';
import { type GgufFacts, readGguf } from './gguf.ts';
import { tinyGguf } from './tiny.ts';

export interface ShelvedModel extends GgufFacts {
  /** How a request names it, behind `engine/`. */
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly source: string;
}

export interface NewModel {
  readonly id?: string;
  /** The file; without one the tiny model is made. */
  readonly path?: string;
  readonly source?: string;
  readonly licence?: string;
  /** The file is the shelf's from now on; else it is copied. */
  readonly move?: boolean;
}

export type Shelving = ShelvedModel | { readonly problem: string; readonly remedy?: string };

const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export class Shelf {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Without a look into the files. */
  ids(): string[] {
    if (!existsSync(this.directory)) return [];
    const names = readdirSync(this.directory).flatMap((name) => /^(.+)\.gguf$/.exec(name)?.[1] ?? []);
    return names.filter((id) => ID.test(id)).sort();
  }

  list(): ShelvedModel[] {
    return this.ids().flatMap((id) => this.find(id) ?? []);
  }

  /** The file of a model that is there. */
  locate(id: string): string | undefined {
    const path = this.#pathOf(id);
    return ID.test(id) && existsSync(path) ? path : undefined;
  }

  find(id: string): ShelvedModel | undefined {
    const path = this.locate(id);
    if (path === undefined) return undefined;
    const facts = readGguf(path);
    const damaged = 'problem' in facts ? { name: `damaged: ${facts.problem}` } : facts;
    const note = record(parseJson(readNote(this.#noteOf(id))));
    return {
      architecture: '',
      licence: undefined,
      windowTokens: undefined,
      chat: false,
      ...damaged,
      ...(optionalText(note.licence) === undefined ? {} : { licence: optionalText(note.licence) }),
      id,
      path,
      bytes: statSync(path).size,
      sha256: optionalText(note.sha256) ?? '',
      source: optionalText(note.source) ?? '',
    };
  }

  /** Takes a model in; a file that is none, or a second one of the same name, is refused. */
  async add(given: NewModel): Promise<Shelving> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const made = given.path === undefined;
    const from = given.path ?? join(this.directory, '.tiny');
    const id = given.id ?? (made ? 'tiny' : idOf(from));
    if (!ID.test(id))
      return { problem: `"${id}" is no name for a model`, remedy: 'use --name with a-z, 0-9 and -' };
    if (existsSync(this.#pathOf(id)))
      return { problem: `there is a model ${id}`, remedy: `mezz model rm ${id}` };
    if (made) writeFileSync(from, tinyGguf());
    if (!statSync(from, { throwIfNoEntry: false })?.isFile()) return { problem: `there is no file ${from}` };
    const facts = readGguf(from);
    if ('problem' in facts) return { problem: `${from} is no model: ${facts.problem}` };
    const move = made || given.move === true;
    const short = move ? undefined : this.#shortOf(statSync(from).size);
    if (short) return short;
    const sha256 = await checksum(from);
    const source = given.source ?? (made ? 'made here: random weights' : from);
    const note = { sha256, source, ...(given.licence === undefined ? {} : { licence: given.licence }) };
    writeFileSync(this.#noteOf(id), JSON.stringify(note));
    if (move) renameSync(from, this.#pathOf(id));
    else this.#copy(from, id);
    return this.find(id) as ShelvedModel;
  }

  /** True if it was there. */
  remove(id: string): boolean {
    const path = this.locate(id);
    if (path === undefined) return false;
    rmSync(path);
    rmSync(this.#noteOf(id), { force: true });
    return true;
  }

  /** A copy that was broken off is not on the shelf. */
  #copy(from: string, id: string): void {
    const part = join(this.directory, `.${id}.part`);
    copyFileSync(from, part);
    renameSync(part, this.#pathOf(id));
  }

  #shortOf(bytes: number): { problem: string } | undefined {
    const { bavail, bsize } = statfsSync(this.directory);
    if (bavail * bsize > bytes) return undefined;
    return { problem: `it needs ${bytes} bytes and ${bavail * bsize} are free in ${this.directory}` };
  }

  readonly #pathOf = (id: string): string => join(this.directory, `${id}.gguf`);
  readonly #noteOf = (id: string): string => join(this.directory, `${id}.json`);
}

const idOf = (path: string): string =>
  basename(path)
    .replace(/\.gguf$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-');

const readNote = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '{}');

async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

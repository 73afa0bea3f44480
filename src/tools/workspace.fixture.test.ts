/** Files, one checkout and ports in memory, as an agent's machine. */
import { posix } from 'node:path';
import { sha256Hex } from '../base/hash.ts';
import type { Content, Digest, ProcessNames, Workspace } from '../base/ports.ts';

export class MemoryWorkspace implements Workspace {
  readonly files = new Map<string, string>();
  readonly listening = new Set<number>();
  /** What the last commit holds. */
  committed = new Map<string, string>();
  now: () => number = () => 0;
  readonly #changedAt = new Map<string, number>();

  copy(): MemoryWorkspace {
    const copied = new MemoryWorkspace();
    for (const [path, content] of this.files) copied.files.set(path, content);
    for (const [path, at] of this.#changedAt) copied.#changedAt.set(path, at);
    for (const port of this.listening) copied.listening.add(port);
    copied.committed = new Map(this.committed);
    return copied;
  }

  write(path: string, content: string): void {
    this.files.set(path, content);
    this.#changedAt.set(path, this.now());
  }

  async canonical(path: string, cwd: string): Promise<string> {
    return posix.resolve(cwd, path);
  }

  async digest(path: string): Promise<Digest | undefined> {
    const content = this.files.get(path);
    if (content === undefined) return undefined;
    return {
      stat: content,
      hash: sha256Hex(Buffer.from(content)),
      changedAt: this.#changedAt.get(path) ?? 0,
    };
  }

  async content(path: string, maxBytes: number): Promise<Content | undefined | 'other'> {
    const content = this.files.get(path);
    if (content !== undefined && content.length > maxBytes) return 'other';
    return content === undefined ? undefined : { bytes: Buffer.from(content), mode: 0o644 };
  }

  async below(directory: string, most: number): Promise<string[] | undefined> {
    const found = [...this.files.keys()].filter((path) => path.startsWith(`${directory}/`));
    return found.length === 0 || found.length > most ? undefined : found;
  }

  async restore(...[path, content]: Parameters<Workspace['restore']>): Promise<undefined> {
    if (content) this.write(path, Buffer.from(content.bytes).toString());
    else this.files.delete(path);
  }

  async checkout(directory: string) {
    if (!`${directory}/`.startsWith('/repo/')) return undefined;
    const gitDir = '/repo/.git';
    const branch = /^ref: (.+)$/.exec(this.files.get(`${gitDir}/HEAD`) ?? '')?.[1];
    return { root: '/repo', gitDir, commonDir: gitDir, branch };
  }

  async uncommitted(root: string) {
    return [...this.files]
      .filter(
        ([path, content]) =>
          path.startsWith(`${root}/`) && !path.includes('/.git/') && this.committed.get(path) !== content,
      )
      .map(([path]) => ({ path, tracked: this.committed.has(path) }));
  }

  /** What processes serve, by their number. */
  readonly served = new Map<number, number>();

  async portsOf(processes: ProcessNames): Promise<number[]> {
    return 'pids' in processes ? processes.pids.flatMap((pid) => this.served.get(pid) ?? []) : [];
  }

  async isListening(port: number): Promise<boolean> {
    return this.listening.has(port);
  }
}

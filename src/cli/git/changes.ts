import type { Checkout } from './checkout.ts';
import { snapshotTree, type Work } from './worktree.ts';

export interface ChangedFile {
  readonly path: string;
  /** Lines; null for a binary file. */
  readonly added: number | null;
  readonly deleted: number | null;
}
export interface Changes {
  readonly base: string;
  /** The worktree's files as they stand, committed or not. */
  readonly tree: string;
  readonly commits: readonly { readonly id: string; readonly subject: string }[];
  readonly files: readonly ChangedFile[];
}

/**
 * Where an agent's own changes begin: the commit it branched off from, or a later one of the checkout that it has
 * taken in since (by a merge or a rebase), so that what it took in does not count as its own.
 */
async function findBase(work: Work, checkout: Checkout | undefined): Promise<string> {
  if (!checkout || checkout.repository !== work.repository) return work.base;
  const shared = await work.git.run('merge-base', checkout.head, work.head);
  const commit = shared.out.trim();
  if (shared.code !== 0 || commit === work.base) return work.base;
  return (await work.git.ok('merge-base', '--is-ancestor', work.base, commit)) ? commit : work.base;
}

/** What an agent changed: commits, uncommitted changes and untracked files together. */
export async function readChanges(
  work: Work,
  checkout: Checkout | undefined,
  paths: readonly string[],
): Promise<Changes> {
  const base = await findBase(work, checkout);
  const tree = await snapshotTree(work);
  const log = await work.git.text(['log', '--format=%H %s', `${base}..${work.head}`, '--']);
  const numbers = await work.git.text([
    'diff',
    '--numstat',
    '-z',
    '--no-renames',
    base,
    tree,
    '--',
    ...paths,
  ]);
  return {
    base,
    tree,
    commits: log.split('\n').flatMap(readCommit),
    files: numbers.split('\0').flatMap(readFile),
  };
}

function readCommit(line: string) {
  const space = line.indexOf(' ');
  return space === -1 ? [] : [{ id: line.slice(0, space), subject: line.slice(space + 1) }];
}

function readFile(line: string): ChangedFile[] {
  const [added, deleted, path] = line.split('\t');
  if (path === undefined) return [];
  const count = (text: string | undefined) => (text === '-' ? null : Number(text));
  return [{ path, added: count(added), deleted: count(deleted) }];
}

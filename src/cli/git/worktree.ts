import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageFailure } from '../exit.ts';
import { BASE_REF, type Checkout, countUncommitted } from './checkout.ts';
import type { Git } from './git.ts';

/** One agent's worktree as it stands. */
export interface Work {
  readonly name: string;
  readonly git: Git;
  readonly path: string;
  readonly repository: string;
  /** The branch made for the agent, and the one its worktree is on (null: on none). */
  readonly ownBranch: string;
  readonly branch: string | null;
  readonly base: string;
  readonly head: string;
  readonly uncommitted: number;
}

/** Set to the commit that a squash took over: its history does not show that. */
export const MERGED_REF = 'refs/worktree/mezz/merged';
/** A squash has no second parent; discarded work is kept by whoever threw it away. */
const KEEPER = {
  GIT_AUTHOR_NAME: 'mezz',
  GIT_AUTHOR_EMAIL: 'mezz@localhost',
  GIT_COMMITTER_NAME: 'mezz',
  GIT_COMMITTER_EMAIL: 'mezz@localhost',
};

export const branchOf = (name: string): string => `mezz/${name}`;

const failed = (message: string, remedy?: string): UsageFailure => new UsageFailure(message, remedy, 1);

/**
 * Where a worktree lies: in the state directory, not in the checkout (nothing that searches, watches or builds there
 * finds a second copy) nor beside it (that directory may be anybody's).
 */
export function worktreePath(stateDir: string, repository: string, name: string): string {
  const place = basename(repository) === '.git' ? dirname(repository) : repository;
  const key = createHash('sha256').update(repository).digest('hex').slice(0, 8);
  return join(stateDir, 'worktrees', `${basename(place)}-${key}`, name);
}

/** Refuses a name that is taken in this repository, or that git cannot give to a branch. */
export async function refuseTaken(checkout: Checkout, stateDir: string, name: string): Promise<void> {
  const branch = branchOf(name);
  if (!(await checkout.git.ok('check-ref-format', '--branch', branch)))
    throw failed(`git allows no branch ${branch}`, 'give it another name: --name <name>');
  if (await checkout.git.ok('show-ref', '--verify', '--quiet', `refs/heads/${branch}`))
    throw failed(
      `the branch ${branch} exists already, perhaps with an agent's work in it`,
      `mezz merge ${name}, mezz discard ${name}, or another --name; git branch -D ${branch} deletes it`,
    );
  const path = worktreePath(stateDir, checkout.repository, name);
  if (existsSync(path)) throw failed(`${path} exists already`, `move it away, or give another --name`);
}

/** Makes a worktree on a branch of its own, at the checkout's commit. Returns its path; on failure nothing is left. */
export async function createWorktree(checkout: Checkout, stateDir: string, name: string): Promise<string> {
  await refuseTaken(checkout, stateDir, name);
  const path = worktreePath(stateDir, checkout.repository, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { git, head } = checkout;
  try {
    await git.text(['worktree', 'add', '--quiet', '-b', branchOf(name), path, head], 'git worktree list');
    await git.in(path).text(['update-ref', BASE_REF, head]);
  } catch (error) {
    await git.run('worktree', 'remove', '--force', path);
    await git.run('branch', '--quiet', '-D', branchOf(name));
    throw error;
  }
  return path;
}

/** Where in the worktree a program starts: the same folder as in the checkout, where the commit has it. */
export function startDirectory(path: string, inside: string): string {
  const same = resolve(path, inside);
  return statSync(same, { throwIfNoEntry: false })?.isDirectory() ? same : path;
}

/** Looks at an agent's worktree. Throws when it is not there any more. */
export async function readWork(git: Git, name: string, path: string): Promise<Work> {
  const base = existsSync(path) ? await git.in(path).commit(BASE_REF) : undefined;
  if (base === undefined)
    throw failed(
      `${name}'s worktree is gone: ${path}`,
      `what it committed is on the branch ${branchOf(name)}; mezz discard ${name} --force forgets the worktree`,
    );
  const here = git.in(path);
  const common = await here.text(['rev-parse', '--git-common-dir']);
  const branch = await here.run('symbolic-ref', '--quiet', '--short', 'HEAD');
  return {
    name,
    git: here,
    path,
    repository: resolve(path, common),
    ownBranch: branchOf(name),
    branch: branch.code === 0 ? branch.out.trim() : null,
    base,
    head: await here.text(['rev-parse', 'HEAD']),
    uncommitted: await countUncommitted(here),
  };
}

export const isUntouched = (work: Work): boolean =>
  work.uncommitted === 0 && work.head === work.base && work.branch === work.ownBranch;

/** The worktree's files as a tree, changed and untracked ones too. The agent's own index is not touched. */
export async function snapshotTree(work: Work): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-index-'));
  try {
    const index = join(directory, 'index');
    const own = resolve(work.path, await work.git.text(['rev-parse', '--git-path', 'index']));
    if (existsSync(own)) copyFileSync(own, index);
    const git = work.git.with({ GIT_INDEX_FILE: index });
    await git.text(['add', '--all']);
    return await git.text(['write-tree']);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Git repositories that the agent made inside its worktree: a commit of the worktree does not hold what is in them. */
export async function innerRepositories(work: Work, tree: string): Promise<string[]> {
  const listed = await work.git.text(['ls-tree', '-r', '-z', tree]);
  return listed
    .split('\0')
    .filter((line) => line.startsWith('160000 '))
    .map((line) => line.slice(line.indexOf('\t') + 1));
}

/** A commit that holds everything in the worktree, uncommitted work too; git keeps it until it is pruned. */
export async function keepCommit(work: Work): Promise<string> {
  if (work.uncommitted === 0) return work.head;
  const tree = await snapshotTree(work);
  const message = `work of ${work.name}, not committed when it was discarded`;
  return work.git.with(KEEPER).text(['commit-tree', tree, '-p', work.head, '-m', message]);
}

/** Commits that are on no branch, tag or remote but an agent's own. */
export async function countUnmerged(work: Work): Promise<number> {
  if ((await work.git.commit(MERGED_REF)) === work.head) return 0;
  const tips = [work.head, (await work.git.commit(work.ownBranch)) ?? work.head];
  const others = ['--not', '--exclude=mezz/*', '--branches', '--tags', '--remotes'];
  return Number(await work.git.text(['rev-list', '--count', ...tips, ...others]));
}

/** Takes the worktree and its branch away; what was in them must have been looked at before. */
export async function removeWork(
  work: Pick<Work, 'git' | 'repository' | 'path' | 'ownBranch'>,
): Promise<void> {
  const git = work.git.in(work.repository);
  if (existsSync(work.path))
    await git.text(['worktree', 'remove', '--force', work.path], 'git worktree list');
  else await git.text(['worktree', 'prune']);
  if (await git.ok('show-ref', '--verify', '--quiet', `refs/heads/${work.ownBranch}`))
    await git.text(['branch', '--quiet', '-D', work.ownBranch]);
}

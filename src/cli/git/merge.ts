import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageFailure } from '../exit.ts';
import { type Checkout, countUncommitted } from './checkout.ts';
import { innerRepositories, MERGED_REF, snapshotTree, type Work } from './worktree.ts';

export interface MergeOptions {
  readonly squash?: boolean;
  readonly message?: string;
}
export type Merged =
  | { readonly state: 'nothing' }
  | { readonly state: 'merged'; readonly commit: string; readonly commits: number }
  | { readonly state: 'conflict'; readonly files: readonly string[] };

const failed = (message: string, remedy: string): UsageFailure => new UsageFailure(message, remedy, 1);

/** A merge or rebase that the agent has not finished: committing now would commit its conflict marks. */
async function refuseUnfinished(work: Work): Promise<void> {
  const marks = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge', 'rebase-apply'];
  for (const mark of marks) {
    const path = resolve(work.path, await work.git.text(['rev-parse', '--git-path', mark]));
    if (existsSync(path))
      throw failed(
        `${work.name} left a merge or rebase unfinished in its worktree`,
        `cd ${work.path} && git status`,
      );
  }
}

async function refuseElsewhere(work: Work): Promise<void> {
  const own = await work.git.commit(work.ownBranch);
  if (own !== undefined && !(await work.git.ok('merge-base', '--is-ancestor', own, 'HEAD')))
    throw failed(
      `${work.name}'s worktree is on ${work.branch ?? 'no branch'}, which does not have all of ${work.ownBranch}`,
      `cd ${work.path} && git switch ${work.ownBranch}, or merge the one you want with git itself`,
    );
}

/** Commits what the agent left uncommitted, on its own branch, by the user's git: their hooks run. */
export async function commitRest(work: Work, message: string): Promise<string> {
  await refuseUnfinished(work);
  await refuseElsewhere(work);
  if (work.uncommitted === 0) return work.head;
  const inner = await innerRepositories(work, await snapshotTree(work));
  if (inner.length > 0)
    throw failed(
      `${work.name} made git repositories inside its worktree (${inner.join(', ')}): a merge would not bring what is in them`,
      `move them out of ${work.path}, or delete their .git`,
    );
  await work.git.text(['add', '--all']);
  await work.git.text(
    ['commit', '--quiet', '-m', message],
    `mend it in ${work.path}, then the same again; nothing was merged`,
  );
  return work.git.text(['rev-parse', 'HEAD']);
}

/** A checkout with changes of its own is left alone: a failed merge could not be undone without them. */
export async function refuseDirty(checkout: Checkout): Promise<void> {
  if (await checkout.git.commit('MERGE_HEAD'))
    throw failed(
      `${checkout.root} is in the middle of a merge`,
      'git commit concludes it, git merge --abort ends it',
    );
  const changed = await countUncommitted(checkout.git, 'no');
  if (changed > 0)
    throw failed(
      `${checkout.root} has uncommitted changes in ${changed} ${changed === 1 ? 'file' : 'files'}`,
      'git commit or git stash, then the same again',
    );
}

/** Merges the agent's commits up to `tip` into the checkout's branch. A conflict stays in place as git left it. */
export async function mergeWork(
  checkout: Checkout,
  work: Work,
  tip: string,
  options: MergeOptions,
): Promise<Merged> {
  const { git } = checkout;
  const commits = Number(await git.text(['rev-list', '--count', `${checkout.head}..${tip}`]));
  if (commits === 0) return { state: 'nothing' };
  const source = work.branch ?? tip;
  const message = options.message ?? (await squashMessage(checkout, work, tip));
  const how = options.squash
    ? ['--squash']
    : options.message === undefined
      ? ['--no-edit']
      : ['--no-ff', '-m', options.message];
  const merge = await git.run('merge', ...how, source);
  if (merge.code !== 0) return conflictOf(checkout, work.name, merge.err || merge.out);
  if (options.squash) {
    if (await git.ok('diff', '--cached', '--quiet')) return { state: 'nothing' };
    await git.text(
      ['commit', '--quiet', '-m', message],
      `git commit takes what is staged, mezz merge ${work.name} --abort gives it up`,
    );
    await work.git.text(['update-ref', MERGED_REF, tip]);
  }
  return { state: 'merged', commit: await git.text(['rev-parse', 'HEAD']), commits };
}

/** "Work of fix" and its commits' subjects, oldest first. */
async function squashMessage({ git, head }: Checkout, work: Work, tip: string): Promise<string> {
  const subjects = await git.text(['log', '--reverse', '--format=- %s', `${head}..${tip}`, '--']);
  return `Work of ${work.name}\n\n${subjects}`;
}

async function conflictOf({ git }: Checkout, name: string, said: string): Promise<Merged> {
  const unmerged = await git.text(['diff', '--name-only', '--diff-filter=U', '-z']);
  const files = unmerged.split('\0').filter(Boolean);
  if (files.length > 0) return { state: 'conflict', files };
  // A hook said no, or an untracked file is in the way: git names it.
  const merging = (await git.commit('MERGE_HEAD')) !== undefined;
  throw failed(
    `git merge stopped: ${said.trim()}`,
    merging ? `git commit, or mezz merge ${name} --abort` : 'mend what git says, then the same again',
  );
}

/** Ends a merge of this agent's work that stopped; the checkout is as it was before. */
export async function abortMerge(checkout: Checkout, work: Work): Promise<void> {
  const { git } = checkout;
  const merging = await git.commit('MERGE_HEAD');
  if (merging !== undefined) {
    if (!(await git.ok('merge-base', '--is-ancestor', merging, work.head)))
      throw failed(
        `the merge in progress is not one of ${work.name}'s work`,
        'git status; git merge --abort ends it',
      );
    await git.text(['merge', '--abort']);
    return;
  }
  const squash = resolve(checkout.root, await git.text(['rev-parse', '--git-path', 'SQUASH_MSG']));
  if (!existsSync(squash)) throw failed(`no merge of ${work.name}'s work is in progress`, 'git status');
  await git.text(['reset', '--merge']);
}

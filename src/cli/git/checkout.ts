import { resolve } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';
import { Git } from './git.ts';

/** A user's own checkout: where agents branch off, and where their work comes back to. */
export interface Checkout {
  readonly git: Git;
  readonly root: string;
  /** The repository's own directory: what its worktrees have in common. */
  readonly repository: string;
  readonly branch: string;
  readonly head: string;
  /** The directory the command was typed in, relative to the root; '' is the root. */
  readonly inside: string;
}

/** A commit an agent's worktree began at; refs/worktree/ is each worktree's own and goes with it. */
export const BASE_REF = 'refs/worktree/mezz/base';

const failed = (message: string, remedy?: string): UsageFailure => new UsageFailure(message, remedy, 1);

async function findWorkTree(git: Git): Promise<void> {
  const found = await git.run('rev-parse', '--is-bare-repository', '--is-inside-work-tree');
  if (found.code !== 0) {
    if (/not a git repository/.test(found.err))
      throw failed(`${git.directory} is in no git repository`, 'cd to one, or git init and a first commit');
    throw failed(found.err.trim(), 'mend what git says, and type the same again');
  }
  const [bare, inside] = found.out.trim().split('\n');
  if (bare === 'true')
    throw failed(
      `${git.directory} is a bare repository: it has no checkout to branch off from`,
      'type it in a checkout: git worktree add ../checkout',
    );
  if (inside !== 'true')
    throw failed(`${git.directory} lies in git's own directory`, 'cd to the checkout itself');
}

/** The checkout the command was typed in. Throws, with what to type next, where an agent could not work on it. */
export async function findCheckout(session: Session): Promise<Checkout> {
  const git = new Git(session.cwd, session.env);
  await findWorkTree(git);
  const [root = '', common = '', inside = ''] = (
    await git.text(['rev-parse', '--show-toplevel', '--git-common-dir', '--show-prefix'])
  ).split('\n');
  if (await git.commit(BASE_REF))
    throw failed(
      `${root} is an agent's own worktree: what is begun in it would end with it`,
      'cd to your own checkout (git worktree list shows it first), and type the same there',
    );
  const head = await git.commit('HEAD');
  if (head === undefined)
    throw failed(`${root} has no commit yet: there is nothing to branch off from`, 'git commit');
  const branch = await git.run('symbolic-ref', '--quiet', '--short', 'HEAD');
  if (branch.code !== 0)
    throw failed(
      `${root} is on no branch (detached HEAD): there is none that an agent's work could come back to`,
      'git switch <branch>, or git switch -c <new branch>',
    );
  const repository = resolve(session.cwd, common);
  return { git: git.in(root), root, repository, branch: branch.out.trim(), head, inside };
}

/** Refuses what a worktree would not hold whole: a submodule's commits would lie in the worktree and end with it. */
export async function refuseSubmodules({ git, root }: Checkout): Promise<void> {
  if (await git.ok('cat-file', '-e', 'HEAD:.gitmodules'))
    throw failed(
      `${root} has submodules, and git keeps what is committed in a worktree's submodule inside that worktree: it would be lost with it`,
      'clone the repository once more and run the agent there, or run it here without --worktree',
    );
}

/** How many files have changes that no commit holds; untracked ones count too. */
export async function countUncommitted(git: Git, untracked: 'no' | 'normal' = 'normal'): Promise<number> {
  const text = await git.text(['status', '--porcelain', `--untracked-files=${untracked}`]);
  return text === '' ? 0 : text.split('\n').length;
}

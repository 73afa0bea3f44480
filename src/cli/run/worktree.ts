import type { Launch } from '../../base/control.ts';
import { UsageFailure } from '../exit.ts';
import { type Checkout, countUncommitted, findCheckout, refuseSubmodules } from '../git/checkout.ts';
import { Git, gitEnvironment } from '../git/git.ts';
import {
  branchOf,
  createWorktree,
  isUntouched,
  readWork,
  refuseTaken,
  removeWork,
  startDirectory,
  type Work,
} from '../git/worktree.ts';
import type { Session } from '../session.ts';

/** Looks, before anything is started, whether agents can have worktrees here; says what will not be in them. */
export async function prepareWorktrees(session: Session, name: string | undefined): Promise<Checkout> {
  const checkout = await findCheckout(session);
  await refuseSubmodules(checkout);
  if (name !== undefined) await refuseTaken(checkout, session.stateDir, name);
  const changed = await countUncommitted(checkout.git);
  if (changed > 0)
    session.terminal.note(
      `mezz: your uncommitted changes (${changed} ${changed === 1 ? 'file' : 'files'}) are not in the worktree: it begins at the last commit of ${checkout.branch}`,
    );
  return checkout;
}

/** An agent to start, and its worktree where it has one. */
export interface Place {
  readonly launch: Launch;
  readonly worktree?: string;
}

async function giveWorktree(session: Session, checkout: Checkout, launch: Launch): Promise<Place> {
  const worktree = await createWorktree(checkout, session.stateDir, launch.name);
  await session.control.call('agent.worktree', { agent: String(launch.pid), worktree });
  session.terminal.note(`mezz: ${launch.name} works in ${worktree}, on branch ${branchOf(launch.name)}`);
  return { launch: { ...launch, cwd: startDirectory(worktree, checkout.inside) }, worktree };
}

/** Gives each agent a worktree; its program then starts there. On failure none is left, and the agents are closed. */
export async function giveWorktrees(
  session: Session,
  checkout: Checkout,
  launches: readonly Launch[],
): Promise<Place[]> {
  const places: Place[] = [];
  try {
    // One after the other: git locks the repository while it makes a worktree.
    for (const launch of launches) places.push(await giveWorktree(session, checkout, launch));
    return places;
  } catch (error) {
    for (const { launch, worktree } of places) if (worktree) await finishWorktree(session, launch, worktree);
    for (const { pid } of launches)
      await session.control.call('agent.exited', { agent: String(pid), exitCode: null, signal: null });
    throw error;
  }
}

/** A program in a worktree must not inherit a git directory of another one. */
export const inWorktree = (session: Session): Session => ({ ...session, env: gitEnvironment(session.env) });

/** After the program's end: an untouched worktree goes; what is in another is said, and what to do with it. */
export async function finishWorktree(session: Session, { pid, name }: Launch, path: string): Promise<void> {
  const { terminal } = session;
  try {
    const work = await readWork(new Git(session.cwd, session.env), name, path);
    if (isUntouched(work)) {
      await removeWork(work);
      await session.control.call('agent.worktree', { agent: String(pid), worktree: null });
      terminal.note(`mezz: ${name} changed nothing; its worktree is removed`);
    } else terminal.note(...describeWork(work));
  } catch (error) {
    // The program's exit code is what the caller asked for; its work stays where it is.
    if (!(error instanceof Error)) throw error;
    terminal.note(`mezz: ${error.message}`);
    if (error instanceof UsageFailure && error.remedy) terminal.note(`Next: ${error.remedy}`);
  }
}

function describeWork({ name, path, branch, base, head, uncommitted }: Work): string[] {
  const parts = [
    ...(head === base ? [] : ['commits']),
    ...(uncommitted > 0
      ? [`uncommitted changes in ${uncommitted} ${uncommitted === 1 ? 'file' : 'files'}`]
      : []),
  ];
  return [
    `mezz: ${name} left ${parts.join(' and ') || 'another branch'} in ${path} (${branch ?? 'on no branch'})`,
    `Next: mezz diff ${name}`,
    `      mezz merge ${name}`,
    `      mezz discard ${name}`,
  ];
}

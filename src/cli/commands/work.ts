import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { AgentView } from '../../base/control.ts';
import { confirm } from '../confirm.ts';
import { UsageFailure } from '../exit.ts';
import { type Changes, readChanges } from '../git/changes.ts';
import { type Checkout, findCheckout } from '../git/checkout.ts';
import { Git } from '../git/git.ts';
import { abortMerge, commitRest, type Merged, mergeWork, refuseDirty } from '../git/merge.ts';
import { branchOf, countUnmerged, keepCommit, readWork, removeWork, type Work } from '../git/worktree.ts';
import type { Session } from '../session.ts';
import { asJson, type ViewOptions } from '../view.ts';

interface DiffOptions extends ViewOptions {
  readonly stat?: boolean;
  readonly nameOnly?: boolean;
}
interface MergeCommandOptions extends ViewOptions {
  readonly squash?: boolean;
  readonly message?: string;
  readonly abort?: boolean;
}
interface DiscardOptions extends ViewOptions {
  readonly force?: boolean;
}
type Worker = AgentView & { readonly worktree: string };

const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? '' : 's'}`;
const short = (id: string): string => id.slice(0, 12);

async function findWorker(session: Session, selector: string): Promise<Worker> {
  const { agent } = await session.control.call('agent.show', { agent: selector });
  if (agent.worktree === null)
    throw new UsageFailure(
      `${agent.name} has no worktree of its own`,
      `mezz run --worktree --name ${agent.name} -- <command> gives it one`,
      3,
    );
  return agent as Worker;
}

const readWorkOf = (session: Session, { name, worktree }: Worker): Promise<Work> =>
  readWork(new Git(session.cwd, session.env), name, worktree);

/** The checkout the user is in, where there is one. */
const checkoutHere = (session: Session): Promise<Checkout | undefined> =>
  findCheckout(session).catch((error: unknown) => {
    if (error instanceof UsageFailure) return undefined;
    throw error;
  });

async function diff(
  session: Session,
  selector: string,
  paths: readonly string[],
  options: DiffOptions,
): Promise<void> {
  const { terminal } = session;
  const agent = await findWorker(session, selector);
  const work = await readWorkOf(session, agent);
  const changes = await readChanges(work, await checkoutHere(session), paths);
  const running = agent.state !== 'exited';
  if (options.json) {
    const { name, worktree } = agent;
    const { branch, head, uncommitted } = work;
    const { tree: _tree, ...shown } = changes;
    return terminal.printJson({
      schema: 'mezz.diff/1',
      ...{ agent: name, worktree, branch, head, uncommitted, running },
      ...shown,
    });
  }
  await printDiff(session, work, changes, paths, options);
  const files = work.uncommitted > 0 ? ` and ${count(work.uncommitted, 'uncommitted file')}` : '';
  terminal.note(
    `mezz: ${agent.name}: ${count(changes.commits.length, 'commit')}${files} since ${short(changes.base)}${running ? '; it still runs: this is how it stands now' : ''}`,
  );
}

async function printDiff(
  { terminal }: Session,
  work: Work,
  { base, tree }: Changes,
  paths: readonly string[],
  options: DiffOptions,
): Promise<void> {
  const how = [...(options.stat ? ['--stat'] : []), ...(options.nameOnly ? ['--name-only'] : [])];
  const args = ['diff', ...how, base, tree, '--', ...paths];
  if (terminal.interactive) await work.git.showOnTerminal(args);
  else terminal.out.write((await work.git.run(...args)).out);
}

/** The commit to merge. A running agent's files are left alone: only what it has committed is taken. */
async function tipOf(agent: Worker, work: Work, message: string | undefined): Promise<string> {
  if (agent.state === 'exited') return commitRest(work, message ?? `Work of ${agent.name}`);
  if (work.uncommitted > 0)
    throw new UsageFailure(
      `${agent.name} still runs and has uncommitted changes in ${count(work.uncommitted, 'file')}`,
      `ask it to commit, or mezz kill ${agent.name}; then the same again`,
      1,
    );
  return work.head;
}

async function merge(session: Session, selector: string, options: MergeCommandOptions): Promise<void> {
  const agent = await findWorker(session, selector);
  const work = await readWorkOf(session, agent);
  const checkout = await findCheckout(session);
  if (checkout.repository !== work.repository)
    throw new UsageFailure(
      `${agent.name} works on another repository: ${work.repository}`,
      `cd to a checkout of it, and type the same there`,
      1,
    );
  if (options.abort) {
    await abortMerge(checkout, work);
    const done = { schema: 'mezz.merge/1', agent: agent.name, into: checkout.branch, state: 'aborted' };
    if (options.json) return session.terminal.printJson(done);
    return session.terminal.print(`${checkout.branch} is as it was; ${agent.name}'s work is kept`);
  }
  await refuseDirty(checkout);
  const tip = await tipOf(agent, work, options.message);
  reportMerge(session, agent, checkout, await mergeWork(checkout, work, tip, options), options);
}

function reportMerge(
  session: Session,
  { name }: Worker,
  { branch }: Checkout,
  merged: Merged,
  options: MergeCommandOptions,
): void {
  const { terminal } = session;
  if (merged.state === 'conflict') session.exit = 1;
  if (options.json)
    return terminal.printJson({ schema: 'mezz.merge/1', agent: name, into: branch, ...merged });
  if (merged.state === 'conflict') {
    terminal.print(...merged.files.map((file) => `conflict: ${file}`));
    terminal.note(
      `mezz: ${name}'s work and ${branch} changed the same lines; both are kept`,
      `Next: mend the files, git add them, git commit`,
      `      or give up: mezz merge ${name} --abort`,
    );
    return;
  }
  if (merged.state === 'nothing') terminal.print(`${branch} has all of ${name}'s work`);
  else
    terminal.print(
      `${count(merged.commits, 'commit')} of ${name} are in ${branch}${options.squash ? ', as one' : ''}: ${short(merged.commit)}`,
    );
  terminal.note(`Next: mezz discard ${name} (its worktree is no longer needed)`);
}

async function discard(session: Session, selector: string, options: DiscardOptions): Promise<void> {
  const agent = await findWorker(session, selector);
  const { name } = agent;
  if (agent.state !== 'exited')
    throw new UsageFailure(`${name} still runs in its worktree`, `mezz kill ${name}, then the same again`, 1);
  const commit =
    options.force && !existsSync(agent.worktree)
      ? await discardBranch(session, agent)
      : await discardWork(session, agent, options);
  await session.control.call('agent.worktree', { agent: String(agent.pid), worktree: null });
  const { terminal } = session;
  if (options.json)
    return terminal.printJson({
      schema: 'mezz.discard/1',
      agent: name,
      worktree: agent.worktree,
      branch: branchOf(name),
      commit,
    });
  terminal.print(`${name}'s worktree and branch are gone`);
  if (commit !== null)
    terminal.note(
      `To get its work back, while git keeps it (two weeks by default): git branch ${name} ${short(commit)}`,
    );
}

/** Its directory was deleted: what it had committed is still on its branch. Returns that branch's commit. */
async function discardBranch(session: Session, { name, worktree }: Worker): Promise<string | null> {
  const { git, repository } = await findCheckout(session);
  const ownBranch = branchOf(name);
  const commit = (await git.commit(`refs/heads/${ownBranch}`)) ?? null;
  await removeWork({ git, repository, path: worktree, ownBranch });
  return commit;
}

/** Removes it; returns the commit that holds all of it. Fails where work would be lost that nobody gave up. */
async function discardWork(session: Session, agent: Worker, options: DiscardOptions): Promise<string> {
  const work = await readWorkOf(session, agent);
  const unmerged = await countUnmerged(work);
  if (unmerged + work.uncommitted > 0 && !options.force) {
    const lost = `${count(unmerged, 'commit')} and ${count(work.uncommitted, 'uncommitted file')} of ${agent.name} are nowhere else`;
    if (!(await confirm(session, `${lost}. Discard them?`)))
      throw new UsageFailure(
        lost,
        `mezz diff ${agent.name}, mezz merge ${agent.name}, or mezz discard ${agent.name} --force`,
      );
  }
  const commit = await keepCommit(work);
  await removeWork(work);
  return commit;
}

export function define(program: Command, session: Session): void {
  const selector = 'pid, name, or the beginning of a name';
  asJson(program.command('diff').description('what an agent changed in its worktree, committed or not'))
    .argument('<agent>', selector)
    .argument('[paths...]', 'only these, from the root of the repository')
    .option('--stat', 'files and lines alone')
    .option('--name-only', 'names alone')
    .addHelpText(
      'after',
      '\nExamples:\n  mezz diff fix\n  mezz diff fix --stat\n  mezz diff fix -- src/ README.md',
    )
    .action((agent: string, paths: string[], options: DiffOptions) => diff(session, agent, paths, options));
  asJson(program.command('merge').description("bring an agent's work into the branch you are on"))
    .argument('<agent>', selector)
    .option('--squash', 'as one commit')
    .option('-m, --message <text>', 'for what is committed')
    .option('--abort', 'end a merge that stopped at a conflict')
    .addHelpText(
      'after',
      "\nWhat the agent left uncommitted is committed on its branch first. Of an agent that still runs only\nwhat it has committed is taken. Ignored files are not part of its work.\n\nExamples:\n  mezz merge fix\n  mezz merge fix --squash -m 'Fix the login'\n  mezz merge fix --abort",
    )
    .action((agent: string, options: MergeCommandOptions) => merge(session, agent, options));
  asJson(program.command('discard').description("remove an agent's worktree and branch"))
    .argument('<agent>', selector)
    .option('--force', 'also when its work is nowhere else')
    .addHelpText(
      'after',
      '\nThe commit that holds the work is printed. Files that git ignores are not in it.\n\nExamples:\n  mezz discard fix\n  mezz discard fix --force',
    )
    .action((agent: string, options: DiscardOptions) => discard(session, agent, options));
}

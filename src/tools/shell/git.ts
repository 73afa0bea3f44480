/** What a git command touches: the index, which branch is checked out, the commit it is at, shared refs, and files. */
import { tableOf } from '../../base/json.ts';
import type { Access } from '../../base/manifest.ts';
import type { Discards, GitPart, Touch } from '../effects.ts';
import type { Word } from './words.ts';

type Parts = Partial<Record<GitPart, Access>>;

interface Reading {
  readonly parts: Parts;
  /** What it does to the files of the checkout. */
  readonly tree?: Access;
  readonly discards?: Discards;
  /** Or only to these. */
  readonly paths?: readonly string[];
}

const LOOKS: Parts = { index: 'read', head: 'read' };
const SEES_COMMITS: Parts = { ...LOOKS, tip: 'read' };
const STAGES: Parts = { index: 'delta', head: 'read' };
const SHARED: Parts = { refs: 'delta' };
/** Commits on the branch that its agent believes to be checked out. */
const COMMITS: Parts = { index: 'delta', head: 'replace', tip: 'delta' };
const MOVES_TIP: Parts = { index: 'delta', head: 'replace', tip: 'replace' };

type Args = readonly string[];
const has = (args: Args, ...names: string[]): boolean =>
  args.some(
    (arg) => names.includes(arg) || names.some((name) => name.startsWith('--') && arg.startsWith(`${name}=`)),
  );
const plain = (args: Args, ...taking: string[]): string[] =>
  args.filter((arg, at) => !arg.startsWith('-') && !taking.includes(args[at - 1] ?? ''));
/** Paths behind `--`, or those that can only be paths. */
const pathsOf = (args: Args): string[] => {
  const at = args.indexOf('--');
  return at === -1 ? plain(args).filter((arg) => arg === '.' || arg.startsWith('./')) : args.slice(at + 1);
};

/** `git checkout <commit> a.ts` takes files from it, and so does a name that is a file's more likely than a branch's. */
function namedFiles(args: Args): string[] {
  const paths = pathsOf(args);
  const [first = '', ...more] = plain(args);
  if (paths.length > 0 || args.includes('--')) return paths;
  return more.length > 0 ? more : /\.[A-Za-z]\w*$|\/$/.test(first) ? [first] : [];
}

/** `-fdn` is `-f`, `-d` and `-n`. */
const hasLetter = (args: Args, letter: string): boolean =>
  args.some((arg) => /^-\w/.test(arg) && arg.includes(letter));

const reads = (parts: Parts) => (): Reading => ({ parts });

const SUBCOMMANDS = tableOf<(args: Args) => Reading>({
  status: reads(LOOKS),
  diff: reads(LOOKS),
  'ls-files': reads(LOOKS),
  grep: reads(LOOKS),
  log: reads(SEES_COMMITS),
  show: reads(SEES_COMMITS),
  reflog: reads(SEES_COMMITS),
  blame: reads(SEES_COMMITS),
  'rev-parse': reads(SEES_COMMITS),
  'rev-list': reads(SEES_COMMITS),
  describe: reads(SEES_COMMITS),
  shortlog: reads(SEES_COMMITS),
  'merge-base': reads(SEES_COMMITS),
  'ls-tree': reads(SEES_COMMITS),
  'for-each-ref': reads(SEES_COMMITS),
  'show-ref': reads(SEES_COMMITS),
  'name-rev': reads(SEES_COMMITS),
  'diff-tree': reads(SEES_COMMITS),
  'check-ignore': reads({}),
  version: reads({}),
  help: reads({}),
  'cat-file': reads({}),
  'ls-remote': reads({}),
  remote: reads({}),
  config: reads({}),
  add: reads(STAGES),
  fetch: reads(SHARED),
  push: reads({ refs: 'delta', tip: 'read', head: 'read' }),
  gc: reads(SHARED),
  tag: reads(SHARED),
  worktree: (args) =>
    args[0] === 'remove'
      ? { parts: SHARED, paths: plain(args).slice(1), tree: 'replace', discards: 'all' }
      : { parts: SHARED },
  rm: (args) =>
    has(args, '--cached')
      ? { parts: STAGES }
      : { parts: STAGES, paths: plain(args), tree: 'replace', discards: 'tracked' },
  mv: (args) => ({ parts: STAGES, paths: plain(args), tree: 'replace' }),
  branch: (args) =>
    has(args, '-d', '-D', '-m', '-M', '-f', '--delete', '--move', '--force') || plain(args).length > 0
      ? { parts: SHARED }
      : { parts: SEES_COMMITS },
  commit: (args) => ({ parts: has(args, '--amend') ? MOVES_TIP : COMMITS }),
  switch: (args) => ({
    parts: has(args, '-C', '--force-create') ? MOVES_TIP : { index: 'delta', head: 'replace' },
    ...(has(args, '-f', '--force', '--discard-changes')
      ? { tree: 'replace', discards: 'tracked' }
      : { tree: 'delta' }),
  }),
  checkout: (args) => {
    const isNew = has(args, '-b', '-B', '--orphan', '-t', '--track');
    const paths = isNew ? [] : namedFiles(args);
    if (paths.length > 0) return { parts: STAGES, paths, tree: 'replace', discards: 'tracked' };
    const forced = has(args, '-f', '--force');
    return {
      parts: has(args, '-B') ? MOVES_TIP : { index: 'delta', head: 'replace' },
      ...(forced ? { tree: 'replace', discards: 'tracked' } : { tree: 'delta' }),
    };
  },
  restore: (args) =>
    has(args, '--staged', '-S') && !has(args, '--worktree', '-W')
      ? { parts: STAGES }
      : { parts: STAGES, paths: plain(args, '-s', '--source'), tree: 'replace', discards: 'tracked' },
  reset: (args) => {
    const how = args.find((arg) => /^--(?:hard|soft|mixed|merge|keep)$/.test(arg));
    const isMove = how !== undefined || (plain(args).length > 0 && namedFiles(args).length === 0);
    const parts = isMove ? MOVES_TIP : STAGES;
    return how === '--hard' || how === '--merge' || how === '--keep'
      ? { parts, tree: 'replace', discards: 'tracked' }
      : { parts };
  },
  clean: (args) =>
    has(args, '--dry-run') || hasLetter(args, 'n')
      ? { parts: LOOKS }
      : { parts: LOOKS, paths: plain(args, '-e'), tree: 'replace', discards: 'untracked' },
  stash: (args) => {
    const [verb = 'push'] = args;
    if (verb === 'list' || verb === 'show') return { parts: { stash: 'read' } };
    if (verb === 'apply') return { parts: { index: 'delta', stash: 'read' }, tree: 'delta' };
    // What it takes from the stash is there no more: its agent must know whose that is.
    if (verb === 'drop' || verb === 'clear') return { parts: { stash: 'replace' } };
    if (verb === 'pop' || verb === 'branch')
      return { parts: { index: 'delta', stash: 'replace' }, tree: 'delta' };
    return {
      parts: { index: 'delta', stash: 'delta' },
      paths: verb === 'push' ? plain(args.slice(1), '-m', '--message') : [],
      tree: 'replace',
      discards: has(args, '-u', '-a', '--include-untracked', '--all') ? 'all' : 'tracked',
    };
  },
  rebase: () => ({ parts: { ...MOVES_TIP, refs: 'delta' }, tree: 'delta' }),
  pull: () => ({ parts: { ...COMMITS, refs: 'delta' }, tree: 'delta' }),
  merge: () => ({ parts: COMMITS, tree: 'delta' }),
  'cherry-pick': () => ({ parts: COMMITS, tree: 'delta' }),
  revert: () => ({ parts: COMMITS, tree: 'delta' }),
  am: () => ({ parts: COMMITS, tree: 'delta' }),
  apply: () => ({ parts: STAGES, tree: 'delta' }),
});

/** Options of git itself that take the next word. */
const TAKES_NEXT = new Set(['-c', '--git-dir', '--work-tree', '--namespace', '--exec-path']);

/** `words` without `git` itself. undefined: not to be read, so the whole checkout is guessed. */
export function readGit(
  words: readonly Word[],
  cwd: string,
  join: (dir: string, path: string) => string,
): Touch[] | undefined {
  let dir = cwd;
  let at = 0;
  for (; words[at]?.text.startsWith('-'); at++) {
    const option = words[at]?.text ?? '';
    if (option.startsWith('--git-dir') || option.startsWith('--work-tree')) return undefined;
    if (option === '-C') dir = join(dir, words[++at]?.text ?? '');
    else if (TAKES_NEXT.has(option)) at++;
  }
  const [name, ...rest] = words.slice(at);
  const read = name && !name.open ? SUBCOMMANDS[name.text] : undefined;
  if (!read) return undefined;
  const { parts, tree, discards, paths } = read(rest.map(({ text }) => text));
  const isOpen = rest.some(({ open }) => open);
  const touches: Touch[] = (Object.entries(parts) as [GitPart, Access][]).map(([part, access]) => ({
    ...({ on: 'git', dir, part, access } as const),
  }));
  if (!tree) return touches;
  const more = discards ? { discards } : {};
  if (paths && paths.length > 0 && !isOpen)
    return [
      ...touches,
      ...paths.map((path) => ({ on: 'file', path: join(dir, path), access: tree, ...more }) as const),
    ];
  return [...touches, { on: 'tree', dir, access: tree, ...more }];
}

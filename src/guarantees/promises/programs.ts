/** Promises about the programs that mezz starts: their worktrees, processes and terminals. */
import type { Promised } from '../promise.ts';
import { SAME_USER } from './bypass.ts';

export const PROGRAM_PROMISES: readonly Promised[] = [
  {
    id: 'worktree-keeps-work',
    group: 'tools',
    text: 'What an agent changed in its worktree stays until it is merged or thrown away on request, and then a commit id brings it back.',
    restsOn:
      'Git: a worktree is removed only when nothing in it is missing elsewhere, or after a commit of all of it.',
    bypassedBy: `Files that git ignores are not part of the work; git prunes unreachable commits after two weeks. ${SAME_USER}`,
    tests: [
      ['test/worktree.test.ts', 'changes are kept, and the three next commands are said'],
      ['test/worktree.test.ts', 'discard refuses to lose work, and with --force says how to get it back'],
      [
        'test/worktree.test.ts',
        'merge refuses a dirty checkout, and an untracked file in the way, and loses nothing',
      ],
      ['test/worktree.test.ts', 'a repository inside the worktree is not merged away'],
    ],
  },
];

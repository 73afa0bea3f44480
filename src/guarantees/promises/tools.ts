/** Promises about tools: who may touch what at once, and what is told when two want the same. */
import type { Promised } from '../promise.ts';

const OUTSIDE =
  'What does not ask the gate: editors, processes that a command starts, agents without hooks, calls that are held without hooks. A command that mezz cannot read keeps its checkout for 10 s, a call whose client never tells its end for 60 s. A restart of the kernel forgets locks and versions.';

export const TOOL_PROMISES: readonly Promised[] = [
  {
    id: 'tool-locks',
    group: 'tools',
    text: 'Two hooked tool calls of different agents that write the same file, index, branch or package directory never run at once; disjoint ones do not wait, none deadlocks, and none is passed by a later one that it is in the way of.',
    restsOn:
      "The keys that shipped manifests and a reader of shell commands give to Claude Code's and Codex's own tools; all keys of a call are taken at once, in the order of the one scheduler.",
    bypassedBy: OUTSIDE,
    needs: ['hooked'],
    tests: [
      [
        'src/tools/locks.test.ts',
        'conflicting calls never run at once, disjoint ones never wait, and nobody is passed by one that it is in the way of',
      ],
      [
        'src/tools/locks.test.ts',
        'no deadlock: when the running calls end, every waiting one runs, whatever keys it takes',
      ],
      ['src/tools/locks.test.ts', 'a writer is not starved by readers that come after it'],
      [
        'src/gate/locking.test.ts',
        'a call waits, by name, until the other has ended, and both run one after the other',
      ],
      [
        'src/gate/locking.test.ts',
        'an agent that exits, and one whose client goes on without a word, give their locks back',
      ],
    ],
  },
  {
    id: 'no-lost-update',
    group: 'tools',
    text: 'A hooked call that would replace what its agent has not seen, or throw away what another living agent has not committed, is refused, and its agent is told who changed what, when, by which call, and how to go on.',
    restsOn:
      'Content is compared under the locks before and after each call; an agent has seen what it read or wrote whole.',
    bypassedBy: `${OUTSIDE} An agent that reads a change and drops it all the same is not stopped.`,
    needs: ['hooked'],
    tests: [
      [
        'src/gate/locking.test.ts',
        'no write undoes what another agent wrote, whatever the agents do in whatever order',
      ],
      [
        'src/gate/locking.test.ts',
        'a replace of what a peer has changed since is refused, says by whom, and passes after another read',
      ],
      [
        'src/gate/locking.test.ts',
        'reset --hard, clean and stash throw away nothing that a peer has not committed',
      ],
      [
        'src/gate/locking.test.ts',
        'a commit onto a branch that a peer has switched to is refused until its agent has looked',
      ],
      ['src/gate/locking.test.ts', 'a port with a server that a living peer started is refused'],
    ],
  },
  {
    id: 'round-writes-noticed',
    group: 'tools',
    text: 'A change round the gate of a file that agents use is noticed at the next call that touches it, counted, and makes a write based on the content before stale.',
    restsOn: 'Hashes of content, not times.',
    bypassedBy:
      'A change while a command runs that mezz cannot read counts as its own. A file that no call has touched yet is not known.',
    needs: ['hooked'],
    tests: [
      [
        'src/gate/locking.test.ts',
        'a write round the gate is noticed by content, counted, and refuses a stale write',
      ],
      ['src/drivers/workspace.test.ts', 'a version changes with the content and not with the time alone'],
    ],
  },
];

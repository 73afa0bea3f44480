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
  {
    id: 'levels-true',
    group: 'tools',
    text: 'The level of mediation shown for an agent is the one it has reached, and each level says what it does not cover.',
    restsOn:
      'Seen and hooked are shown once they have happened, never from how the agent was started; held is a switch of the gate itself.',
    bypassedBy: 'A client whose hooks asked once and are switched off later: mezz doctor tries them again.',
    tests: [
      ['src/guarantees/guarantees.test.ts', 'are shown as they are, never higher'],
      [
        'src/guarantees/guarantees.test.ts',
        'say what they do not cover, and whether hooks were proven and when',
      ],
    ],
  },
  {
    id: 'shell-gated',
    group: 'tools',
    text: 'Each tool of mezz sh is decided before it is used, with the arguments it is then used with, and its outcome is joined to that; a refused one is not used, and the model is told why.',
    restsOn: 'The shell asks the gate at its own address, and uses a tool only after a clear yes.',
    bypassedBy: `What a command of its tool run starts by itself. ${SAME_USER}`,
    tests: [
      [
        'test/sh.test.ts',
        'asks the gate before each of its tools, with the exact arguments, and tells how each ended',
      ],
      [
        'test/sh.test.ts',
        'what needs a person waits for one: denied it is not done and the model is told, approved it is done',
      ],
      ['test/sh.test.ts', 'a path is asked about as it is, wherever the shell stands'],
      [
        'test/sh.test.ts',
        'a sub-agent is an agent of its own below its parent, and its answer is the result',
      ],
    ],
  },
  {
    id: 'terminal',
    group: 'tools',
    text: 'A program under mezz run has the terminal as without mezz: keys, size, job control and exit code.',
    restsOn: 'It is started in the same session and foreground group, with the same standard streams.',
    bypassedBy: 'With --count or --detach nobody has the keyboard.',
    tests: [
      ['test/terminal.test.ts', "is the program's own, with its size, and its exit code comes through"],
      ['test/terminal.test.ts', 'Ctrl-C reaches the program once, and not mezz'],
      ['test/terminal.test.ts', 'a program that Ctrl-C ends is 130, as without mezz'],
      ['test/terminal.test.ts', 'Ctrl-Z stops both, fg lets both go on'],
      ['test/terminal.test.ts', 'a new size reaches the program'],
    ],
  },
  {
    id: 'processes-end',
    group: 'tools',
    text: 'What a program under mezz run leaves running is ended after it, and mezz kill ends the program with all it started.',
    restsOn:
      'Linux: a mark in the environment of each process, and looks at what is below the program while it runs.',
    bypassedBy:
      'A process that gives itself another environment and leaves its parents between two looks; after a kill -9 of mezz run only mezz kill looks for the rest. On macOS only the program itself is ended.',
    tests: [
      ['src/cli/run.test.ts', 'ends what the program left running, even what ignores SIGTERM'],
      [
        'test/processes.test.ts',
        'what was started with another environment is found while the program runs, and ends with it',
      ],
      [
        'test/processes.test.ts',
        'mezz kill ends the program and all it started, SIGTERM first; pause ends nothing',
      ],
      [
        'test/processes.test.ts',
        'the kernel by itself ends the program of a killed agent, even one that ignores SIGTERM',
      ],
    ],
  },
  {
    id: 'ends-are-noticed',
    group: 'tools',
    text: 'The end of a program is noticed also when mezz run was killed or the kernel was down; until then its agent goes on.',
    restsOn: 'The process number and, on Linux, its start: the kernel looks every two seconds.',
    bypassedBy: 'On macOS a later process of the same number is taken for the same.',
    tests: [
      [
        'test/processes.test.ts',
        'mezz run killed with -9: its program goes on as the agent, and the kernel notices its end',
      ],
      [
        'test/processes.test.ts',
        'after a restart of the kernel, agents whose program is there are ready, and those gone are exited',
      ],
      [
        'test/processes.test.ts',
        'a runner killed before its program ran leaves no agent behind; a late ending is still taken',
      ],
    ],
  },
  {
    id: 'engines-found',
    group: 'code',
    text: 'Engines on this machine are told by what they answer, looking changes nothing, and mezz backend add leaves every byte of mezz.yaml that is there.',
    restsOn: 'Requests for lists and settings, and for a dialect one so empty that no model can run for it.',
    bypassedBy:
      'An engine that answers as another one; a window that is changed after it was written: mezz.yaml says what was so when it was added.',
    tests: [
      [
        'test/engines.test.ts',
        'are told by what they answer, on any port, with what each model is served with',
      ],
      [
        'test/engines.test.ts',
        'change nothing before they are added; then mezz.yaml keeps every comment, and they serve',
      ],
      [
        'src/config/edit.test.ts',
        'what is there keeps its meaning, and a text that is no settings is left alone',
      ],
    ],
  },
  {
    id: 'window-checked',
    group: 'code',
    text: 'mezz run does not start an agent whose model is known to take less than such an agent sends at first; it says the numbers and three ways out.',
    restsOn:
      "The engine's own answer at that moment, else mezz.yaml, else the public list of models; what agents of that client sent here, else what was measured.",
    bypassedBy:
      'A model that is named nowhere mezz looks (a dialogue of the client, another settings file); --anyway; a conversation that grows.',
    tests: [
      ['test/window.test.ts', 'refuses with the numbers, and with the line that is right for the engine'],
      ['test/window.test.ts', 'starts what fits, what it knows nothing about, and what is started anyway'],
      ['test/window.test.ts', 'knows better once it has seen that client here'],
    ],
  },
];

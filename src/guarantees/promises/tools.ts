/** Promises about tools: who may touch what at once, and what is told when two want the same. */
import type { Promised } from '../promise.ts';

const OUTSIDE =
  'What does not ask the gate: editors, processes that a command starts, agents without hooks, calls that are held without hooks. A command that mezz cannot read keeps its checkout for 10 s, a call whose client never tells its end for 60 s.';

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
    text: 'A hooked call that would replace what its agent has not seen, throw away what another living agent has not committed, or take the port of a server that one has started, or end that server, is refused, and its agent is told who changed what, when, by which call, and how to go on.',
    restsOn:
      'Content is compared under the locks before and after each call; an agent has seen what it read or wrote whole.',
    bypassedBy: `${OUTSIDE} An agent that reads a change and drops it all the same is not stopped, and a part of a file that it has read counts as the whole. A server is known by a port that stands in its command; which process serves it is known on Linux alone.`,
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
      ['src/gate/locking.test.ts', 'what a peer has stashed since is taken by nobody who has not looked'],
      [
        'src/gate/locking.test.ts',
        'a commit onto a branch that a peer has switched to is refused until its agent has looked',
      ],
      ['src/gate/locking.test.ts', 'a port with a server that a living peer started is refused'],
      ['src/gate/locking.test.ts', 'a read that failed, or of whose end nobody told, has shown nothing'],
      [
        'test/tools.test.ts',
        'mezz demo clobber: agents at once lose writes in one checkout and with the official servers, and none through mezz',
      ],
    ],
  },
  {
    id: 'agents-share-a-checkout',
    group: 'tools',
    text: 'Four unmodified coding agents, two Claude Code and two Codex, at once in one checkout: no commit, no line written by a redirect, no change to a peer’s reset and no server to a port that is taken is lost, and each that is refused is told by whom. `mezz demo clobber` and `mezz checklist 3` count it on the spot, without mezz too, and tell apart what git and the clients refuse by themselves.',
    restsOn: 'The clients’ hooks; what is there is counted in the checkout, by no word of mezz’s.',
    bypassedBy: `${OUTSIDE} Where no client is installed, shells that ask by hook stand in for them, and it says so.`,
    needs: ['hooked'],
    tests: [
      [
        'test/long/checkout.test.ts',
        'mezz demo clobber: four unmodified agents in one checkout lose lines, changes and a server alone; with mezz nothing, and each that was refused was told by whom',
      ],
      [
        'test/tools.test.ts',
        'mezz demo clobber: agents at once lose writes in one checkout and with the official servers, and none through mezz',
      ],
      [
        'test/checklist.test.ts',
        'the checklist tries every condition that is built on a kernel of its own, and says what is not built',
      ],
    ],
  },
  {
    id: 'versions-survive',
    group: 'tools',
    text: 'What agents have seen of files, who wrote what since, and what a call that its client runs on holds are known again after a kill -9 of the kernel: a stale replace is refused as before, and a peer waits as before.',
    restsOn:
      'Rows in the transactions of START and END, for 10,000 keys and the latest 20,000 that agents have seen; what was written while no kernel ran is seen by its content.',
    bypassedBy:
      '`journal.bodies: off` keeps no hashes of contents either: then a restart forgets them. What a client did while no kernel ran it did unasked. `mezz forget` forgets them too.',
    needs: ['hooked'],
    tests: [
      [
        'test/versions.test.ts',
        'kill -9: what an agent has seen, what peers have written since and what a running call holds are known to the next kernel',
      ],
      [
        'src/gate/restarting.test.ts',
        'after a restart a replace of what a peer has changed since is refused as before, and passes after another read',
      ],
      [
        'src/gate/restarting.test.ts',
        'what was written round the gate while no kernel ran is noticed, and what an agent saw is forgotten with it',
      ],
      [
        'src/gate/restarting.test.ts',
        'what a call at a tool server had changed when the kernel was killed is its own change, in doubt or not',
      ],
      [
        'src/gate/restarting.test.ts',
        'a call that its client runs on keeps its locks over a restart, until its end is told or for the rest of its time',
      ],
      [
        'src/gate/restarting.test.ts',
        'what is kept of versions is bounded, and goes with the agents that are forgotten',
      ],
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
  {
    id: 'servers-keep-writes',
    group: 'tools',
    text: 'Calls of many agents at once to the official memory and filesystem servers lose no write, and a write_file of what another agent has changed since is a tool error that says who; a tool of a server that mezz has no manifest for runs alone.',
    restsOn:
      'Shipped manifests, chosen by the name that the server gives itself; keys of files are those of the hooks.',
    bypassedBy:
      'A server that is also used without mezz, or that gives itself another name: the first is noticed in files only, the second runs one call at a time. Several kernels do not know each other.',
    tests: [
      [
        'test/tools.test.ts',
        'mezz demo clobber: agents at once lose writes in one checkout and with the official servers, and none through mezz',
      ],
      [
        'src/gate/brokered.test.ts',
        'tools of a server without a manifest run one at a time, also those of one agent, and END gives the locks back',
      ],
      [
        'test/tools.test.ts',
        'a replace by MCP of what a peer has changed since is a tool error that says who, and a hook sees the same versions',
      ],
    ],
  },
  {
    id: 'replaces-compared',
    group: 'tools',
    text: 'A call that would replace a part of a tool server, or what is at an address, that another agent has written since its own agent read it is refused, and its agent is told who did, when, by which call, and how to go on; also after a kill -9 of the kernel.',
    restsOn: 'What manifests and HTTP methods say that calls do; rows in the transactions of their ENDs.',
    bypassedBy:
      'A manifest that is wrong about its tool; an agent that never read what it replaces; whoever uses the server without mezz. What changed is not shown, because nobody sees it from outside. `journal.bodies: off` forgets it with a restart.',
    tests: [
      [
        'src/gate/declared.test.ts',
        'a replace of what a peer has written since is refused, says by whom, and passes after another read',
      ],
      [
        'src/gate/declared.test.ts',
        'what changes a part changes what its readers saw of the whole, and the other way round',
      ],
      [
        'src/gate/declared.test.ts',
        'a read that failed has shown nothing, a write that failed has changed nothing, one in doubt may have',
      ],
      ['src/gate/declared.test.ts', 'after a restart it is refused as before'],
      [
        'test/openapi.test.ts',
        'what an agent has read is the condition of its write: what it never saw is refused, by mezz or by the service',
      ],
    ],
  },
  {
    id: 'tool-calls-once',
    group: 'tools',
    text: 'A call to a tool that mezz offers is in the journal before its server gets it and with its outcome before its agent does; one that may take effect twice and has no answer is in doubt, its agent is told so, and nothing but a person makes it again.',
    restsOn:
      'The same walk as every call, a driver that sends each request once, and the retry class of the tool: one that nobody described may take effect twice.',
    bypassedBy:
      'A manifest that is wrong about it. What the server does with a call it was told to cancel is its own.',
    tests: [
      [
        'src/gate/brokered.test.ts',
        'after a crash a call at a tool server is in doubt and was sent once; a hooked one goes on',
      ],
      [
        'test/tools.test.ts',
        'a call whose tool server ends meanwhile is in doubt, told so, and not repeated; the next one starts it again',
      ],
      [
        'test/tools.test.ts',
        'one endpoint an agent: both eras of the protocol list and call the tools of all servers, in one order',
      ],
    ],
  },
  {
    id: 'tool-retries-absorbed',
    group: 'tools',
    text: 'A repetition of one use of a tool - under the name that its client gave it, an equal call whose outcome reached nobody, a hook that asks again - is answered from the ledger, also after a restart; a second decision of the model runs.',
    restsOn:
      "A row in START's and END's transactions; `idempotencyKey` or `claudecode/toolUseId` in a request's `_meta`, the tool-use id of a hook, and whether the answer left whole.",
    bypassedBy:
      'A client that names nothing and loses an answer on its own side of the socket sends a new call. Where bodies are not kept (`journal.bodies`) a restart forgets outcomes: the repetition is told so and nothing is done. What changes nothing is simply done again.',
    tests: [
      [
        'src/gate/offered.test.ts',
        'a named use is made once: its repetition waits for the outcome, and later gets it from the ledger',
      ],
      [
        'src/gate/offered.test.ts',
        'a second decision of the model runs: an equal call under another name, or after the first was told',
      ],
      [
        'src/gate/offered.test.ts',
        'a call whose client is gone before the answer goes on where a cut cancels nothing, and an equal one gets its answer',
      ],
      [
        'src/gate/offered.test.ts',
        'what was made again after a crash is the answer to an equal call that nobody named',
      ],
      [
        'src/gate/offered.test.ts',
        'a hook that asks again for a use that was let go is answered as before; other arguments, and a use that has ended, are decided',
      ],
      [
        'test/tools.test.ts',
        'a use that its client named is made once, also over a restart; one in doubt is shown, told and decided by a person',
      ],
    ],
  },
  {
    id: 'hooked-and-brokered-once',
    group: 'tools',
    text: 'A tool of mezz that a client with hooks calls is decided at its hook and at its call; the second record names the first, and bill, budgets, coverage and counters have it once.',
    restsOn:
      'The client’s own id of the use where its call carries it (Claude Code), else equal arguments under the same key (Codex); fsck counts alike.',
    bypassedBy: 'A client that changes the arguments between its hook and its call: then it counts twice.',
    needs: ['hooked'],
    tests: [
      [
        'src/gate/askedabout.test.ts',
        'a tool of mezz that a client asks about by hook and then calls counts once: in the bill, for its agent, in its coverage and for observers',
      ],
    ],
  },
  {
    id: 'tool-doubts-settled',
    group: 'tools',
    text: 'A tool call in doubt is settled by its retry class: made again under the same key, asked about, or shown (mezz ps, mezz inbox) until a person decides with mezz tool resolve; who repeats it meanwhile is told, and nothing is done.',
    restsOn: 'The ledger of uses, and arguments that the journal kept.',
    bypassedBy:
      'A manifest that is wrong about its tool. Where bodies are not kept nothing is made again after a crash.',
    tests: [
      [
        'src/gate/offered.test.ts',
        'after a crash an unsafe call is in doubt: who repeats it is told, nothing is done, and a person decides',
      ],
      [
        'src/gate/offered.test.ts',
        'what may be made again is, once, under the same call, when its server ends; what may not is in doubt',
      ],
      [
        'src/gate/offered.test.ts',
        'after a crash what may be made again is, with its arguments; a person may do so with the rest, or give it up',
      ],
      [
        'test/crash/tools.test.ts',
        'kill -9 while tools run: no unsafe effect happens twice, none that was acknowledged is lost, what was cut is answered',
      ],
    ],
  },
  {
    id: 'tool-arguments-checked',
    group: 'tools',
    text: 'A call to an offered tool whose arguments are not what its accepted definition says never reaches the server, and its agent is told the path of each mistake; nothing that a definition refers to is fetched, and none keeps the kernel waiting.',
    restsOn:
      'JSON Schema 2020-12 and draft-07, compiled once for each definition, with bounds on size, depth and time.',
    bypassedBy: 'What a definition does not say; formats are not checked.',
    tests: [
      [
        'src/tools/arguments.test.ts',
        'arguments that are not what the definition says are refused, by the path of the mistake',
      ],
      ['src/tools/arguments.test.ts', 'definitions of an older draft are read as such'],
      [
        'src/tools/arguments.test.ts',
        'a definition that refers elsewhere, or cannot be understood, lets nothing pass, and nothing is fetched',
      ],
      [
        'src/tools/arguments.test.ts',
        'a definition whose check would take years is given up, and the call is told',
      ],
      ['src/gate/offered.test.ts', 'wrong arguments never reach the server, and are no call'],
    ],
  },
  {
    id: 'tool-servers-spared',
    group: 'tools',
    text: 'A tool server gets no more calls at once and in a minute than mezz.yaml says, no agent more than 16 at once, and one that gave no answer five times in a row gets none for a growing while, then one that finds out.',
    restsOn: 'Places beside the locks in the one scheduler; a count of answers.',
    bypassedBy: 'Clients that start a server themselves.',
    tests: [
      [
        'src/gate/offered.test.ts',
        'what a server bears at once runs, more waits by name; a server that only fails gets none for a while',
      ],
      [
        'src/tools/traffic.test.ts',
        'a server that only fails gets no more calls, then one at a time after a growing pause, until it answers',
      ],
      [
        'src/gate/toolrates.test.ts',
        'beyond its calls a minute a server is waited for, in order, and no longer than a call waits for locks',
      ],
    ],
  },
  {
    id: 'tool-processes',
    group: 'tools',
    text: "A tool server's process is everybody's, each agent's own, or leased to one agent at a time, as its manifest or mezz.yaml says; it starts when it is needed, ends when idle or with its agent, starts again after a growing pause, and leaves nothing behind when mezz is killed.",
    restsOn:
      'A process group for each, and a shell that reads a pipe of the kernel and ends the groups that are left when the pipe ends.',
    bypassedBy:
      'A server that leaves its process group. Where that shell is killed too, a server ends only with its standard input. A lease that an agent keeps busy does not end.',
    tests: [
      [
        'test/servers.test.ts',
        'per-agent: each agent has a process of its own, which ends with it and with nobody else',
      ],
      [
        'test/servers.test.ts',
        'leased: one agent at a time; who else asks is told who has it; a pause gives it up, and the next gets a process of its own',
      ],
      [
        'test/long/browser.test.ts',
        'one real browser, two agents: leased, with a number that grows, given up in time, by a pause and by an exit; none sees another’s page',
      ],
      ['test/servers.test.ts', 'a server that nobody asks ends, and starts again when it is asked'],
      [
        'test/servers.test.ts',
        'a server that ends again and again is started after a pause, and its agents are told',
      ],
      [
        'test/servers.test.ts',
        'kill -9 of the kernel leaves nothing of a tool server behind, also what it started itself',
      ],
    ],
  },
  {
    id: 'tools-pinned',
    group: 'tools',
    text: 'The definition of an offered tool is the one that was first seen, or one accepted since (mezz tool accept): a changed one is neither shown nor callable, also after a restart.',
    restsOn: 'SHA-256 over each definition, kept in the store.',
    bypassedBy:
      'What is wrong with a definition when it is first seen; what a server does behind an unchanged one.',
    tests: [
      ['test/tools.test.ts', 'a changed definition is neither shown nor callable until it is accepted'],
    ],
  },
];

/** Promises about the MCP endpoint: what passes through it, and what of one agent reaches another. */
import type { Promised } from '../promise.ts';

const RUNS_AS_ONE =
  'A tool server that agents share, a program or an address: what it remembers of one it may tell another.';

export const MCP_PROMISES: readonly Promised[] = [
  {
    id: 'mcp-gate',
    group: 'tools',
    text: 'By MCP an agent calls tools, reads resources and gets prompts and completions of all tool servers at one address, in both eras of the protocol; each of these is a syscall that is decided and recorded, and only what was shown to it is found.',
    restsOn:
      'The endpoint knows its caller by its key alone. Lists are answered from what the servers said; everything else walks the gate.',
    bypassedBy:
      'A tool server that a client starts by itself. Lists, and what a server says unasked, are not syscalls; to watch a resource is one.',
    tests: [
      [
        'test/mcp.test.ts',
        'resources, prompts, completion and progress reach clients of both eras, from a server by …',
      ],
      [
        'test/mcp.test.ts',
        'a modern request is refused where its headers are not what its body says, the arguments that a tool marks too',
      ],
      [
        'test/mcp-stdio.test.ts',
        'mezz mcp speaks both eras over standard input and output, for the agent it was started under',
      ],
      [
        'test/mcp-batch.test.ts',
        'a batch is answered by the array of what its requests are answered, each performed as it would be alone',
      ],
      [
        'test/tools.test.ts',
        'one endpoint an agent: both eras of the protocol list and call the tools of all servers, in one order',
      ],
    ],
  },
  {
    id: 'mcp-conformance',
    group: 'tools',
    text: "Every scored scenario of the official conformance suite's two frozen sets (2025-11-25 and 2026-07-28) passes through mezz, with mezz as the server and with mezz as the client, logins included.",
    restsOn: 'The version of the suite that the page names, and its frozen sets.',
    bypassedBy:
      'What no scenario asks. The set of 2026-07-28 was run against a tool server of that era alone, and extensions are not scored.',
    tests: [
      [
        'test/long/conformance.test.ts',
        'every scored scenario passes through mezz, and the published page says what a run says',
      ],
    ],
  },
  {
    id: 'mcp-kept-reads',
    group: 'tools',
    text: 'A resource that its server said stays as it is for a while is not asked for again in that time, except after a call of a tool there or a notice of change; each read is decided and recorded all the same, and what a server calls private is given to no other agent.',
    restsOn: "The server's own ttlMs and cacheScope (2026-07-28); servers of the older era say neither.",
    bypassedBy:
      'A change that did not pass mezz and that the server does not tell of, within the time that it named.',
    tests: [
      ['src/drivers/mcp/reads.test.ts', 'what a server does not call public is given to nobody else'],
      [
        'src/drivers/mcp/reads.test.ts',
        'nothing is kept of a read that a change overtook, that is a question, or that nobody may keep',
      ],
      [
        'test/mcp.test.ts',
        'a resource is not asked for again while its server says that it stays, until a tool is called',
      ],
    ],
  },
  {
    id: 'servers-apart',
    group: 'tools',
    text: 'A tool server that says nothing, or says of a tool what no client can read, takes no tool of another server from an agent: a list waits 15 s for it at most, and later 1 s; what no client can read is left out, and `mezz tool ls` says what and why.',
    restsOn: "MCP's schema of definitions, and that clients ask anew when they hear that a list has changed.",
    bypassedBy:
      'A client that gives up sooner than a first list comes, and one that never asks anew: it has not the tools of the slow server.',
    tests: [
      [
        'src/tools/servers.test.ts',
        'a server that does not say what it offers keeps nobody from the others, and who listens hears of it when it has',
      ],
      [
        'test/tools.test.ts',
        'a definition that no client can read costs nobody the others: it is left out, and told; older clients read all that is left',
      ],
      [
        'src/drivers/mcp/instances.test.ts',
        'a server that runs and says nothing is started after a pause, too, and who asks meanwhile is told at once',
      ],
      [
        'src/drivers/mcp/lines.test.ts',
        'a line of many pieces costs about as much as the same text in short lines',
      ],
    ],
  },
  {
    id: 'mcp-clients',
    group: 'tools',
    text: 'Unmodified Claude Code and Codex, started by `mezz run`, find the tools of mezz.yaml and can call them at the first answer of the model, even where a server takes seconds to start; what they call is decided and recorded where it happens, and its result reaches the model. The MCP Inspector does the same with a key.',
    restsOn:
      'The versions that the test names, and arguments that mezz starts them with; Codex is told that it needs the tools and how long to wait.',
    bypassedBy:
      "A client's own permissions, which may refuse the tools before mezz is asked, and tool servers in the client's own configuration.",
    tests: [
      [
        'test/long/mcp-clients.test.ts',
        '… finds the tools of mezz.yaml and uses them: brokered, journaled, their effects on disk, their results before the model',
      ],
      ['test/long/mcp-clients.test.ts', 'the MCP Inspector lists and calls tools with a key, in the … era'],
    ],
  },
  {
    id: 'mcp-apart',
    group: 'tools',
    text: "A tool server's question reaches the client whose call it is about and no other; a session, and what a server gave a client to bring back, serve the key they were given to, for the call they were given for.",
    restsOn:
      'A question is passed on only where it came on the stream of one call, or where the calls of one agent alone run at its server; else the server is told no. What a client brings back carries an HMAC over its key and its call.',
    bypassedBy: RUNS_AS_ONE,
    tests: [
      [
        'test/mcp.test.ts',
        'a question of a server by … reaches the client whose call it is about, as its era asks',
      ],
      [
        'test/mcp.test.ts',
        'what a server by … says unasked reaches the streams that want it, and no other agent',
      ],
      ['test/mcp.test.ts', 'a session serves the key that opened it and no other, until it is closed'],
      [
        'test/mcp.test.ts',
        'what a server gave a client to keep comes back from no other agent, for no other call, and not changed',
      ],
    ],
  },
];

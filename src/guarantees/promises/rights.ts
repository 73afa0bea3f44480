/** Promises about who may do what: access, logins and keys, the agents' own tools. */
import type { Promised } from '../promise.ts';
import { NOTHING, SAME_USER } from './bypass.ts';

export const RIGHT_PROMISES: readonly Promised[] = [
  {
    id: 'default-deny',
    group: 'access',
    text: 'What no access policy permits is refused, with what and what to do next.',
    restsOn: 'Cedar, which denies by default.',
    bypassedBy: SAME_USER,
    needs: ['enforcing'],
    tests: [['src/access/decide.test.ts', 'without any policy is a refusal that names what and what next']],
  },
  {
    id: 'chain',
    group: 'access',
    text: 'A child never may do more than its parent: the whole chain is decided, and the strictest answer counts.',
    restsOn: 'The stored parents of an agent.',
    bypassedBy: 'A process that calls with another key.',
    needs: ['enforcing'],
    tests: [['src/access/decide.test.ts', 'needs the whole chain: a child never exceeds its parent']],
  },
  {
    id: 'decision-memory',
    group: 'access',
    text: 'A decision from memory is the same as computed: it is remembered for exactly what its rules read, until the policies change.',
    restsOn: 'The policy epoch and the fields that rules read.',
    bypassedBy: NOTHING,
    tests: [
      ['src/access/decide.test.ts', 'is the same from memory as computed'],
      [
        'src/access/decide.test.ts',
        'is remembered for exactly what its rules read, until the policies change',
      ],
      [
        'src/access/decide.test.ts',
        'that reads the hour is remembered for that hour, and one that reads arguments is not',
      ],
    ],
  },
  {
    id: 'broken-rule',
    group: 'access',
    text: 'A rule that cannot be evaluated refuses, even beside one that permits.',
    restsOn: 'Errors of the evaluation count as a refusal.',
    bypassedBy: NOTHING,
    needs: ['enforcing'],
    tests: [
      ['src/access/decide.test.ts', 'is a refusal when a rule cannot be evaluated, even beside a permit'],
    ],
  },
  {
    id: 'policy-reload',
    group: 'access',
    text: 'Access policies change as a whole or not at all.',
    restsOn: 'The new text is checked before it replaces the old.',
    bypassedBy: NOTHING,
    tests: [
      [
        'src/access/decide.test.ts',
        'stay when the new text is wrong, and change together with the epoch otherwise',
      ],
    ],
  },
  {
    id: 'approvals',
    group: 'access',
    text: 'An approval admits one call of one agent with exactly these arguments, survives a restart, and unanswered counts as denied.',
    restsOn: 'A digest of the arguments, in a durable row.',
    bypassedBy: SAME_USER,
    tests: [
      [
        'src/gate/gate.test.ts',
        'a question that another one replaces is closed in the journal, and who waits for it is woken',
      ],
      ['src/access/rows.test.ts', 'survive reopening in every state and admit one call'],
      ['src/access/rows.test.ts', 'expire as denied, answered or not'],
    ],
  },
  {
    id: 'hosted-tools',
    group: 'access',
    text: 'A request that declares provider-hosted tools that act waits for a person unless mezz.yaml permits them; what it declares is in its START.',
    restsOn: 'What the request declares; a typed tool that mezz does not know counts as one that acts.',
    bypassedBy:
      'Tools that a provider runs without a declaration. Web search passes and raises no label yet.',
    needs: ['enforcing'],
    tests: [
      [
        'test/reload.test.ts',
        'an acting hosted tool is refused until mezz.yaml permits it; web search passes; both are in START',
      ],
    ],
  },
  {
    id: 'loop-guard',
    group: 'access',
    text: 'The same call too often, or a tree of agents that spends faster than a rate, is asked about; an approval counts anew, so that not every call after it asks.',
    restsOn: 'Counts in memory, what calls in flight have reserved included.',
    bypassedBy: 'A restart of the kernel counts anew; plans and local models cost nothing here.',
    needs: ['enforcing'],
    tests: [
      [
        'src/access/rows.test.ts',
        'asks about the same call of the same agent within the window, and counts anew after an approval',
      ],
      [
        'test/budget.test.ts',
        'spending faster than the rate asks once for the whole tree; an approval counts anew',
      ],
    ],
  },
  {
    id: 'sub-agents-inside-key',
    group: 'access',
    text: 'A header can name a sub-agent below its key and nothing else; sub-agents are capped per key.',
    restsOn: 'The key that came with the request.',
    bypassedBy: "Whoever holds the key: within it the names are the client's own word.",
    tests: [
      [
        'src/agents/agents.test.ts',
        'a bound key is one agent; its sub-agents open on first sight and stay inside the key',
      ],
      ['src/agents/agents.test.ts', 'sub-agents are capped per key'],
      ['src/agents/agents.test.ts', 'header values that could forge a path or flood a row are ignored'],
    ],
  },
  {
    id: 'logins-go-home',
    group: 'keys',
    text: "A client's own login reaches the provider it belongs to untouched and no other; cookies and mezz's own keys reach no upstream, wherever in head or URL a client puts them.",
    restsOn: 'The list of headers that travel, by provider.',
    bypassedBy: `A secret that an agent itself writes into a body: that is content. ${SAME_USER}`,
    tests: [
      [
        'src/gateway/gateway.test.ts',
        'a client login reaches a client backend untouched, a kernel backend never',
      ],
      ['src/drivers/models/http.test.ts', 'carry the client login, the kernel key, or none'],
      ['src/drivers/models/http.test.ts', 'carry no login but the one that is used there'],
      ['test/security/canary.test.ts', 'logins reach their provider alone, whatever comes back'],
      ['test/security/canary.test.ts', 'keys of mezz stay with mezz, wherever a client puts them'],
    ],
  },
  {
    id: 'secrets-not-kept',
    group: 'keys',
    text: 'No credential that a request carries, of mezz or of a provider, is in any byte of the state directory, the logs, an export, a backup or what a command prints, also after a crash.',
    restsOn: 'Credentials are in heads, and of heads nothing is kept but salted digests and plan windows.',
    bypassedBy:
      'A secret in the body of a request is content, and kept like all content; answers are not kept. mezz key create and mezz env print a key once.',
    tests: [
      [
        'test/security/canary.test.ts',
        'nothing that is stored, written, exported or backed up holds a secret',
      ],
      ['test/security/canary.test.ts', 'a crash in the middle of a call keeps no secret either'],
      ['test/security/canary.test.ts', 'refusals repeat no secret to anybody but its owner'],
    ],
  },
  {
    id: 'kernel-key-hidden',
    group: 'keys',
    text: 'The key that mezz holds for a provider reaches no agent: where an answer repeats it, stars stand in its place.',
    restsOn: 'A search of each answer that was paid with that key.',
    bypassedBy: `An upstream that repeats it in another spelling. ${SAME_USER}`,
    tests: [
      [
        'src/drivers/models/http.test.ts',
        'is starred out of headers, streams and bodies, compressed ones too; other bytes stay',
      ],
      ['test/security/canary.test.ts', 'what is sent goes to the right side only'],
    ],
  },
  {
    id: 'keys-hashed',
    group: 'keys',
    text: 'mezz stores no secret of its own keys, and a revoked key is refused, also after a restart.',
    restsOn: 'Only a hash of the key is kept.',
    bypassedBy: SAME_USER,
    tests: [
      [
        'src/access/rows.test.ts',
        'identify by their secret until revoked, also after reopening, and store no secret',
      ],
    ],
  },
  {
    id: 'no-surprise-bill',
    group: 'keys',
    text: 'A subscription is never turned into billing per token: a key is used only where the client brings no login.',
    restsOn: "The client's own headers and login file (its presence, never its content).",
    bypassedBy: 'A client that chooses a key by itself.',
    tests: [
      [
        'src/config/config.test.ts',
        'a login passes through, and a key of the kernel is used only without one',
      ],
      ['src/cli/adapters/adapters.test.ts', 'uses the key of the environment only where there is no login'],
    ],
  },
  {
    id: 'no-keys-in-config',
    group: 'keys',
    text: 'A key written into mezz.yaml is refused, and no message about it repeats it.',
    restsOn: 'The schema of mezz.yaml.',
    bypassedBy:
      "A key where mezz reads no setting, in a comment for example, or as the plain text of a tool server's argument, variable or header.",
    tests: [
      ['src/config/config.test.ts', 'are never accepted in the file, and never repeated in what is told'],
    ],
  },
  {
    id: 'log-redacted',
    group: 'keys',
    text: 'What looks like a credential is taken out of every line that the log module writes.',
    restsOn: 'The known forms of keys and tokens.',
    bypassedBy:
      'A credential of another form. It is the second line of defence: nothing logs credentials on purpose.',
    tests: [
      ['src/telemetry/telemetry.test.ts', 'what looks like a credential is taken out, wherever it stands'],
    ],
  },
  {
    id: 'hooked-tools',
    group: 'tools',
    text: 'A tool call that asks the gate first is decided and recorded before it happens, and its client is told a denial.',
    restsOn: 'The client asks and obeys: Claude Code and Codex do.',
    bypassedBy: 'Hooks are cooperative and do not cover processes that a shell command starts.',
    needs: ['enforcing', 'hooked'],
    tests: [
      [
        'test/gate.test.ts',
        'hooks: an ordinary tool call goes on, a dangerous one waits for a person, its denial stops it',
      ],
      ['test/long/agents.test.ts', '… does not do what is denied, its own permissions …'],
      ['test/long/agents.test.ts', '… waits for a person where it must, and obeys the answer'],
    ],
  },
  {
    id: 'clients-unchanged',
    group: 'tools',
    text: 'Claude Code and Codex run on mezz unchanged, with a key or a subscription of their own: every body arrives as it left, both ways, and their exit code is that of mezz run.',
    restsOn: 'Arguments, variables and a temporary directory; Claude Code 2.1.330 and Codex 0.169.0.',
    bypassedBy:
      'Other versions of them. Claude Code asks api.anthropic.com, Codex chatgpt.com, ab.chatgpt.com, github.com and api.github.com by themselves, round any base URL.',
    tests: [
      [
        'test/long/agents.test.ts',
        '… with a … runs unchanged: its tools and sub-agents are decided, journaled and billed, its login and bytes untouched',
      ],
      ['test/long/agents.test.ts', '… gives up at once on a call that is refused, and its exit code passes'],
      ['test/long/agents.test.ts', 'what the clients ask for round their base URL is known by name'],
    ],
  },
  {
    id: 'hooked-whole',
    group: 'tools',
    text: 'Every tool call of Claude Code and Codex, their sub-agents included, is decided before it happens, and leaves no trace when it is denied, also with their own permissions switched off.',
    restsOn:
      'The hooks of Claude Code 2.1.330 and Codex 0.169.0; mezz doctor tries those that are installed.',
    bypassedBy:
      'What Codex types into a command that still runs (write_stdin) has no hook; it counts as undecided where the text of its program shows it.',
    needs: ['enforcing', 'hooked'],
    tests: [
      ['test/long/agents.test.ts', '… does not do what is denied, its own permissions …'],
      [
        'test/long/agents.test.ts',
        '… with a … runs unchanged: its tools and sub-agents are decided, journaled and billed, its login and bytes untouched',
      ],
      [
        'src/agents/agents.test.ts',
        'a program counts by the calls it makes: each that a hook asked about, and itself where nobody was asked',
      ],
      ['test/long/agents.test.ts', 'what Codex types into a running command counts as undecided'],
    ],
  },
  {
    id: 'held-tools',
    group: 'tools',
    text: 'Of a held agent no answer leaves with a tool call in it that is undecided or denied; a denied one goes back to the model as a refused result, by a turn that is charged and journaled.',
    restsOn: 'The whole answer waits at the gate; its bytes then pass unchanged, or not at all.',
    bypassedBy:
      "What a program does without a model's tool call; the functions of Chat before there were tools; what ran at the provider.",
    needs: ['enforcing', 'held'],
    tests: [
      ['test/held.test.ts', '…: passes byte for byte after each was decided'],
      ['test/held.test.ts', '…: never leaves; the model is told and asked again'],
      [
        'test/held.test.ts',
        'the further turn is a call of its own: charged, of the same turn, linked to the first',
      ],
      ['test/held.test.ts', 'a model that does not give up is stopped, and the client is told why'],
      ['test/held.test.ts', 'arguments that two readers could read differently are denied'],
      ['test/long/sdks.test.ts', 'a LangGraph tool call is held and …, with no line of the program changed'],
      ['test/held.test.ts', 'a stored answer that is fetched is held too; it has no further turn'],
    ],
  },
  {
    id: 'held-questions',
    group: 'tools',
    text: 'A held tool call waits for a person like any other, also across a restart; unanswered in time it counts as denied, and a client that leaves ends the wait.',
    restsOn: 'The same gate and the same table of waits as for every syscall.',
    bypassedBy: "A client's own timeout that is shorter than the wait: the client then tries again.",
    needs: ['enforcing', 'held'],
    tests: [
      ['test/held.test.ts', 'waits, and goes out when it is approved'],
      [
        'test/held.test.ts',
        'counts as denied when nobody answers in time; approved later, the next try passes',
      ],
      [
        'test/held.test.ts',
        'survives a restart of the kernel as a question; the retry of the client finds its answer',
      ],
      ['test/held.test.ts', 'a client that leaves ends the wait: nothing more is asked of the model'],
    ],
  },
  {
    id: 'hooks-fail-closed',
    group: 'tools',
    text: 'A hook that gets no clear answer from the gate stops the call.',
    restsOn: 'Exit code 2 for Codex, onFailure: block for Claude Code.',
    bypassedBy: 'A client started without mezz run; a version of the client that ignores the setting.',
    needs: ['hooked'],
    tests: [
      ['src/cli/run.test.ts', 'deny, an answer that is none, and silence stop it and say why'],
      ['src/cli/adapters/adapters.test.ts', 'gets its address, hooks that block, and no key'],
      ['test/long/agents.test.ts', '… does nothing while the kernel is gone, and goes on when it is back'],
    ],
  },
  {
    id: 'user-files',
    group: 'tools',
    text: 'mezz run gives a client its settings for this run alone: they are gone afterwards and nobody else can read them.',
    restsOn: 'Arguments, variables and a temporary directory.',
    bypassedBy: SAME_USER,
    tests: [
      [
        'src/cli/run.test.ts',
        "gives claude settings for this run alone, gone afterwards and nobody else's to read",
      ],
    ],
  },
  {
    id: 'coverage-counted-once',
    group: 'tools',
    text: 'Coverage counts each tool call of an agent once, whichever of answer and hook shows it first.',
    restsOn: "The client's own id for each use of a tool.",
    bypassedBy:
      'A client that invents or repeats ids; processes that a shell command starts are not seen at all.',
    tests: [
      [
        'src/agents/agents.test.ts',
        'coverage counts each tool call once, whichever of answer and hook comes first',
      ],
    ],
  },
  {
    id: 'doctor-proves',
    group: 'tools',
    text: 'Doctor calls a hook working only after a call that must be refused was refused.',
    restsOn:
      'A real call of the real client through its hook, judged by the journal and the disk; the agent is frozen.',
    bypassedBy: 'A client that treats that one call differently.',
    tests: [
      ['src/guarantees/guarantees.test.ts', 'a hook works only when a call that must be refused was refused'],
      ['test/doctor.test.ts', 'tells a client whose hook is …, and leaves nothing behind'],
      [
        'test/long/doctor.test.ts',
        'the hooks of Claude Code and Codex are proven by a call that was refused, and nothing is left',
      ],
    ],
  },
];

/** Promises about calls: the gate, what passes, and in what order. */
import type { Promised } from '../promise.ts';
import { DISK, NOTHING, SOURCES } from './bypass.ts';

export const CALL_PROMISES: readonly Promised[] = [
  {
    id: 'tickets',
    group: 'gate',
    text: 'No driver acts without a ticket, only the gate mints tickets, and a ticket admits one performance.',
    restsOn: 'The types and a rule over the sources.',
    bypassedBy: SOURCES,
    tests: [
      ['test/tidy.test.ts', 'mint tickets in the gate only'],
      ['src/drivers/models/http.test.ts', 'a ticket admits one performance'],
    ],
  },
  {
    id: 'durable-start',
    group: 'gate',
    text: 'No effect leaves without a durable START, every END has a START, each attempt ends once, and after a crash every model call without an END is ended as in doubt with its reservation booked.',
    restsOn: 'One walk for every call; the journal resolves only when an entry is on the disk.',
    bypassedBy: DISK,
    tests: [
      [
        'test/simulation/kernel.test.ts',
        '… seeds: every START is durable before its effect, every END has one, no budget is over-issued, every wait is named',
      ],
      ['src/gate/gate.test.ts', 'two hooks that tell one outcome at once write one END'],
      [
        'src/gate/gate.test.ts',
        'no agent is on the disk before its parent, whatever its first call waits for',
      ],
    ],
  },
  {
    id: 'waits-named',
    group: 'gate',
    text: 'Whatever waits is in one table under the name of what blocks it, and goes on when that is free, answered, thawed or resumed.',
    restsOn: 'A call waits only in that table; whoever changes what blocks a call wakes it there.',
    bypassedBy: 'A wait is volatile: a restart forgets it, and the retry of the client waits again.',
    tests: [
      [
        'test/simulation/kernel.test.ts',
        '… seeds: every START is durable before its effect, every END has one, no budget is over-issued, every wait is named',
      ],
      ['src/gate/gate.test.ts', 'an answer that comes while the question is being written is not missed'],
      [
        'src/gate/gate.test.ts',
        'calls of a child go on when the budget of its paused parent is raised, and the row says so',
      ],
      ['src/gate/gate.test.ts', 'a slot is free while the refusal of the call that had it is written'],
    ],
  },
  {
    id: 'end-before-last-byte',
    group: 'gate',
    text: 'The end of an answer leaves only when its END is durable.',
    restsOn: "The dialect's state machine withholds the terminal event.",
    bypassedBy: DISK,
    tests: [['src/gateway/gateway.test.ts', 'the end of a stream waits for END']],
  },
  {
    id: 'freeze',
    group: 'gate',
    text: 'After a freeze or a revoked key took effect no byte of a new call reaches an upstream, and running calls are cut.',
    restsOn: 'An epoch that is compared again just before dispatch.',
    bypassedBy: 'What had left before; a hosted model may finish and bill a call that was cut.',
    tests: [
      ['test/gate.test.ts', 'freeze: no byte reaches an upstream after it took effect; kill ends what runs'],
      ['src/access/rows.test.ts', 'freezes hold the descendants of what is frozen and survive reopening'],
      ['src/gate/gate.test.ts', 'a call that waits under a key that is revoked never starts'],
    ],
  },
  {
    id: 'pause',
    group: 'gate',
    text: 'A paused agent stops before its next model call, stays paused across a restart of the kernel, and the upstream then gets the same bytes.',
    restsOn: 'The stored state of the agent; the call waits with its connection open.',
    bypassedBy: 'A call that already runs goes on to its end; what the agent does without asking the gate.',
    tests: [
      [
        'test/gate.test.ts',
        'a paused agent waits with its connection open, across a restart, and the upstream gets the same bytes',
      ],
    ],
  },
  {
    id: 'bytes',
    group: 'wire',
    text: 'Bodies pass byte for byte in both directions, streamed or not, whatever mezz does not know.',
    restsOn: 'Bytes are forwarded as they came; what is read is read on a copy.',
    bypassedBy:
      "A named transform, which is named in the answer and in the journal; mezz's own key, starred out of an answer that repeats it.",
    tests: [
      [
        'test/gate.test.ts',
        'a message passes byte for byte, both ways, streamed and not, and is journaled, billed and rebuilt',
      ],
      ['test/gate.test.ts', 'every dialect passes, streamed and not, and its usage is booked'],
      ['test/security/door.test.ts', 'of any shape on …, in any framing'],
      ['src/gateway/gateway.test.ts', 'compressed requests travel compressed and are read'],
      ['src/gateway/gateway.test.ts', 'errors of the upstream pass with status, headers and body'],
    ],
  },
  {
    id: 'transforms-named',
    group: 'wire',
    text: 'Every change of a body comes from a closed list, is named in START, in `x-mezz-transforms` and in the trace, and changes nothing else.',
    restsOn: 'One file of the gate applies transforms, before START is written.',
    bypassedBy:
      'A chat upstream that, asked for usage, puts it into a chunk that also carries an answer: that member reaches the client.',
    tests: [
      [
        'test/gate.test.ts',
        'transforms are named in the journal, in the header and in the trace, also after a restart',
      ],
      [
        'test/gate.test.ts',
        'an alias changes the one member model, also of a compressed body, and nothing else',
      ],
      [
        'test/gate.test.ts',
        'a chat stream that does not ask for usage is charged what it used, and its client sees what it would have seen',
      ],
      ['src/wire/transforms/hints.test.ts', 'any body: taking out what was added gives the bytes that were'],
      [
        'test/hints.test.ts',
        'an engine is told priority and session where its settings say so: named, compressed or not, translated or not',
      ],
    ],
  },
  {
    id: 'losses-named',
    group: 'wire',
    text: "A request whose backend speaks another dialect is translated, its answer is of the client's own dialect, and every member that could not be carried over is named in START and in `x-mezz-losses`; what only means something at its own provider is refused.",
    restsOn:
      'One neutral model of requests, answers and streams; encoders of the dialects that say what they leave out.',
    bypassedBy: 'A member that both dialects have under one name and understand differently.',
    tests: [
      [
        'test/translate.test.ts',
        'serves every dialect, streamed and whole: tool call, usage, model, what was lost',
      ],
      [
        'test/translate.test.ts',
        'what only means something upstream is refused before anything leaves, and nothing stays held',
      ],
      ['src/wire/translate.test.ts', 'what cannot be carried is named, each once'],
    ],
  },
  {
    id: 'same-conversation',
    group: 'wire',
    text: 'In another dialect a request asks the same and an answer says the same: texts, parallel tool calls and results with their ids, thoughts with the seal that their provider needs back, images, why it ended, and usage with its cached and reasoning tokens. Claude Code and Codex do their whole tool loop on models of dialects they do not speak.',
    restsOn:
      "Goldens read by what each API documents and not by the code that translates: answers of every dialect cut at every byte, random conversations there and back, requests captured from the real clients; the clients' own programs.",
    bypassedBy:
      'What only one dialect has a word for in an answer, such as citations, is left out of it; a thought shown to a client of Chat does not come back.',
    tests: [
      ['test/goldens/answers.test.ts', 'whole for …'],
      ['test/goldens/answers.test.ts', 'streamed for …, a byte at a time'],
      ['test/goldens/answers.test.ts', 'ended anywhere for …'],
      ['test/goldens/answers.test.ts', '…: … …'],
      ['test/goldens/answers.test.ts', 'a seal that a client made up carries nothing but a thought'],
      [
        'test/translate.test.ts',
        'thoughts sealed by another provider leave a conversation that goes on in its own dialect, and no other byte',
      ],
      ['test/goldens/requests.test.ts', 'of … through … and back say what they said'],
      ['test/goldens/requests.test.ts', 'of … for … lose nothing unsaid'],
      ['test/goldens/captured.test.ts', 'for … and back'],
      ['test/goldens/anything.test.ts', 'answers, streams and errors'],
      [
        'test/long/translated.test.ts',
        '… served by …: its tool loop is done, its calls, results and thoughts come back to the model, its usage is billed',
      ],
    ],
  },
  {
    id: 'lab-labelled',
    group: 'wire',
    text: 'What the lab answers says in its first word and in a header that it is the lab, costs nothing, and is the same for the same requests.',
    restsOn: 'A pure function of the request; the lab is reached by HTTP like every other backend.',
    bypassedBy: 'An agent that cuts the first word off before it shows the text.',
    tests: [
      [
        'test/lab.test.ts',
        'without key, login or model the shipped lab answers, labelled, free, in the order that mezz decides',
      ],
      [
        'src/drivers/lab/lab.test.ts',
        'the same requests get the same answers at the same times, and every answer says that it is the lab',
      ],
    ],
  },
  {
    id: 'compressed-streams',
    group: 'wire',
    text: 'A stream that arrives compressed (gzip, deflate, br, zstd) passes byte for byte as it comes, is watched on a decoded copy of bounded size, and its end is withheld like that of any stream.',
    restsOn: 'A chunk leaves only when all that it decodes to belongs to events that may leave.',
    bypassedBy: 'Another coding, or several at once: such an answer is withheld whole.',
    tests: [
      [
        'src/drivers/models/compressed.test.ts',
        '…: passes byte for byte, and nothing of its end before finish, at every cut',
      ],
      ['src/drivers/models/compressed.test.ts', 'that decodes to too much is given up'],
      [
        'src/gateway/gateway.test.ts',
        'streams that are compressed all the same pass as they came, and are watched',
      ],
    ],
  },
  {
    id: 'no-fake-end',
    group: 'wire',
    text: "An upstream that dies gives an error event in the client's dialect, never a fake end.",
    restsOn: 'A state machine per dialect.',
    bypassedBy: 'An upstream that itself ends an incomplete answer correctly.',
    tests: [
      ['test/security/door.test.ts', 'at chosen bytes of …'],
      ['test/long/cuts.test.ts', '… cut at every byte'],
      ['test/gate.test.ts', 'a dead upstream becomes an error event in the dialect, never a fake end'],
    ],
  },
  {
    id: 'sdks',
    group: 'wire',
    text: "Unmodified programs of the vendors' SDKs work with a base URL and a key alone; a refusal reaches them as their own SDK's error, names the rule and what to type, and is not tried again.",
    restsOn: 'One error table, whose statuses and headers the SDKs understand.',
    bypassedBy: 'A version of an SDK other than the pinned one; a program that retries by itself.',
    tests: [
      ['test/long/sdks.test.ts', 'answers, streams, tools, faults and refusals'],
      ['test/long/sdks.test.ts', 'an exhausted budget is told once and not tried again'],
    ],
  },
  {
    id: 'leave-cancels',
    group: 'wire',
    text: 'A client that leaves cancels its call upstream at once.',
    restsOn: 'The connection of the client.',
    bypassedBy: 'A provider that goes on computing, and billing, after the connection ended.',
    tests: [
      ['test/gate.test.ts', 'a client that leaves cancels the upstream'],
      [
        'test/security/door.test.ts',
        'a caller that closes its half has left: it is told so, and its call ends',
      ],
    ],
  },
  {
    id: 'slow-client',
    group: 'wire',
    text: 'A client that reads slowly stops the upstream instead of filling memory, and loses no byte; one that reads nothing for too long has left.',
    restsOn: 'Back-pressure from socket to socket.',
    bypassedBy: 'Buffers of the operating system are outside this count.',
    tests: [
      [
        'src/gateway/gateway.test.ts',
        'a slow client stops the upstream, memory stays bounded, all bytes come',
      ],
      [
        'src/drivers/models/http.test.ts',
        'a client that reads nothing for too long has left, and its upstream is cut',
      ],
    ],
  },
  {
    id: 'door',
    group: 'wire',
    text: 'A request without a valid key, with a foreign Host, from a web page or for a route that is not listed reaches no upstream.',
    restsOn: 'Checks before anything is read of the body.',
    bypassedBy: 'Whoever has a key.',
    tests: [
      [
        'test/gate.test.ts',
        'the door: no key, a wrong Host, a web page, an unknown route, bad JSON, duplicate keys',
      ],
      ['src/gateway/gateway.test.ts', 'without one: 401 in the dialect, counted, nothing sent'],
    ],
  },
  {
    id: 'whole-requests',
    group: 'wire',
    text: "A body that is malformed, too large, doubly keyed or cut off reaches no upstream and is told so in the caller's dialect.",
    restsOn: 'One scan of the bytes, strict about JSON.',
    bypassedBy: NOTHING,
    tests: [
      [
        'test/gate.test.ts',
        'the door: no key, a wrong Host, a web page, an unknown route, bad JSON, duplicate keys',
      ],
      ['src/gateway/gateway.test.ts', 'bodies over the bound, before reading them'],
      ['src/gateway/gateway.test.ts', 'a body that stops half way reaches nobody'],
      ['test/security/door.test.ts', 'is told in the dialect of …, and reaches nobody'],
      ['test/security/door.test.ts', 'larger than the bound: told while it is still sent, declared or not'],
    ],
  },
  {
    id: 'hostile-clients',
    group: 'wire',
    text: 'A client that is slow, speaks no HTTP, lies about lengths or sends a bomb gets one clear error; memory stays bounded, answers on the same connection stay whole and other calls go on.',
    restsOn: 'Bounds on time, on each body and on all bodies together.',
    bypassedBy: 'As many connections as are allowed at once: those beyond are dropped.',
    tests: [
      [
        'test/security/door.test.ts',
        'headers byte by byte, a body byte by byte, and silence end in an error; others go on meanwhile',
      ],
      ['test/security/door.test.ts', '…: one clear error, the connection ends, nothing reaches anybody'],
      ['test/security/door.test.ts', 'garbage behind a request does not touch its answer'],
      ['test/security/door.test.ts', 'bombs: small on the wire, told as too large, with bounded memory'],
      [
        'src/gateway/body.test.ts',
        'all bodies together have a bound, and a call that does not fit is told when to come back',
      ],
    ],
  },
  {
    id: 'hostile-servers',
    group: 'wire',
    text: 'Whatever JSON an upstream or a tool server sends in place of a number, a text or an object, the kernel lives; and no template of its resources holds the kernel.',
    restsOn: 'No value from outside is made a number or a text without a look at what it is.',
    bypassedBy: 'A place in a message that neither the goldens nor the messages of the tests have.',
    tests: [
      ['test/goldens/anything.test.ts', 'answers, streams and errors'],
      [
        'src/drivers/mcp/peer.test.ts',
        'whatever a server says in place of a number or a text, its listener lives',
      ],
      [
        'src/tools/templates.test.ts',
        'a template of many expressions ends where trying all their lengths never would',
      ],
    ],
  },
  {
    id: 'hostile-messages',
    group: 'wire',
    text: 'Whatever an agent sends in a place of a hook, of a message by MCP or of a model call, and whatever a program asks by the control protocol, the kernel answers and lives.',
    restsOn:
      'A request of the control protocol is compared with what its verb takes before anything sees it; names from outside are looked up among the own names of a table.',
    bypassedBy:
      'A message that the tests do not come upon; agent.started names a process, which kill then ends.',
    tests: [
      [
        'test/fuzz/door.test.ts',
        'whatever an agent sends in one place of a message, it is answered and the kernel goes on',
      ],
      [
        'test/fuzz/control.test.ts',
        'whatever a program asks by the control protocol, it is answered and the kernel goes on',
      ],
    ],
  },
  {
    id: 'order',
    group: 'order',
    text: 'Calls are granted in the order of the policy, the same events give the same order, and no call waits for ever: one that has waited the maximum, and was passed by 40 calls for each that waited when it came, is next but for those to which that happened before.',
    restsOn: "One queue whose order a policy decides; the maximum wait is the host's.",
    bypassedBy: 'The provider: what runs there at the same time is in its hands.',
    tests: [
      ['src/scheduler/scheduler.test.ts', 'priority goes by nice value until the maximum wait has passed'],
      [
        'src/scheduler/scheduler.test.ts',
        'a call that has waited the maximum is passed by none that came later',
      ],
      [
        'src/scheduler/scheduler.test.ts',
        'however long the queue, nobody waits for ever: after its maximum and its passes, only those to whom that happened before',
      ],
      [
        'src/scheduler/conservation.test.ts',
        '…: a call is not starved beyond the maximum wait by a stream the policy prefers',
      ],
      ['src/scheduler/conservation.test.ts', 'the same events give the same order'],
      [
        'src/scheduler/queue.test.ts',
        '…: the first by the heaps is the first by comparing all, whatever changes',
      ],
    ],
  },
  {
    id: 'slots',
    group: 'order',
    text: 'No slot idles while a call wants it (but for the last eighth of a backend whose cache size is set in mezz.yaml, kept for calls that fit the cache), none is lost or issued twice, and a full queue refuses with a time to come back.',
    restsOn: 'The scheduler alone takes and gives back slots.',
    bypassedBy: "A slot count or cache size in mezz.yaml that is not the backend's own.",
    tests: [
      [
        'src/scheduler/conservation.test.ts',
        'no slot idles while a call wants it, none leaks, the queue is bounded',
      ],
      [
        'src/scheduler/policies.test.ts',
        'the last slots of a backend whose cache is known are for calls that fit it',
      ],
      ['src/scheduler/scheduler.test.ts', 'a full queue refuses with a time to come back'],
    ],
  },
  {
    id: 'fair-shares',
    group: 'order',
    text: 'Under the policies fair and mezz (within one nice value), what two owners with calls waiting were served for their weights differs by at most (4n + 2) U: n slots, U the largest cost of a call over its weight.',
    restsOn:
      'A counter for each owner, charged with an estimate at the start and with the real use at the end.',
    bypassedBy: 'Calls let through by the maximum wait, and a backend that does not report what it used.',
    tests: [
      [
        'src/scheduler/policies.test.ts',
        '…: what backlogged owners are served for their weights differs by no more than the bound',
      ],
      ['src/scheduler/policies.test.ts', 'who comes back has saved nothing up'],
    ],
  },
  {
    id: 'order-told',
    group: 'order',
    text: 'mezz why names who has what a call waits for, who is ahead and by which reasons of the policy, and an estimate with the measured error of such estimates; START keeps the reasons of a call that waited.',
    restsOn: 'The policy that decides is the one that is asked for reasons.',
    bypassedBy: "Reasons of an operator's own policy: they are what it says.",
    tests: [
      [
        'src/scheduler/scheduler.test.ts',
        'explains who has the slot, who is ahead and why, and how long it may take, with the error of such estimates',
      ],
      ['test/sched.test.ts', 'a call that waited keeps in the journal why it was granted when it was'],
    ],
  },
  {
    id: 'what-if',
    group: 'order',
    text: 'mezz whatif replays recorded calls under other policies by the code that runs live, says for each agent how far a replay of the policy in force is off from what was, and shows no smaller difference.',
    restsOn: 'Policies are pure: events in, keys out.',
    bypassedBy:
      'What is held as it was and would not have been: how long calls ran, what they answered, waits for people and limits.',
    tests: [
      [
        'src/scheduler/whatif.test.ts',
        'the policy that was in force gives what was; another one gives what would have been, closed loop',
      ],
      ['src/scheduler/whatif.test.ts', 'what first come, first served did, the replay of it does again'],
      [
        'test/sched.test.ts',
        'what-if replays what the journal has, for each agent, and a policy that fails is no answer',
      ],
    ],
  },
  {
    id: 'order-kept',
    group: 'order',
    text: 'A scheduling policy is set, tuned and swapped while calls wait; what operators set is kept through a restart or a crash, until mezz.yaml says something else of scheduling.',
    restsOn: 'One row, written in one transaction with an entry that says what was set.',
    bypassedBy:
      'Removing the file of a policy of your own: then the order is as mezz.yaml says, and mezz status says why.',
    tests: [
      [
        'test/sched.test.ts',
        'what operators set of the order outlives the kernel, until mezz.yaml says something else of it',
      ],
      [
        'test/sched.test.ts',
        'the policy of a file decides; what it costs a policy to fail is its own place, and the journal says so',
      ],
      ['test/sched.test.ts', 'what cannot be set changes nothing and says what to type'],
    ],
  },
  {
    id: 'policy-swap',
    group: 'order',
    text: 'A scheduling policy that throws or breaks its contract is replaced by the one before it, and that by first come, first served; nothing is lost.',
    restsOn: 'Policies decide order only; the host keeps the calls.',
    bypassedBy: "An operator's own policy that never returns: it runs in the kernel's process and stops it.",
    tests: [
      [
        'src/scheduler/conservation.test.ts',
        'a policy that throws is replaced by first come, first served, and nothing is lost',
      ],
      [
        'src/scheduler/conservation.test.ts',
        'a policy that breaks its contract gives way to the one before it, and that to first come, first served',
      ],
    ],
  },
];

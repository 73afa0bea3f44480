/** Promises about calls that are stopped and go on. */
import type { Promised } from '../promise.ts';

export const PREEMPTION_PROMISES: readonly Promised[] = [
  {
    id: 'engine-stops-exactly',
    group: 'order',
    text: 'An answer of the embedded engine that is stopped between two tokens, while others are written, goes on with the tokens it would have had, at any temperature; nothing is computed again, and at most the one step that runs ends before it stops.',
    restsOn:
      'Its state stays in memory; a step of the model computes a fixed chunk of one prompt or one token of one answer, and nothing of another; each token has a random number of its own, made from the seed and its position.',
    bypassedBy:
      'An engine process that dies: its answers end. It was measured on processors alone, not on graphics cards.',
    tests: [
      [
        'test/preemption.test.ts',
        'has the tokens it would have had, at temperature …, while others are written',
      ],
      ['src/drivers/engine/steps.test.ts', 'a step is of one answer alone, and answers take turns'],
      [
        'src/drivers/engine/steps.test.ts',
        'a closed latch stops at once what waits, and what computes after that step; the rest goes on',
      ],
      [
        'src/drivers/engine/steps.test.ts',
        'the seed of a token depends on its position alone, and no two are alike',
      ],
    ],
  },
  {
    id: 'preempted-unbroken',
    group: 'order',
    text: 'A call at the embedded engine that is stopped for another, or because its agent is paused, keeps its client’s stream open with heartbeats between whole events, goes on where it stopped, and has one START, one END and its tokens counted once; the trace says when it stood still, its END how often and how long, and the START of the other for whom.',
    restsOn: 'The state of a stopped answer stays in the engine’s memory beside those that are written.',
    bypassedBy:
      'An engine with kept: 0; as many stopped as it keeps: then a pause stops what runs in its slot, and nothing is stopped for others. A client that asked for no stream gets no heartbeats. A kernel that ends ends its stopped calls too.',
    tests: [
      [
        'test/preemption.test.ts',
        'one stops for another that goes before it, its stream unbroken, and goes on to the same end',
      ],
      [
        'test/preemption.test.ts',
        'mezz pause stops what runs between two tokens; its client is kept, others go on, and resume ends it as it was',
      ],
      ['test/preemption.test.ts', 'a client that leaves while its call stands still leaves nothing behind'],
    ],
  },
  {
    id: 'stands-still-bounded',
    group: 'order',
    text: 'An answer that stands still with its paused agent goes on to its end ten minutes after its agent was paused, and gives back what it keeps at the engine; its agent stays paused, and mezz why says so beforehand.',
    restsOn: 'A timer of the call, on the kernel’s clock.',
    bypassedBy: 'An agent that is resumed and paused again begins its ten minutes anew.',
    tests: [
      [
        'src/gate/suspension.test.ts',
        'goes on to its end after its time, by its turn in the queue or in the slot that it kept',
      ],
      ['src/gate/suspension.test.ts', 'is bounded by nothing once its agent goes on, or it is over'],
    ],
  },
  {
    id: 'continued-not-lost',
    group: 'order',
    text: 'A streamed Chat answer of a local server that continues (continues: true) is broken off between two events for a call that goes before it, or with its paused agent, and continued from its last words: its client sees one stream with one id, no word is lost or said twice, and its tokens are counted once. A tool call that has begun, reasoning, and an answer held to a format are left to end; so is a call whose prefix would have to be read again for more than the other is spared, or nobody knows.',
    restsOn:
      'continue_final_message of vLLM and llama-server; a model of the server’s cache, whose size is set or learned from the cached tokens it reports.',
    bypassedBy:
      'The words that follow are the server’s: the same as without a break only where it computes them alike. White space at the break is not sent, since chat templates take it away or their server refuses it (vLLM), and comes once, from whichever side. A piece of text counts as one token of those written before. A server that is busy or gone when the answer is to go on ends it with an error in its dialect.',
    tests: [
      [
        'test/preemption.test.ts',
        'one is broken off for another that goes before it, and goes on with the words it had still to say',
      ],
      ['test/preemption.test.ts', 'a pause breaks it off between two events, and resume continues it'],
      [
        'test/preemption.test.ts',
        'a tool call that has begun, and an answer held to a format, are not broken off',
      ],
      [
        'src/drivers/models/chat.test.ts',
        'what its server says again is not said twice; white space at the break comes once',
      ],
      [
        'src/scheduler/preemption.test.ts',
        'none whose going on costs as much as the next is spared, or nobody knows how much',
      ],
    ],
  },
  {
    id: 'prefilled-not-lost',
    group: 'order',
    text: 'A streamed Messages answer of a local server that goes on from a last message of the assistant (prefills: true) is broken off and continued like one of Chat: its client sees one message whose block of text goes on, no word is lost or said twice, and its tokens are counted once. Thinking, a tool call that has begun, an answer held to a format and one that its client began itself are left to end.',
    restsOn:
      'The prefill of the Messages API, as llama-server and Claude models before 4.6 have it; a trial finds out whether a server does it (mezz backend try).',
    bypassedBy:
      'The words that follow are the server’s. White space at the break is not sent, since the API refuses it, and comes once, from whichever side. A piece of text counts as one token. A server that refuses to go on, untried, ends the answer with an error in its dialect.',
    tests: [
      [
        'test/preemption.test.ts',
        'one is broken off for another that goes before it, and goes on with the words it had still to say',
      ],
      [
        'src/drivers/models/messages.test.ts',
        'is one message: one beginning, one block, its tokens counted once',
      ],
      [
        'src/drivers/models/messages.test.ts',
        'what its server says again is not said twice; white space at the break comes once',
      ],
      [
        'test/levels.test.ts',
        'is tried in Messages where that is what it speaks: one that refuses a last message of the assistant does not go on',
      ],
    ],
  },
  {
    id: 'continued-by-tokens',
    group: 'order',
    text: 'Where mezz.yaml says continues: tokens, a streamed Chat answer to a request without tools goes on from the very tokens it has, however often it is broken off: its usage is counted once, and nothing of what was asked for that reaches its client. Where a token was not told, no ids are taken, or the request has tools, it goes on from its last words.',
    restsOn:
      'llama-server: n_probs and timings_per_token tell each token, /apply-template the prompt, and /v1/completions goes on from a text and ids.',
    bypassedBy:
      'The same tokens come only at temperature 0 and where the server computes a token alike, however many it reads or writes at once; at other temperatures it draws anew. A stop word that a model’s template adds by itself is not sent again.',
    tests: [
      [
        'test/resume.test.ts',
        'has every token once, over two breaks, its usage counted once and nothing of the question left in it',
      ],
      [
        'test/resume.test.ts',
        'goes on from its words where not every token was told, where no ids are taken, and where it has tools',
      ],
    ],
  },
  {
    id: 'levels-as-seen',
    group: 'order',
    text: 'How far running calls of a backend can be preempted is told with how it is known: built in, tried by three short calls in each of Chat and Messages that it speaks, which pass the gate like all others, or told without a call where tokens are charged; a trial is kept with the installation and counts for the address it was made at. One of one’s own is tried by itself when mezz starts, when its settings are read again and when it is added; what does not answer is tried another time.',
    restsOn:
      'A trial compares an answer that was broken off and continued with the same answer written whole.',
    bypassedBy:
      'An engine that is changed behind its address after it was tried, or that goes on rightly only now and then.',
    tests: [
      [
        'test/levels.test.ts',
        'is tried by three calls in each dialect that are recorded as all are, and kept across a restart',
      ],
      [
        'test/levels.test.ts',
        'is tried by itself where nobody did, once for each address, and where tokens are charged never',
      ],
      ['test/levels.test.ts', 'is no more than what was seen: one that begins anew does not go on'],
      ['test/levels.test.ts', 'is built in at the engine, and told without a call where tokens are charged'],
    ],
  },
  {
    id: 'preemption-worth-it',
    group: 'order',
    text: 'A running call is stopped only for one that the scheduling policy puts before it, only where that one would otherwise wait longer than a stop costs, and never where its state would be lost; one that went on has a slice of 32 tokens before it may be stopped again, and none stands still beyond the maximum wait while a slot is given to another.',
    restsOn: 'A pure function of the policy’s keys, the tokens written and the calls that the backend keeps.',
    bypassedBy: 'A scheduling policy of the operator’s own that puts calls in a senseless order.',
    tests: [
      [
        'src/scheduler/preemption.test.ts',
        'the last in the order that stands behind the next; none that stands level or before',
      ],
      ['src/scheduler/preemption.test.ts', 'none where a slot becomes free about as soon by itself'],
      [
        'src/scheduler/preemption.test.ts',
        'none that cannot be stopped, is being stopped, or has not had its slice since it went on',
      ],
      [
        'src/scheduler/preemption.test.ts',
        'one that cannot stop is in nobody’s way: the next behind it is asked, and itself after a slice',
      ],
      [
        'src/scheduler/preemption.test.ts',
        'whatever comes: no slot is issued twice or idles, no more are kept than may be, and all end',
      ],
    ],
  },
];

/** Promises about what tools answer, and when. */
import type { Promised } from '../promise.ts';

export const RESULT_PROMISES: readonly Promised[] = [
  {
    id: 'long-calls-are-tasks',
    group: 'tools',
    text: 'A call of a tool that has waited or run for long becomes a task where its client takes tasks of MCP: durable before the client is told, found by its agent alone, and made on after the kernel was killed, what may take effect twice never silently twice; a client that wants progress hears what its call waits for.',
    restsOn:
      'A row for each task, and the ledger of uses: what it does not know was never sent or changes nothing. A doubt keeps its task open until its retry class or a person settles it.',
    bypassedBy:
      'A task is kept for a day. Where bodies are not stored it ends with the kernel, and says so. A manifest that is wrong about what a second sending does. Only clients of 2026-07-28 that declare the extension take tasks.',
    tests: [
      [
        'src/gate/tasks.test.ts',
        'a call that takes long becomes a task, durable before its client is told, and its end is found by its agent alone',
      ],
      [
        'src/gate/tasks.test.ts',
        'a call that waits tells so, in numbers that grow; as a task it waits on where another is told to come again',
      ],
      [
        'src/gate/tasks.test.ts',
        'a task goes on after the kernel was killed: what waited is made, what may be is made again, what may not is a doubt',
      ],
      [
        'src/gate/tasks.test.ts',
        'killed again and again, a task that may take effect twice is sent once, or is a doubt',
      ],
      ['src/gate/tasks.test.ts', 'a task that its client cancels ends, whether it waits or runs'],
      [
        'src/gate/tasks.test.ts',
        'where bodies are not kept no word of a task is stored, and after a restart it says so',
      ],
      [
        'test/tasks.test.ts',
        'a slow call is a task for who takes tasks, found by its agent alone, and an answer for everybody else',
      ],
      [
        'test/tasks.test.ts',
        "a task's question is asked and answered by its handle, and a cancelled one ends",
      ],
      [
        'test/tasks.test.ts',
        'a task outlives the kernel: one that may have taken effect waits for a person, and ends by their word',
      ],
    ],
  },
  {
    id: 'forbidden-tools-hidden',
    group: 'tools',
    text: 'A tool that no access policy ever lets an agent call, whatever its arguments, the hour or a person say, is not in its lists, and calling it is refused; one that may be permitted is shown (`mezz tool ls --agent`).',
    restsOn:
      'The policies in force without what they ask of a call: permits say yes, forbids with such a question are left out. What these refuse, the whole refuses.',
    bypassedBy:
      'Names that an agent knows from elsewhere: what it calls by them is refused. Prompts and resources.',
    needs: ['enforcing'],
    tests: [
      [
        'src/gate/sight.test.ts',
        'a tool that no policy ever lets an agent call is not shown to it; one that may be permitted is',
      ],
    ],
  },
  {
    id: 'calls-as-shown',
    group: 'tools',
    text: 'A call of a tool whose definition was changed and accepted since its client listed it is refused once, with the new definition; clients hear when an operator accepts one.',
    restsOn: 'The digests of the definitions that each key was shown last.',
    bypassedBy:
      'A client that never listed the tools since the kernel started: its calls are checked by what is accepted.',
    tests: [
      [
        'src/gate/sight.test.ts',
        'a call is checked by the definition that its client was shown: of a newer one it is told first, and sees it',
      ],
    ],
  },
  {
    id: 'doubts-by-rule',
    group: 'tools',
    text: 'What is done about a call in doubt is said beforehand for a tool (`doubt` in its manifest) or a server (`doubt` in `mezz.yaml`): ask a person, which is the default, make it once more, or count it as done or given up; a rule never makes a call a third time.',
    restsOn: 'The retry class goes first; the rule closes the doubt in the journal, or sends once more.',
    bypassedBy: 'A rule that is wrong about its tool: once more may be the effect twice.',
    tests: [
      [
        'src/gate/doubts.test.ts',
        'a doubt is settled by the rule of its tool, else of its server, else by a person alone',
      ],
      [
        'src/gate/doubts.test.ts',
        'a call that is made once more by a rule and is broken off again is a doubt: no rule makes it a third time',
      ],
      ['src/gate/doubts.test.ts', 'what a crash left in doubt is settled by its rule at the next start'],
    ],
  },
  {
    id: 'tools-charged',
    group: 'money',
    text: 'Each sending of a call of a tool with a price (`costUsd` in its manifest) is charged to its agent, its parents and its owner, is in the bill, and counts against budgets, strict ones too; the journal proves it.',
    restsOn: 'The reservation is booked with START, whatever comes of the call.',
    bypassedBy: 'A price that the manifest has wrong. Calls by hook have none.',
    tests: [
      [
        'src/gate/toolrates.test.ts',
        'each sending of a tool with a price is charged: in the bill, against a strict budget, and as the journal proves',
      ],
      ['src/gate/toolrates.test.ts', 'a sending that nobody knows the end of is charged, too'],
    ],
  },
  {
    id: 'results-read-on',
    group: 'tools',
    text: "A tool's result that is longer than its server's bound is shown with its head, its tail and how to read on; its agent reads all of it, in stretches, by a tool of mezz or the link in it, and no other agent can.",
    restsOn:
      'The parts are kept with the END of their call, under its agent; who reads is known by the ticket. Each reading is a syscall.',
    bypassedBy:
      'A part is kept up to 8 million characters, the first 64 parts of a result, for as long as bodies are; where bodies are not stored, in memory, and the oldest makes room. Resources and prompts are passed whole.',
    tests: [
      [
        'src/gate/results.test.ts',
        'of a long result an agent is shown head and tail within the bound, and reads all of it on, whatever it holds',
      ],
      ['src/gate/results.test.ts', 'a result within its bound passes as it came, and no part of it is kept'],
      [
        'src/gate/results.test.ts',
        'what is kept of a result is read by the agent whose call it was, and by no other',
      ],
      [
        'src/gate/results.test.ts',
        'structured content keeps its shape, files keep their bytes, and small parts in any number end somewhere',
      ],
      ['src/gate/results.test.ts', 'what is kept goes with the records of its agent, and with its time'],
      [
        'test/tools.test.ts',
        'of a file too long to be shown an agent sees head and tail, in the form that the tool promises, and reads on by tool or link',
      ],
    ],
  },
];

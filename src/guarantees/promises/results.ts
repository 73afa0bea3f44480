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

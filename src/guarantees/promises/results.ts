/** Promises about what tools answer. */
import type { Promised } from '../promise.ts';

export const RESULT_PROMISES: readonly Promised[] = [
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

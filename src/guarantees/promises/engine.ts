/** Promises about the embedded engine. */
import type { Promised } from '../promise.ts';

export const ENGINE_PROMISES: readonly Promised[] = [
  {
    id: 'engine-contained',
    group: 'wire',
    text: 'An engine that dies, cannot load its model or has no room for it ends the requests of its callers with an error in their dialect that says why; the kernel and the other models go on, and it is started again after a pause.',
    restsOn:
      'Each model runs in a child process of its own, which holds nothing of the kernel and none of its environment.',
    bypassedBy:
      'A machine that runs out of memory: the system is told to take the engine first, and may take another.',
    tests: [
      [
        'test/engine.test.ts',
        'an engine that is killed in the middle of answers ends them all, and comes back',
      ],
      [
        'test/engine.test.ts',
        'damaged files, and one larger than memory, are refused with the reason; other models go on',
      ],
      [
        'test/engine.test.ts',
        'what cannot be answered is refused in the dialect that was spoken, and disturbs nothing',
      ],
    ],
  },
  {
    id: 'engine-own-answers',
    group: 'wire',
    text: "The engine's greedy answers through mezz are those that it gives without mezz, in three dialects, streamed or not; tokens are counted by its own tokenizer, and cost nothing.",
    restsOn: 'The same chat template, tokens and sampling; mezz adds none of its own.',
    bypassedBy:
      'A prompt whose beginning the engine still remembers is computed in other batches than one that is new: sums of floating-point numbers then differ in their last digits, and an answer of a large model may.',
    tests: [
      [
        'test/engine.test.ts',
        'a greedy answer is the engine’s own, in every dialect, whole and streamed, with its true counts',
      ],
      ['test/engine.test.ts', 'more at once than it has sequences: each gets its own answer'],
    ],
  },
  {
    id: 'downloads-asked',
    group: 'code',
    text: 'Nothing larger than 1 MB is downloaded before a person said yes to its size and licence; a download goes on where it broke off, and what is not the file that was told is not taken in.',
    restsOn: 'One place asks for every download of the command line; the hub tells the checksum before.',
    bypassedBy:
      '--yes; a hub or an address that tells no size and no checksum: the first is said, the second is not.',
    tests: [
      ['test/model.test.ts', 'asks before anything large moves, telling size and licence'],
      [
        'test/model.test.ts',
        'goes on where a download broke off, and takes nothing in that is not what was told',
      ],
    ],
  },
  {
    id: 'engine-calls-fit',
    group: 'tools',
    text: 'A tool call that a model of the engine makes fits the schema of the tool; a call that was cut short is not made at all.',
    restsOn: 'The model is held to a grammar made from the schema, token by token.',
    bypassedBy:
      'What a grammar cannot say is not enforced: pattern, format, bounds of numbers other than a minimum of 0 or 1, not, if.',
    tests: [
      ['test/engine.test.ts', 'every call of a tool that was made fits the schema of the tool'],
      [
        'src/drivers/engine/writing.test.ts',
        'a call that the model begins by itself is held to its tools from there on',
      ],
    ],
  },
];

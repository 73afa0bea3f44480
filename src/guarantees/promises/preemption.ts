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
];

/** What waits where, and what a backend's cache has to do with it. */
import type { Promised } from '../promise.ts';

export const ORDER_PROMISES: readonly Promised[] = [
  {
    id: 'one-order',
    group: 'order',
    text: 'Model calls, embeddings and tool calls wait in one order, and a turn whose tool has just returned goes before its like whose cached prefix is gone.',
    restsOn:
      'One scheduler, whose resources are slots of backends and the locks of tools; a model of what is cached.',
    bypassedBy: 'An engine that keeps less than it should, or other clients of it.',
    tests: [
      ['test/sched.test.ts', 'embeddings wait in the same order as other model calls'],
      [
        'src/gate/locking.test.ts',
        'tool calls are ordered as model calls are: the one with the smaller nice value goes first',
      ],
      [
        'src/scheduler/admission.test.ts',
        'a turn whose tool has just returned goes before its like whose prefix is gone',
      ],
    ],
  },
  {
    id: 'admission-soft',
    group: 'order',
    text: "What an engine's cache of prefixes holds is learned from the cached tokens that its answers report; turns that fit go first to its last slots, and no slot idles for it.",
    restsOn:
      'A window on the contexts of turns that are not over: one context more for each window of prefixes found, a tenth less for each lost.',
    bypassedBy:
      'An engine that reports no cached tokens: nothing is learned of it. A hosted API is left alone. A size in mezz.yaml goes before what is learned, and there the last slots may idle.',
    tests: [
      [
        'src/scheduler/admission.test.ts',
        'learns what a cache holds from what answers report, also where clients rewrite some conversations',
      ],
      [
        'src/scheduler/admission.test.ts',
        'a cache that loses nothing, or says nothing, bounds nothing; nor does one where nearly all is lost',
      ],
      [
        'src/scheduler/admission.test.ts',
        'gives the last slots first to calls that fit, says so, and idles none',
      ],
    ],
  },
];

/** Promises about what an operator sees and does: metrics, the log, retention, erasure. */
import type { Promised } from '../promise.ts';
import { NOTHING } from './bypass.ts';

export const WATCHING_PROMISES: readonly Promised[] = [
  {
    id: 'metrics-true',
    group: 'journal',
    text: 'The page /metrics counts what the journal and the bill hold, with a bounded number of series.',
    restsOn: 'The gate and the door tell one observer of every decision, END and refusal.',
    bypassedBy: 'Counters start at zero with each kernel; the journal does not.',
    tests: [
      ['test/observe.test.ts', 'every family counts what happened, and the page is strict text format'],
      ['test/observe.test.ts', 'what waits is counted by what it waits for, without a series per call'],
      ['src/telemetry/telemetry.test.ts', 'series are bounded, and nothing that is counted is lost'],
    ],
  },
  {
    id: 'log-bounded',
    group: 'journal',
    text: "The kernel's log holds no credential, has a bound on its size, and tells lasting trouble once a minute.",
    restsOn: 'A log that takes out what looks like a credential; files that replace each other.',
    bypassedBy: NOTHING,
    tests: [
      ['test/observe.test.ts', 'tells start, trouble, settings, drain and end, and no secret'],
      ['src/telemetry/telemetry.test.ts', 'what looks like a credential is taken out, wherever it stands'],
      [
        'src/telemetry/telemetry.test.ts',
        'a backend that is gone is told once a minute, and once when it answers again',
      ],
      [
        'src/drivers/logfile.test.ts',
        'a log file is private and bounded: full, it becomes the old one, and other writers stay on the new',
      ],
    ],
  },
];

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
    id: 'top-safe',
    group: 'access',
    text: 'mezz top ends and admits nothing without a yes to a question that names it, outlives its kernel, and whatever ends it leaves the terminal as it was.',
    restsOn: "One function from a key to an act; Ink's other screen, given back when the process ends.",
    bypassedBy: 'SIGKILL: no program can give the terminal back after it (`reset` does).',
    tests: [
      ['src/cli/top/top.test.ts', 'nothing is ended or admitted without a yes to a question that names it'],
      ['test/top.test.ts', 'whatever ends it, the terminal is as before'],
      ['test/top.test.ts', 'outlives its kernel: it says so, asks again, and goes on with the new one'],
    ],
  },
  {
    id: 'sheets-true',
    group: 'journal',
    text: 'mezz top and mezz free show what calls used and what is taken now, and mezz pmap every byte of the stored request.',
    restsOn: 'Rows of calls in the journal, the scheduler and the ledger, read when asked.',
    bypassedBy:
      'Tokens of the pieces are shared out by bytes, since providers count the whole prompt alone; of more than 5,000 calls in an hour the newest are added up and scaled.',
    tests: [
      [
        'test/sheets.test.ts',
        'top adds up what the calls of the last hour used; the context is the fullest of the last requests',
      ],
      [
        'test/sheets.test.ts',
        'free counts a slot while it is taken, who waits for one, and what is left of a limit',
      ],
      [
        'test/sheets.test.ts',
        'pmap takes the stored request apart, to the byte, and says why where there is none',
      ],
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
  {
    id: 'retention-proven',
    group: 'journal',
    text: 'Entries that retention takes go from the front in one transaction with an entry that says so, and the audit still proves what is left and every older checkpoint.',
    restsOn: 'The tiles of the Merkle tree stay, so its root can be computed at every size (RFC 6962).',
    bypassedBy: 'What a pruned entry said can no longer be shown, only that it was there.',
    tests: [
      [
        'src/journal/retention.test.ts',
        'entries go from the front in whole tiles; what is left is proven, at every size there ever was',
      ],
      [
        'src/journal/retention.test.ts',
        'a front that nothing announced, a changed tile below it and a later change are found',
      ],
    ],
  },
  {
    id: 'erased',
    group: 'journal',
    text: 'After mezz forget no byte that only the forgotten agent said is in the database or its log, and the audit stays clean.',
    restsOn: "SQLite's secure_delete, and a write-ahead log that is emptied.",
    bypassedBy:
      'Backups and exports, which are yours to delete; blocks that the file system freed; what other agents of the owner use too; the answer of the provider.',
    tests: [
      [
        'test/erase.test.ts',
        'an agent: its bytes are gone from database and log, what others use stays, the audit is clean',
      ],
      [
        'test/erase.test.ts',
        'an owner: everything, and the secret of the commitments; another owner is untouched',
      ],
      [
        'test/erase.test.ts',
        'a question to a person loses its arguments, and the call that waits for it is refused',
      ],
    ],
  },
  {
    id: 'policy-test-true',
    group: 'access',
    text: 'mezz policy test asks other access policies exactly what was asked when each recorded call came, and counts the calls it cannot ask about.',
    restsOn:
      'One function makes the question, for the gate, for mezz can and for the test; its facts are stored with the body.',
    bypassedBy:
      'Who an agent is is read from its row as it is now; bodies that retention or erasure took are not testable.',
    needs: ['bodies'],
    tests: [
      [
        'test/retrial.test.ts',
        'sees arguments, hosted tools, levels and what was refused; the text in force changes nothing',
      ],
      ['test/retrial.test.ts', 'what is not stored any more is counted, not guessed'],
      ['test/retrial.test.ts', 'can asks the same question as the gate'],
    ],
  },
  {
    id: 'low-disk',
    group: 'journal',
    text: 'Before the disk is full, status and doctor warn, then new calls are refused while those that run are still booked.',
    restsOn: 'Two bounds on the free space (mezz config limits), looked at once a second.',
    bypassedBy:
      'Another program that fills the rest within that second: then a commit fails, and the kernel ends.',
    tests: [
      ['test/crash/kernel.test.ts', 'what runs is booked while new calls are refused'],
      [
        'test/crash/kernel.test.ts',
        'by a limit on file sizes: the kernel ends and says why, no answer that left is missing',
      ],
    ],
  },
  {
    id: 'removed-not-acknowledged',
    group: 'journal',
    text: 'When the database is removed or replaced under a running kernel, nothing that is written from then on is acknowledged, and the kernel ends and says why.',
    restsOn: 'The file behind the name is compared with every commit, once it is handed to the disk.',
    bypassedBy: 'What was acknowledged or handed to the disk before the removal went with the file.',
    tests: [
      [
        'test/crash/kernel.test.ts',
        'the directory removed under a running kernel: it ends by itself and says why',
      ],
    ],
  },
  {
    id: 'drains',
    group: 'gate',
    text: 'SIGTERM and mezz down let running calls end, and their answers leave before the kernel does.',
    restsOn: 'A grace period, 10 seconds by default (mezz down --grace).',
    bypassedBy: 'A call that takes longer is cut and booked as such; kill -9.',
    tests: [
      [
        'test/crash/kernel.test.ts',
        '…: what runs ends and is booked, what comes is refused, the exit code is 0',
      ],
    ],
  },
];

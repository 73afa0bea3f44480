/** Promises about what is kept: money, the journal, settings and the code itself. */
import type { Promised } from '../promise.ts';
import { DISK, NOTHING, SOURCES } from './bypass.ts';

export const RECORD_PROMISES: readonly Promised[] = [
  {
    id: 'strict-budget',
    group: 'money',
    text: 'A strict limit is never overshot: 500 calls at once use what fits and not one unit more.',
    restsOn: 'A proven bound on each call, reserved before it starts.',
    bypassedBy:
      'A provider that bills more than the bound says; that is booked in full and the next call is refused.',
    needs: ['strict'],
    tests: [
      [
        'test/simulation/kernel.test.ts',
        '… seeds: every START is durable before its effect, every END has one, no budget is over-issued, every wait is named',
      ],
      ['src/gate/gate.test.ts', 'an answer without usage books all that was reserved, in every dimension'],
      [
        'src/budget/overshoot.test.ts',
        '500 concurrent reservations overshoot a strict limit by nothing and use all that fits',
      ],
      [
        'src/budget/overshoot.test.ts',
        'settled and held together never pass a strict cap, whatever order calls come and go in',
      ],
      ['src/budget/overshoot.test.ts', 'a strict limit refuses a call without a bound'],
    ],
  },
  {
    id: 'account-tree',
    group: 'money',
    text: 'A call is charged to its account and to every account above it: a limit of a parent binds, and the sum of the children never exceeds it.',
    restsOn: 'The tree of accounts in mezz.yaml; who paid for a call is in its START.',
    bypassedBy: 'A login that mezz.yaml puts under no parent: it stands alone.',
    tests: [
      [
        'src/budget/tree.test.ts',
        'the sum of the children never exceeds the parent, at no level, with 500 concurrent calls',
      ],
      [
        'test/ledger.test.ts',
        'a call is charged to its account and all above it: a limit of a parent binds, and everything agrees',
      ],
    ],
  },
  {
    id: 'balances-proven',
    group: 'money',
    text: 'The balances and the bill of the day are what the journal says: mezz fsck books every entry again and names each difference, also after a crash.',
    restsOn: "Rows that change in the transaction of the call's END.",
    bypassedBy: 'Changing rows and entries alike; the audit sees changed entries.',
    tests: [
      [
        'src/gate/gate.test.ts',
        'a clock that is set back over midnight leaves balances that the entries prove',
      ],
      ['test/ledger.test.ts', 'fsck names a balance and a bill that are not what the entries say'],
      [
        'test/ledger.test.ts',
        'after a crash the accounts above an open call are charged with what it had reserved',
      ],
    ],
  },
  {
    id: 'exhausted-pauses',
    group: 'money',
    text: 'A limit that cannot cover a call pauses the agent; it goes on by itself when the period turns or the limit is raised, also in the next kernel, and never when an operator paused it.',
    restsOn: 'Every call is checked against the limits of its agent, its owner and its accounts.',
    bypassedBy:
      'A limit without strict counts an estimate: it can be overshot by the error of that estimate.',
    tests: [
      ['test/gate.test.ts', 'a budget that cannot cover a call pauses the agent; raising it resumes'],
      [
        'src/gate/exhausted.test.ts',
        'wakes when the period turns, also in the next kernel; one that an operator paused never does',
      ],
      [
        'src/gate/exhausted.test.ts',
        'wakes when its own limit is raised enough or removed, and by no other; calls below it go on',
      ],
    ],
  },
  {
    id: 'plan-windows',
    group: 'money',
    text: 'A limit may be on a plan window or a share of it: it ends when the provider said so, else its length after its first use.',
    restsOn: 'The headers in which providers report plan windows.',
    bypassedBy:
      'A plan that other programs use too: mezz learns it with the next answer. Calls in flight are in no report yet.',
    tests: [
      [
        'src/budget/spans.test.ts',
        'of an account ends when its provider said so, rounded or not, and never by an old reading',
      ],
      [
        'test/budget.test.ts',
        'a share of the plan, as the provider reports it, pauses the agent until its window resets',
      ],
    ],
  },
  {
    id: 'no-free-unknown',
    group: 'money',
    text: 'A model whose price nobody knows never counts as free; only an explicit free does.',
    restsOn: 'A price list that comes with mezz, and mezz.yaml.',
    bypassedBy: 'A price list that is out of date.',
    tests: [
      ['src/budget/numbers.test.ts', 'what nobody knows has no price; only an explicit `free` is nothing'],
    ],
  },
  {
    id: 'bill-is-balances',
    group: 'money',
    text: 'A bill groups the same balances that limits are checked against, and they survive a restart.',
    restsOn: "Rows that change in the transaction of the call's END.",
    bypassedBy: 'Calls that did not pass mezz are in no bill.',
    tests: [
      [
        'src/budget/ledger.test.ts',
        'a bill groups by everything, from a day on, and its total is the balances',
      ],
      ['src/budget/overshoot.test.ts', 'what was settled or recovered is there after a restart'],
    ],
  },
  {
    id: 'acknowledged-durable',
    group: 'journal',
    text: 'What the store acknowledged is there after kill -9, and each acknowledged commit has synced the disk.',
    restsOn:
      'A redo log that is written synchronously (past the cache of the system where the file system lets it; F_FULLFSYNC on macOS), with a checksum for each batch; SQLite with WAL and synchronous=FULL takes over what it holds before it is written anew, and after a crash first of all.',
    bypassedBy: DISK,
    tests: [
      ['test/crash/store.test.ts', 'kill -9 at … points of a growing file'],
      [
        'src/db/store.test.ts',
        'what is acknowledged and not in the database yet is there after a crash, once and in order',
      ],
      ['src/db/store.test.ts', 'a record that is torn ends the log: all before it is there'],
      ['src/db/sqlite/redolog.test.ts', 'what was stored is in the file, …'],
      ['test/crash/store.test.ts', 'every acknowledged commit has synced the disk'],
    ],
  },
  {
    id: 'full-disk',
    group: 'journal',
    text: 'A full disk ends the store and loses nothing acknowledged.',
    restsOn: 'A failed commit is final.',
    bypassedBy: DISK,
    tests: [
      ['test/crash/store.test.ts', 'a full disk ends the store and loses nothing acknowledged'],
      ['test/crash/store.test.ts', 'a limit on file sizes ends the store and loses nothing acknowledged'],
    ],
  },
  {
    id: 'commit-whole',
    group: 'journal',
    text: 'Entries, the rows they change and the bodies they name are stored together or not at all.',
    restsOn: 'One record of the redo log, one SQLite transaction.',
    bypassedBy: DISK,
    tests: [
      ['src/db/conformance.ts', 'a batch is there as a whole, and after reopening'],
      ['src/db/conformance.ts', 'a failed batch leaves no trace, and every later one fails too'],
    ],
  },
  {
    id: 'commit-failure-final',
    group: 'journal',
    text: 'After a commit failed nothing more is accepted: the kernel must be started again.',
    restsOn: 'The store and the journal both remember the failure.',
    bypassedBy: NOTHING,
    tests: [
      ['src/db/store.test.ts', 'a failed commit is final and reported once'],
      [
        'src/journal/journal.test.ts',
        'a checkpoint holds size and root before it; a failed commit is final; an oversized body takes no seq',
      ],
    ],
  },
  {
    id: 'single-kernel',
    group: 'journal',
    text: 'A second kernel on the same directory is refused, and the lock ends with the process that held it.',
    restsOn: 'A lock of the operating system.',
    bypassedBy: 'A network file system without working locks.',
    tests: [
      [
        'src/db/store.test.ts',
        'a second kernel on the same directory is refused; the lock dies with its process',
      ],
      [
        'test/crash/store.test.ts',
        'a second kernel is refused while the first lives, and not a moment longer',
      ],
    ],
  },
  {
    id: 'tamper-evident',
    group: 'journal',
    text: 'The audit names a changed, missing or swapped entry, a changed tree and a cut end.',
    restsOn: 'A Merkle tree (RFC 6962) over the entries, and its last checkpoint.',
    bypassedBy: 'Rewriting entries, tree and checkpoints together: checkpoints are not signed yet.',
    tests: [
      [
        'src/journal/journal.test.ts',
        'the audit names a changed, missing or swapped entry, a changed tile and a cut end',
      ],
    ],
  },
  {
    id: 'bodies-rebuilt',
    group: 'journal',
    text: 'A request can be rebuilt from the journal byte for byte.',
    restsOn: 'Messages are stored once each, in the chain of their conversation.',
    bypassedBy: 'Retention: bodies go after their time, and an owner can be forgotten.',
    needs: ['bodies'],
    tests: [
      [
        'test/gate.test.ts',
        'a message passes byte for byte, both ways, streamed and not, and is journaled, billed and rebuilt',
      ],
    ],
  },
  {
    id: 'backup-whole',
    group: 'journal',
    text: 'A backup taken while the kernel runs is whole and private, overwrites nothing and can be put back.',
    restsOn: "SQLite's backup and its integrity check.",
    bypassedBy: 'root, and every process of the same user.',
    tests: [['src/db/store.test.ts', 'a backup is whole, private, never overwrites, and can be put back']],
  },
  {
    id: 'private-files',
    group: 'journal',
    text: 'The state directory and the database can be opened by their owner alone.',
    restsOn: 'File permissions.',
    bypassedBy: 'root, and every process of the same user.',
    tests: [['src/db/store.test.ts', 'directory and file are for their owner alone']],
  },
  {
    id: 'upgrade-keeps',
    group: 'journal',
    text: 'A newer mezz takes over the database of an older one whole, with what that one acknowledged last before it was killed.',
    restsOn:
      'Numbered steps in one transaction; the database says in what shape of its tables the redo log is written, and it is read so before they change.',
    bypassedBy: 'A log of schema version 2, which did not say its shape: it is read in that of version 3.',
    tests: [
      [
        'src/db/store.test.ts',
        'what an older mezz left in the log alone is read in the shape that its tables had',
      ],
      ['src/db/store.test.ts', 'an older file gains new tables and nullable columns and keeps its rows'],
      ['src/db/store.test.ts', 'numbered steps run once, in order, and all or nothing'],
    ],
  },
  {
    id: 'newer-refused',
    group: 'journal',
    text: 'A database of a newer mezz and a damaged one are refused, with what to do.',
    restsOn: 'The schema version in the file and the integrity check of SQLite.',
    bypassedBy: 'Damage inside a value that SQLite cannot see; the audit sees it in entries.',
    tests: [
      ['src/db/store.test.ts', 'a newer database and a damaged one are refused with what to do'],
      ['test/crash/store.test.ts', 'a damaged file is reported, not served'],
    ],
  },
  {
    id: 'config-whole',
    group: 'code',
    text: 'A mistake in mezz.yaml or in an access policy file it names never half-applies: at start it gives no settings at all, later all old ones stay.',
    restsOn: 'A whole, checked config or none.',
    bypassedBy: NOTHING,
    tests: [
      ['src/config/config.test.ts', 'that was named and is not there is a problem, not the defaults'],
      [
        'test/reload.test.ts',
        'a mistake anywhere keeps all of the old; access policy files count, and are watched',
      ],
    ],
  },
  {
    id: 'reload-cuts-nothing',
    group: 'code',
    text: 'New settings cut no call that runs; a limit that an operator set stays when mezz.yaml changes.',
    restsOn: 'A backend that stayed the same keeps its connections; an old one ends its calls first.',
    bypassedBy: NOTHING,
    tests: [
      [
        'src/config/settings.test.ts',
        'a backend that stayed the same keeps its driver, one that changed or was given a key gets another',
      ],
      [
        'test/reload.test.ts',
        'a running call goes on over its connection; models, backends, accounts and loop settings change',
      ],
      [
        'test/reload.test.ts',
        'limits of mezz.yaml come, change and go with it; one that an operator set stays',
      ],
    ],
  },
  {
    id: 'same-user-said',
    group: 'code',
    text: "Doctor says unasked that an agent of the same user without a sandbox can read mezz's keys and approve itself.",
    restsOn: 'Who the kernel and its agents run as.',
    bypassedBy: NOTHING,
    tests: [
      [
        'src/guarantees/guarantees.test.ts',
        'says unasked that an agent of the same user without a sandbox can go round it',
      ],
    ],
  },
  {
    id: 'checklist-tried',
    group: 'code',
    text: 'An answer of `mezz checklist`, and what `mezz tour` tells, is what an experiment on this machine just showed, with the calls that show it; what is not built says so, and nothing of it is left afterwards.',
    restsOn: 'A kernel of its own, tried from outside: by HTTP, the control socket and signals.',
    bypassedBy: 'It tries this version on this machine: what another configuration does it does not say.',
    tests: [
      [
        'test/checklist.test.ts',
        'the checklist tries every condition that is built on a kernel of its own, and says what is not built',
      ],
      [
        'test/start.test.ts',
        'the tour tells what it just tried, with the calls that show it, and what is not built',
      ],
      ['test/start.test.ts', 'what the experiments started is gone when they are told to end'],
    ],
  },
  {
    id: 'products-asked-alike',
    group: 'code',
    text: 'Another product is asked by the same experiments (`mezz checklist --against`): what it was seen to do is the answer, with counts, and what it does not offer "cannot tell", with what was tried.',
    restsOn:
      "A model of the checklist's own behind the product, which sees what is let through, and files that tools change.",
    bypassedBy:
      'A description that leaves out what the product offers, or a product that was not pointed at that model.',
    tests: [
      [
        'test/against.test.ts',
        'a plain proxy decides nothing, and the official memory server behind it loses writes',
      ],
      [
        'test/against.test.ts',
        'the official filesystem server as it is: lost edits, and a stale write that nobody is told of',
      ],
      [
        'test/against.test.ts',
        'mezz, described as any product is, keeps what the tool server alone loses, and tells who is refused why',
      ],
      ['test/against.test.ts', 'a mistake in a description is told with its place, and nothing is started'],
    ],
  },
  {
    id: 'lines-work',
    group: 'code',
    text: 'Each line that `mezz start` prints to be typed works as it is printed, in this order, in a shell that does not know mezz yet; mezz serves before the tour, and a key ends that.',
    restsOn: 'What is printed depends on what was found; a test types it.',
    bypassedBy: 'A shell that is none of bash, zsh and fish; a client that does not start by itself either.',
    tests: [
      ['test/start.test.ts', 'each line that it prints can be typed, in this order, and works'],
      ['test/start.test.ts', 'mezz serves before the tour; a key ends it, and a second start gives none'],
      [
        'test/people/people.test.ts',
        'somebody with five coding agents sees who runs, what each cost, and stops one before it pushes',
      ],
      [
        'test/people/people.test.ts',
        'somebody with only an API key talks to its model, whose tool passes the gate, and sees the bill',
      ],
      [
        'test/people/people.test.ts',
        'somebody with neither is told what lab is and what is missing, and sees the kernel work',
      ],
    ],
  },
  {
    id: 'no-ground-claimed',
    group: 'code',
    text: 'Nothing in README, help and package description implies that mezz is an operating system; `mezz status` and `mezz --help` say unasked that it is a layer on one.',
    restsOn: 'A list of words that would claim it.',
    bypassedBy: 'A claim in words that the list does not have.',
    tests: [
      ['src/cli/checklist/ground.test.ts', 'claims of the ground floor are found, denials of it are not'],
      [
        'test/documents.test.ts',
        'no page, no help and no description implies that mezz is the ground it stands on',
      ],
      [
        'test/checklist.test.ts',
        'the checklist tries every condition that is built on a kernel of its own, and says what is not built',
      ],
    ],
  },
  {
    id: 'layers',
    group: 'code',
    text: 'The kernel below its edge takes time, randomness, files and network as arguments, and no module knows a higher one.',
    restsOn: 'Rules over the sources.',
    bypassedBy: SOURCES,
    tests: [
      ['test/tidy.test.ts', 'import their own folder and lower layers, clients the protocol only'],
      ['test/tidy.test.ts', 'touch the machine at the edge only'],
    ],
  },
];

/** The promises themselves. One is added with the test that proves it and leaves when the test does. */
import type { Promised } from './promise.ts';

const SAME_USER = 'A process of the same user can read and change what mezz keeps: there is no sandbox yet.';
const DISK = 'A disk or file system that reports a flush it did not do.';

export const PROMISES: readonly Promised[] = [
  {
    id: 'tickets',
    group: 'gate',
    text: 'No driver acts without a ticket, and only the gate mints tickets.',
    restsOn: 'The types and a rule over the sources.',
    bypassedBy: 'Changing the sources.',
    tests: [['test/tidy.test.ts', 'mint tickets in the gate only']],
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
    ],
  },
  {
    id: 'commit-whole',
    group: 'journal',
    text: 'Entries, the rows they change and the bodies they name are stored together or not at all.',
    restsOn: 'One SQLite transaction (WAL, synchronous=FULL).',
    bypassedBy: DISK,
    tests: [
      ['src/db/conformance.ts', 'a batch is there as a whole, and after reopening'],
      ['src/db/conformance.ts', 'a failed batch leaves no trace, and every later one fails too'],
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
    id: 'commit-failure-final',
    group: 'journal',
    text: 'After a commit failed, nothing more is accepted: the kernel must be started again.',
    restsOn: 'The store and the journal both remember the failure.',
    bypassedBy: 'Nothing known.',
    tests: [
      ['src/db/store.test.ts', 'a failed commit is final and reported once'],
      [
        'src/journal/journal.test.ts',
        'a checkpoint holds size and root before it; a failed commit is final; an oversized body takes no seq',
      ],
    ],
  },
  {
    id: 'tamper-evident',
    group: 'journal',
    text: 'The audit names a changed, missing or swapped entry, a changed tree and a cut end.',
    restsOn: 'A Merkle tree (RFC 6962) over the entries and a checkpoint kept elsewhere to compare with.',
    bypassedBy: `Rewriting entries and tree together: checkpoints are not signed yet. ${SAME_USER}`,
    tests: [
      [
        'src/journal/journal.test.ts',
        'the audit names a changed, missing or swapped entry, a changed tile and a cut end',
      ],
    ],
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
    id: 'newer-refused',
    group: 'journal',
    text: 'A database of a newer mezz and a damaged one are refused, with what to do.',
    restsOn: 'The schema version in the file and the integrity check of SQLite.',
    bypassedBy: 'Damage inside a value that SQLite cannot see; the audit sees it.',
    tests: [['src/db/store.test.ts', 'a newer database and a damaged one are refused with what to do']],
  },
  {
    id: 'sub-agents-inside-key',
    group: 'access',
    text: 'A header can name a sub-agent below its key and nothing else; sub-agents are capped per key.',
    restsOn: 'The key that came with the request.',
    bypassedBy: 'Whoever holds the key: within it the names are the client’s own word.',
    tests: [
      [
        'src/agents/agents.test.ts',
        'a bound key is one agent; its sub-agents open on first sight and stay inside the key',
      ],
      ['src/agents/agents.test.ts', 'sub-agents are capped per key'],
      ['src/agents/agents.test.ts', 'header values that could forge a path or flood a row are ignored'],
    ],
  },
  {
    id: 'coverage-counted-once',
    group: 'tools',
    text: 'Coverage counts each tool call of an agent once, whichever of answer and hook shows it first.',
    restsOn: "The client's own id for each use of a tool.",
    bypassedBy:
      'A client that invents or repeats ids; processes that a shell command starts are not seen at all.',
    tests: [
      [
        'src/agents/agents.test.ts',
        'coverage counts each tool call once, whichever of answer and hook comes first',
      ],
    ],
  },
  {
    id: 'no-keys-in-config',
    group: 'people',
    text: 'A key written into mezz.yaml is refused, and no message about it repeats it.',
    restsOn: 'The schema of mezz.yaml.',
    bypassedBy: 'A key under a name that mezz does not read, in a comment for example.',
    tests: [
      ['src/config/config.test.ts', 'are never accepted in the file, and never repeated in what is told'],
    ],
  },
  {
    id: 'config-whole',
    group: 'people',
    text: 'A mistake in mezz.yaml never half-applies: at start mezz does not run on it, later the old settings stay.',
    restsOn: 'A whole, checked config or none.',
    bypassedBy: 'Nothing known.',
    tests: [
      ['src/config/config.test.ts', 'that was named and is not there is a problem, not the defaults'],
      ['src/config/config.test.ts', 'is read again when it changes, and a mistake keeps the old settings'],
    ],
  },
  {
    id: 'log-redacted',
    group: 'people',
    text: 'What looks like a credential is taken out of every line of the log.',
    restsOn: 'The known forms of keys and tokens.',
    bypassedBy:
      'A credential of another form. It is the second line of defence: nothing logs credentials on purpose.',
    tests: [
      ['src/telemetry/telemetry.test.ts', 'what looks like a credential is taken out, wherever it stands'],
    ],
  },
  {
    id: 'doctor-proves',
    group: 'people',
    text: 'Doctor calls a hook working only after a call that must be refused was refused.',
    restsOn: 'A real call through the hook.',
    bypassedBy: 'A client that treats that one call differently.',
    tests: [
      ['src/guarantees/guarantees.test.ts', 'a hook works only when a call that must be refused was refused'],
    ],
  },
  {
    id: 'layers',
    group: 'code',
    text: 'The kernel below its edge takes time, randomness, files and network as arguments, and no module knows a higher one.',
    restsOn: 'Rules over the sources.',
    bypassedBy: 'Changing the rules.',
    tests: [
      ['test/tidy.test.ts', 'import their own folder and lower layers, clients the protocol only'],
      ['test/tidy.test.ts', 'touch the machine at the edge only'],
    ],
  },
];

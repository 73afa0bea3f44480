/** Promises about what is known of tools, and what can be taken back. */
import type { Promised } from '../promise.ts';

export const EFFECT_PROMISES: readonly Promised[] = [
  {
    id: 'manifests-fit',
    group: 'tools',
    text: 'Each tool that a described server offers is described, and each argument that a description names exists: for the shipped manifests of filesystem, memory, git, playwright, dbhub, github and others, and, by mezz tool lint, for any server.',
    restsOn:
      'The definitions of the real packages, in the versions that the manifests name, compared with the manifests; operators’ files are held to the same published schema.',
    bypassedBy:
      'A description that fits the names and is wrong about the effect. Another version of a server: mezz tool lint compares again.',
    tests: [
      [
        'test/tools.test.ts',
        'what is known of tools fits the real servers, and a server that nobody describes is said and drafted',
      ],
      [
        'src/tools/manifests/manifests.test.ts',
        'each shipped one has the form that operators write, and is found by one name',
      ],
      [
        'src/tools/manifests/manifests.test.ts',
        'lint finds a tool that is not described or gone, and an argument that does not exist',
      ],
    ],
  },
  {
    id: 'undescribed-runs-alone',
    group: 'tools',
    text: 'A tool that nobody described may write anything of its server, and mezz tool lint says so; a description counts in the order operator, mezz, HTTP, the server itself where it is trusted; a draft (mezz tool learn) holds for nothing until mezz.yaml names it.',
    restsOn: 'One function decides whose word holds; a key that cannot be filled is the whole server.',
    bypassedBy: 'An operator who trusts a server that lies, or accepts a draft unread.',
    tests: [
      [
        'src/tools/manifests/manifests.test.ts',
        "the operator's word goes before mezz's, and annotations count where they are trusted",
      ],
      [
        'src/tools/manifests/manifests.test.ts',
        'an argument that is missing makes it the whole server, and so does a tool that nobody describes',
      ],
      [
        'test/tools.test.ts',
        'what is known of tools fits the real servers, and a server that nobody describes is said and drafted',
      ],
    ],
  },
  {
    id: 'stale-shown',
    group: 'tools',
    text: 'A replace that is refused as stale shows its agent the lines that changed since it last looked, within 40 lines, and says so where that content is not kept.',
    restsOn:
      'What a file holds before a call changes it is stored with the START of that call, named by its SHA-256; what an agent saw is remembered by the same name.',
    bypassedBy:
      'What was changed round the gate, files above 1 MiB or that are no text, contents of another owner, and `journal.bodies` other than keep: the refusal stands, without the lines.',
    tests: [
      [
        'src/gate/changes.test.ts',
        'a refused replace shows what changed since its agent last looked, and says so where that is not kept',
      ],
      [
        'src/tools/diff.test.ts',
        'a diff holds each line that went and came, in order, and no more of them than it must',
      ],
      ['src/tools/diff.test.ts', 'it is bounded, and no text is no diff'],
    ],
  },
  {
    id: 'before-kept',
    group: 'tools',
    text: 'What files held before a call changed them is durable before the call may run, and goes with the retention of bodies and with mezz forget.',
    restsOn: 'One transaction with START; blobs of the same store and the same clocks as all bodies.',
    bypassedBy:
      'More than 64 files or 8 MiB a call, files above 1 MiB, and what a command that mezz cannot read changes in files that no agent has touched before.',
    tests: [
      [
        'src/gate/changes.test.ts',
        'what a call changed is kept with its content before, and what it did not change is forgotten',
      ],
      [
        'src/gate/changes.test.ts',
        'where bodies are not kept, no content is, and what is too many files is not',
      ],
      ['src/gate/changes.test.ts', 'contents before changes go with their time, and with their agent'],
    ],
  },
  {
    id: 'undo-takes-only-its-own',
    group: 'tools',
    text: 'mezz undo puts back what an agent or a call changed, the newest first, by calls that are decided, locked and journaled like any other; what somebody has changed since is left as it is, and it says whose it is. What a command throws away that no commit has is put back too, whoever wrote it. A call that only makes up for another is called a compensation.',
    restsOn:
      'Contents kept before each call, compared by hash once more under the locks; inverse calls that manifests name, filled from arguments and answers.',
    bypassedBy:
      'Commits, branches, packages, ports, and what a command that mezz cannot read changed in files that no agent had touched, are not put back; nor is a file that git ignores, or that no change distinguishes from its last commit, in a directory of more than 64 files that went. Of one call 64 files of up to 1 MB each are kept, 8 MB in all: a larger one that it names is told and left. A change round the gate of something that is no file is not seen. What two calls of one file did in the same millisecond may count as since.',
    tests: [
      [
        'src/gate/undo.test.ts',
        'an undo puts back what an agent changed, the newest first, by calls of its own, and once',
      ],
      [
        'src/gate/undo.test.ts',
        'what a command throws away that no commit has is put back, whoever wrote it, and so is a directory',
      ],
      [
        'src/gate/undo.test.ts',
        'what others have since written is left as it is, and it is said whose it is',
      ],
      [
        'src/gate/undo.test.ts',
        'a change of what was too large to be kept is told, and what came before it is left with it',
      ],
      [
        'src/gate/undo.test.ts',
        'a write between the look and the lock makes one step stale, and the others go on',
      ],
      [
        'src/gate/undo.test.ts',
        'a call is taken back by its inverse, made up for by a compensation, and left where nobody knows one',
      ],
      [
        'src/gate/undo.test.ts',
        'whatever the agents did: after an undo no byte of the others is lost, and what only it touched is as before',
      ],
      [
        'test/tools.test.ts',
        'mezz undo: real files and the real memory server, dry first; what a peer has changed since stays',
      ],
    ],
  },
  {
    id: 'http-says-effects',
    group: 'tools',
    text: 'An HTTP service with an OpenAPI document is a tool server: its methods say what its tools do, the path what they touch; types and references reach the model as the document words them.',
    restsOn:
      'RFC 9110 on safe and idempotent methods; the document, validated, with no reference out of itself.',
    bypassedBy:
      'A service that changes something on GET. Operations that take other bodies than JSON, or are at another service, are not offered; cookies are not sent.',
    tests: [
      [
        'test/openapi.test.ts',
        'operations are tools: types and references as the document words them, effects as HTTP says',
      ],
      ['test/openapi.test.ts', 'a document that is wrong says so, and so does one that refers elsewhere'],
      [
        'src/drivers/openapi/document.test.ts',
        'the words of OpenAPI 3.0 become those of JSON Schema, and a property may have the name of one',
      ],
      [
        'src/drivers/openapi/document.test.ts',
        'what takes another body than JSON, and what is at another service, is no tool; a path may have a server of its own',
      ],
    ],
  },
  {
    id: 'http-keeps-versions',
    group: 'tools',
    text: 'A write to an HTTP resource carries the version that its agent last saw (If-Match) and the id of its call (Idempotency-Key); a write of what has changed since is a tool error that says how to go on, a rate limit one that says when, and keeps the next calls back until then. The service’s key goes to the service alone.',
    restsOn: 'Strong ETags, RFC 9110; the service compares, so writes round mezz count too.',
    bypassedBy:
      'A service without ETags, or one that ignores the headers. Which tags an agent has seen is forgotten when the kernel ends. What other agents wrote through mezz it compares itself.',
    tests: [
      [
        'test/openapi.test.ts',
        'what an agent has read is the condition of its write: what it never saw is refused, by mezz or by the service',
      ],
      [
        'test/openapi.test.ts',
        'each call is sent with its id as the key of repetition, and one that was cut is in doubt',
      ],
      [
        'test/openapi.test.ts',
        'a limit is told with the time to wait, a redirect is not followed, and no value leaves its place in the path',
      ],
      [
        'src/gate/toolrates.test.ts',
        'a server that asks to be left alone is, by all calls and in their order; one that asks for long is not waited for',
      ],
    ],
  },
  {
    id: 'four-anomalies',
    group: 'tools',
    text: 'The four anomalies of agents that share tools - stale generation, phantom tool, causal cascade, effect reordering - occur in random interleavings without a broker, under one global lock too once it is killed in between, and none through the gate, whenever that is killed.',
    restsOn:
      'Versions and what agents have seen of them, pinned definitions, undo by content, keyed locks in one order, and the ledger of uses, all of them in the store.',
    bypassedBy: 'What does not pass the gate, and effects that no manifest or reader knows of.',
    tests: [
      [
        'src/gate/anomalies.test.ts',
        'stale generation: a write based on what was replaced since is lost without a broker and under one lock, never through the gate',
      ],
      [
        'src/gate/anomalies.test.ts',
        'phantom tool: what runs is the definition that was accepted; without a broker, and under one lock, a changed one runs unseen',
      ],
      [
        'src/gate/anomalies.test.ts',
        'causal cascade: what is taken back takes no work of others with it, and nobody builds on it unknowingly; alone, and under one lock, both happen',
      ],
      [
        'src/gate/anomalies.test.ts',
        'effect reordering: effects on one key come in the order in which the calls were made and never twice, and others need not wait',
      ],
    ],
  },
];

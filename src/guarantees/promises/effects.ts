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
      'A description that fits the names and is wrong about the effect. Another version of a server: mezz tool lint compares again. The manifests of sqlite, fetch, time and the reference git server name no package of the npm registry and are not compared by the tests.',
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
];

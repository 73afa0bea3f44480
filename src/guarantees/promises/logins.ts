/** Promises about logins at remote tool servers: who gives them, and where what they give may be. */
import type { Promised } from '../promise.ts';

export const LOGIN_PROMISES: readonly Promised[] = [
  {
    id: 'tool-logins',
    group: 'tools',
    text: 'A remote tool server that wants a login says so in the tool error, in `mezz tool ps` and in `mezz doctor`, with the command that gives it: `mezz tool login`. A person agrees in a browser, once; an expired token is renewed once for all calls that meet it, and each of these is made once.',
    restsOn:
      'OAuth as MCP has it, by the official SDK: discovery, registration, PKCE, resource indicators; what a server refuses for want of a login it has not done. The answer of the browser is bound to its login and comes in on loopback.',
    bypassedBy:
      "A server that does what it was asked and then refuses it. The login is the kernel's: all agents that may call the server act by it.",
    tests: [
      [
        'test/oauth.test.ts',
        'a tool server that wants a login says so in the tool error, ps and doctor, and works once a person has agreed',
      ],
      ['test/oauth.test.ts', 'an answer to another login, and one that nobody asked for, give no token'],
      [
        'test/oauth.test.ts',
        'an expired token is renewed once for all calls that meet it, each of which is made once',
      ],
    ],
  },
  {
    id: 'tool-tokens-hidden',
    group: 'keys',
    text: "Tokens of tool servers are in one file each (0600) and in requests to the server they are for: in no journal, log, answer or command's output, and at no other address, also when the same name in `mezz.yaml` means another one. Where the server repeats its token, stars stand in its place.",
    restsOn: 'The file names its address; a search of each answer to a request that carried the token.',
    bypassedBy:
      "A server that repeats it in another spelling. Programs of the same user can read the file, as they can mezz's other keys.",
    tests: [
      [
        'test/oauth.test.ts',
        'no token, code or client secret is anywhere but in its file and at its own server',
      ],
    ],
  },
];

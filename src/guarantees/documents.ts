/** Documents made from the code: GUARANTEES.md from the promises, docs/errors.md from the error table. */
import { ERRORS } from '../base/errors.ts';
import type { Need, Promised } from './promise.ts';
import { PROMISES } from './promises.ts';

const GROUPS: { readonly [G in Promised['group']]: string } = {
  gate: 'The gate',
  wire: 'What passes',
  order: 'Order',
  money: 'Money',
  access: 'Access',
  keys: 'Logins and keys',
  tools: "The agents' own tools",
  journal: 'The journal',
  code: 'The code and its settings',
};

const NEEDS: { readonly [N in Need]: string } = {
  enforcing: 'the `default` profile (under `observe` nothing is refused)',
  held: 'an agent whose answers are held (`mezz run --hold`, `mezz agent hold`, or `hold: all`)',
  hooked: 'an agent at coverage level *hooked* or *enclosed*',
  strict: 'a limit with `strict: true`',
  bodies: '`journal.bodies: keep`',
};

const INTRODUCTION = `# What mezz promises

mezz is an orchestration layer on Linux or macOS, not an operating system. What it promises rests on that system, on
its file permissions and on the disk telling the truth; each promise says what else it rests on, how it can be got
round, and which test fails when it is broken. What is not listed here is not promised. \`mezz agent show <agent>\`
prints this sheet for one agent, \`mezz doctor\` says what holds on this machine.

This file is made from \`src/guarantees/promises.ts\` by \`node src/guarantees/publish.ts\`.
`;

export function guaranteesPage(promises: readonly Promised[] = PROMISES): string {
  const groups = (Object.keys(GROUPS) as Promised['group'][]).map((group) => {
    const own = promises.filter((promise) => promise.group === group);
    return own.length === 0 ? '' : `\n## ${GROUPS[group]}\n${own.map(section).join('')}`;
  });
  return INTRODUCTION + groups.join('');
}

function section({ id, text, restsOn, bypassedBy, needs, tests }: Promised): string {
  const lines = [
    `\n### ${id}\n`,
    `${text}\n`,
    ...(needs ? [`- Holds with: ${needs.map((need) => NEEDS[need]).join('; ')}`] : []),
    `- Rests on: ${restsOn}`,
    `- Got round by: ${bypassedBy}`,
    ...tests.map(([file, name]) => `- Test: \`${file}\`: ${name}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** docs/errors.md: what a script or an agent may rely on. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, retry, exit, meaning }]) =>
      `| \`${code}\` | ${status} | ${retry ? 'yes' : 'no'} | ${exit} | ${meaning} |`,
  );
  return `# Error codes

Codes are stable. *Status* is what HTTP carries, chosen so that the official SDKs do not retry what retrying cannot
help; Codex, which retries every 4xx but a 400, gets a 400 instead. *Retry* says whether the same request may succeed
later without anybody doing anything. *Exit* is the exit code of the \`mezz\` command. A refusal also names the rule or
limit that decided and the next command to type.

| code | status | retry | exit | meaning |
|---|---|---|---|---|
${rows.join('\n')}

This file is made from \`src/base/errors.ts\` by \`node src/guarantees/publish.ts\`.
`;
}

/** Every generated document: its path from the root, and what it must hold. */
export const DOCUMENTS: readonly (readonly [path: string, text: () => string])[] = [
  ['GUARANTEES.md', guaranteesPage],
  ['docs/errors.md', errorsPage],
];

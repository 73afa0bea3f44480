/** All runs of the conformance suite with mezz in the middle, and the page that says what they came to. */
import { join } from 'node:path';
import { REVISIONS, type Revision, runClients, runServers, type Scenario, VERSION } from './suite.ts';
import { openThrough, UPSTREAMS, type UpstreamKind } from './through.ts';

export interface Run {
  readonly leg: 'server' | 'client';
  readonly revision: Revision;
  /** How mezz reaches the tool server of the fixture; the suite's own server in the client leg. */
  readonly upstream: UpstreamKind | 'suite';
  readonly scenarios: readonly Scenario[];
}

export async function runAll(): Promise<Run[]> {
  const runs: Run[] = [];
  for (const upstream of UPSTREAMS) {
    const through = await openThrough(upstream);
    try {
      for (const revision of REVISIONS) {
        // Questions of the older era have no names, which the scenarios of the newer one ask for.
        if (revision === '2026-07-28' && upstream !== 'http 2026-07-28') continue;
        const scenarios = await runServers(through.url, revision);
        runs.push({ leg: 'server', revision, upstream, scenarios });
      }
    } finally {
      await through.close();
    }
  }
  const command = `${process.execPath} ${join(import.meta.dirname, 'client.ts')}`;
  for (const revision of REVISIONS) {
    const scenarios = await runClients(command, revision);
    runs.push({ leg: 'client', revision, upstream: 'suite', scenarios });
  }
  return runs;
}

export const isPassed = ({ failed, passed }: Scenario): boolean => failed.length === 0 && passed > 0;

const outcomeOf = (scenario: Scenario): string => {
  if (isPassed(scenario)) return 'passed';
  return scenario.failed.length > 0 ? 'failed' : 'not exercised';
};

export function matrixPage(runs: readonly Run[]): string {
  const rows = runs.map(({ leg, revision, upstream, scenarios }) => {
    const scored = scenarios.filter(({ unscored }) => unscored === undefined);
    return `| ${leg} | ${revision} | ${upstream} | ${scored.filter(isPassed).length} of ${scored.length} |`;
  });
  const unscored = runs.flatMap(({ leg, revision, upstream, scenarios }) =>
    scenarios
      .filter((scenario) => scenario.unscored !== undefined)
      .map((scenario) => {
        const outcome = outcomeOf(scenario);
        return `| ${leg} | ${revision} | ${upstream} | ${scenario.name} | ${scenario.unscored} | ${outcome} |`;
      }),
  );
  return `# MCP conformance

What the official conformance suite of the Model Context Protocol (\`@modelcontextprotocol/conformance\` ${VERSION}) says of
mezz, by its two frozen sets of requirements. Written by \`node scripts/with-node.js test/conformance/publish.ts\`; the long
tests run all of it again and compare.

Server leg: the suite is the client and speaks to mezz, which has a tool server of all kinds behind it: a program
(stdio), or an address that speaks one era over HTTP. Client leg: mezz is the client of the suite's own servers, and an
agent uses through it what they offer; where one wants a login, \`mezz tool login\` gives it, with a browser that agrees at once.

| leg | set | tool server | scored scenarios passed |
|---|---|---|---|
${rows.join('\n')}

The set of 2026-07-28 was run against a server of that era alone: where an older server asks its client
something, mezz gives the question a name of its own, and the scenarios ask for theirs.

## Run and not scored

| leg | set | tool server | scenario | why it does not count | outcome |
|---|---|---|---|---|---|
${unscored.join('\n')}
`;
}

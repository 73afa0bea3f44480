/** All runs of the conformance suite with mezz in the middle, and the page that says what they came to. */
import { join } from 'node:path';
import { REVISIONS, type Revision, runClients, runServers, type Scenario, VERSION, wanted } from './suite.ts';
import { openThrough, UPSTREAMS, type UpstreamKind } from './through.ts';

export interface Run {
  readonly leg: 'server' | 'client';
  readonly revision: Revision;
  /** How mezz reaches the tool server of the fixture; the suite's own server in the client leg. */
  readonly upstream: UpstreamKind | 'suite';
  readonly scenarios: readonly Scenario[];
  /** Scored scenarios that mezz has nothing for. */
  readonly notBuilt: readonly string[];
}

/** Logins at remote servers. */
const isNotBuilt = (name: string): boolean => name.startsWith('auth/');

export async function runAll(): Promise<Run[]> {
  const runs: Run[] = [];
  for (const upstream of UPSTREAMS) {
    const through = await openThrough(upstream);
    try {
      for (const revision of REVISIONS) {
        // Questions of the older era have no names, which the scenarios of the newer one ask for.
        if (revision === '2026-07-28' && upstream !== 'http 2026-07-28') continue;
        const scenarios = await runServers(through.url, revision);
        runs.push({ leg: 'server', revision, upstream, scenarios, notBuilt: [] });
      }
    } finally {
      await through.close();
    }
  }
  const command = `${process.execPath} ${join(import.meta.dirname, 'client.ts')}`;
  for (const revision of REVISIONS) {
    const scenarios = await runClients(command, revision, isNotBuilt);
    const notBuilt = wanted('client', revision)
      .filter(({ name, unscored }) => unscored === undefined && isNotBuilt(name))
      .map(({ name }) => name);
    runs.push({ leg: 'client', revision, upstream: 'suite', scenarios, notBuilt });
  }
  return runs;
}

export const isPassed = ({ failed, passed }: Scenario): boolean => failed.length === 0 && passed > 0;

const outcomeOf = (scenario: Scenario): string => {
  if (isPassed(scenario)) return 'passed';
  return scenario.failed.length > 0 ? 'failed' : 'not exercised';
};

export function matrixPage(runs: readonly Run[]): string {
  const rows = runs.map(({ leg, revision, upstream, scenarios, notBuilt }) => {
    const scored = scenarios.filter(({ unscored }) => unscored === undefined);
    const all = scored.length + notBuilt.length;
    return `| ${leg} | ${revision} | ${upstream} | ${scored.filter(isPassed).length} of ${all} |`;
  });
  const unscored = runs.flatMap(({ leg, revision, upstream, scenarios }) =>
    scenarios
      .filter((scenario) => scenario.unscored !== undefined)
      .map((scenario) => {
        const outcome = outcomeOf(scenario);
        return `| ${leg} | ${revision} | ${upstream} | ${scenario.name} | ${scenario.unscored} | ${outcome} |`;
      }),
  );
  const notBuilt = runs.filter((run) => run.notBuilt.length > 0);
  return `# MCP conformance

What the official conformance suite of the Model Context Protocol (\`@modelcontextprotocol/conformance\` ${VERSION}) says of
mezz, by its two frozen sets of requirements. Written by \`node scripts/with-node.js test/conformance/publish.ts\`; the long
tests run all of it again and compare.

Server leg: the suite is the client and speaks to mezz, which has a tool server of all kinds behind it: a program
(stdio), or an address that speaks one era over HTTP. Client leg: mezz is the client of the suite's own servers, and an
agent uses through it what they offer.

| leg | set | tool server | scored scenarios passed |
|---|---|---|---|
${rows.join('\n')}

Not built: logins at remote tool servers (OAuth), ${notBuilt.map(({ revision, notBuilt: names }) => `${names.length} scenarios of ${revision}`).join(' and ')}: they
were not run. The set of 2026-07-28 was run against a server of that era alone: where an older server asks its client
something, mezz gives the question a name of its own, and the scenarios ask for theirs.

## Run and not scored

| leg | set | tool server | scenario | why it does not count | outcome |
|---|---|---|---|---|---|
${unscored.join('\n')}
`;
}

/** The one place where a question to the access policies is made: of a call in flight, and of one that might come. */

import type { AccessRequest, Principal } from '../access/decide.ts';
import { levelOf } from '../agents/coverage.ts';
import type { Agent } from '../agents/table.ts';
import type { Candidate } from './catalog.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

export function question(
  parts: Parts,
  flight: Flight,
  candidate: Candidate | undefined,
  approved: boolean,
): AccessRequest {
  return {
    chain: principals(flight.chain),
    action: flight.call.kind,
    resource: flight.resource,
    args: flight.args,
    labels: [],
    facts: factsOf(parts, flight, candidate),
    approved,
  };
}

export function factsOf(
  parts: Parts,
  flight: Flight,
  candidate: Candidate | undefined,
): AccessRequest['facts'] {
  const payload = flight.call.payload;
  const hosted =
    'facts' in payload ? payload.facts.hostedTools.filter((tool) => tool.acts).map((tool) => tool.type) : [];
  return {
    ...(candidate ? { backend: candidate.backend.id, account: candidate.account } : {}),
    hostedTools: hosted,
    permittedHostedTools: parts.settings.hostedTools,
    level: levelOf(flight.chain, parts.settings.holdAll),
    localHour: hourOf(parts),
  };
}

/** An agent and its parents, itself first, as access knows them. */
export const principals = (chain: readonly Agent[]): Principal[] =>
  chain.map(({ pid, name, owner, client }, index) => ({
    pid,
    name,
    owner,
    client,
    depth: chain.length - 1 - index,
    groups: [],
  }));

/** The hour of the day where the kernel runs. */
export const hourOf = (parts: Parts): number => new Date(parts.clock.now()).getHours();

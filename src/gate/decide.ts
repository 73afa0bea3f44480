/**
 * Stage decide: may this call happen at all? States and freezes of the whole chain, then the access policies, then
 * the loop guard. Synchronous and repeatable: a call enters here again after every wait.
 */

import type { Decision } from '../access/decide.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { ModelCall } from '../base/model.ts';
import type { Candidate } from './catalog.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import type { Parts } from './parts.ts';
import { question } from './question.ts';
import { SYSCALLS } from './syscalls.ts';

export interface Decided {
  readonly rules: readonly string[];
  readonly memo: boolean;
  /** The approval that admitted the call, if a person was asked. */
  readonly approval?: string;
  /** It was the loop guard that asked. */
  readonly suspected?: boolean;
}

export function decide(parts: Parts, flight: Flight): Stage<Decided> {
  const barred = flight.barred ?? checkStates(parts, flight);
  if (barred) return refuse(barred);
  if (SYSCALLS[flight.call.kind].needsBackend) {
    const candidates = candidatesOf(parts, flight);
    if ('code' in candidates) return refuse(candidates);
    flight.candidates = candidates;
  }
  const approved = parts.approvals.findApproved(flight.agent.pid, flight.digest, parts.clock.now());
  const decision = decideEach(parts, flight, approved !== undefined);
  parts.observer.decided(decision.effect, decision.rules[0] ?? 'default-deny');
  if (decision.effect === 'forbid') return refuse(nameHostedTools(flight, decision.refusal));
  // A call that has started is among those it is compared with: the second look must not count it again.
  const isGuarded =
    flight.attempt === 0 && decision.effect === 'permit' && parts.access.profile !== 'observe';
  const loop = isGuarded ? parts.loops.check(flight.guarded, parts.clock.now()) : undefined;
  if (decision.effect === 'permit' && (loop === undefined || approved !== undefined)) {
    const admitted = approved ? { approval: approved.id, suspected: loop !== undefined } : {};
    return go({ rules: decision.rules, memo: decision.memo, ...admitted });
  }
  return {
    kind: 'wait',
    reason: 'approval',
    resource: decision.effect === 'ask' ? decision.reason : (loop?.text ?? ''),
    ofTree: loop?.ofTree ?? false,
    onDeadline: () => awaiting(flight, ''),
  };
}

/**
 * A rule may name a backend or an account: every one that could take the call is asked about, and those stay that
 * are permitted, or else those that a person may permit.
 */
function decideEach(parts: Parts, flight: Flight, approved: boolean): Decision {
  const decided = flight.candidates.map((candidate) => ({
    candidate,
    decision: parts.access.decide(question(parts, flight, candidate, approved)),
  }));
  for (const effect of ['permit', 'ask']) {
    const those = decided.filter(({ decision }) => decision.effect === effect);
    if (!those[0]) continue;
    flight.candidates = those.map(({ candidate }) => candidate);
    return those[0].decision;
  }
  return decided[0]?.decision ?? parts.access.decide(question(parts, flight, undefined, approved));
}

/** Refusal for a call whose question nobody answered in time; the question stays open. */
export function awaiting(flight: Flight, approval: string): Refusal {
  return refusal(
    'awaiting_approval',
    `A person must approve ${flight.resource.id} for ${flight.agent.name} first.`,
    {
      approval,
      remedy: `mezz approve ${approval}, then let the agent try again`,
    },
  );
}

/** Only whole generations are: an object upstream and a count of its tokens belong to their own dialect. */
const isTranslatable = (flight: Flight, { facts, path }: ModelCall): boolean =>
  flight.call.kind === 'model.generate' && facts.objects.length === 0 && !path.startsWith('/responses/');

/** The backends that could take the call; a slot that is already granted stays. */
function candidatesOf(parts: Parts, flight: Flight): Candidate[] | Refusal {
  const payload = flight.call.payload;
  if (!('facts' in payload)) return [];
  const { model } = payload.facts;
  const found =
    model === ''
      ? parts.catalog.forDialect(payload.dialect, flight.login)
      : parts.catalog.candidates(model, payload.dialect, flight.login, isTranslatable(flight, payload));
  if ('code' in found || flight.objectBackend === undefined) return found;
  const at = found.filter((candidate) => candidate.backend.id === flight.objectBackend);
  return at.length > 0
    ? at
    : refusal('no_credential', `The object lives at ${flight.objectBackend}, which this login cannot use.`);
}

function checkStates(parts: Parts, flight: Flight): Refusal | undefined {
  for (const agent of flight.chain) {
    if (agent.hold === 'stopped' || agent.hold === 'exited') {
      return refusal('stopped', `Agent ${agent.name} (${agent.pid}) is ${agent.hold}.`, {
        remedy: agent.hold === 'stopped' ? `mezz resume ${agent.name}` : 'mezz run starts a new one',
      });
    }
  }
  if (parts.keys.isRevoked(flight.keyId)) {
    return refusal('stopped', `The key ${flight.keyId} of ${flight.agent.name} was revoked.`, {
      remedy: 'mezz key create makes a new one',
    });
  }
  const frozen = parts.freezes.isFrozen(flight.chain.map((agent) => agent.pid));
  if (frozen === undefined) return undefined;
  return refusal('frozen', `Frozen: ${frozen}.`, {
    remedy: frozen === 'all' ? 'mezz thaw --all' : `mezz thaw ${flight.agent.name}`,
  });
}

/** A refusal of a request that declares acting hosted tools is about them: its code says so. */
function nameHostedTools(flight: Flight, why: Refusal): Refusal {
  const payload = flight.call.payload;
  const acting = 'facts' in payload ? payload.facts.hostedTools.filter((tool) => tool.acts) : [];
  if (acting.length === 0 || why.code !== 'denied') return why;
  return {
    ...why,
    code: 'hosted_tool',
    message: `${why.message} (${acting.map((tool) => tool.type).join(', ')})`,
  };
}

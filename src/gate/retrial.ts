/**
 * Recorded calls decided again: by the access policies in force and by another text, both asked exactly what was asked
 * when the call came. An approval is not replayed: a call that a person admitted is a question under both.
 */
import type { Decision } from '../access/decide.ts';
import type { Finding } from '../base/control.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
import { askedAbout } from './body.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';
import { principals } from './question.ts';

export interface Changed {
  readonly call: string;
  readonly agent: number;
  readonly action: string;
  readonly target: string;
  readonly before: Decision['effect'];
  readonly after: Decision['effect'];
  readonly rule: string;
}

export interface Retrial {
  /** Calls looked at, newest first. */
  readonly recorded: number;
  readonly tested: number;
  /** Not decided again, by why: `body` is not stored (retention, erasure, settings), the `agent` is unknown. */
  readonly untestable: { readonly body: number; readonly agent: number };
  readonly changed: readonly Changed[];
  /** Were there more calls, or more changes, than are looked at or listed? */
  readonly more: boolean;
}

export async function retry(
  parts: Parts,
  text: string,
  which: { readonly since: number; readonly agent?: number },
): Promise<Retrial | readonly Finding[]> {
  const trial = parts.access.trial(text);
  if (!('decide' in trial)) return trial;
  try {
    const untestable = { body: 0, agent: 0 };
    const changed: Changed[] = [];
    let recorded = 0;
    for await (const call of callsOf(parts, which)) {
      recorded++;
      const agent = parts.agents.get(call.agent);
      const asked = agent && (await askedAbout(parts.store, call));
      if (!asked) {
        untestable[agent ? 'body' : 'agent']++;
        continue;
      }
      const chain = principals(parts.agents.chain(agent));
      const request = { ...asked, chain, action: call.kind, labels: [], approved: false };
      const before = effectOf(parts.access.decide(request));
      const decision = trial.decide(request);
      const after = effectOf(decision);
      if (before === after) continue;
      const { id, kind: action, target } = call;
      changed.push({ call: id, agent: call.agent, action, target, before, after, rule: ruleOf(decision) });
    }
    const listed = LIMITS.listedChanges.value;
    return {
      recorded,
      tested: recorded - untestable.body - untestable.agent,
      untestable,
      changed: changed.slice(0, listed),
      more: recorded === LIMITS.retriedCalls.value || changed.length > listed,
    };
  } finally {
    trial.close();
  }
}

async function* callsOf(
  parts: Parts,
  { since, agent }: { readonly since: number; readonly agent?: number },
): AsyncGenerator<CallRow> {
  const by = agent === undefined ? ['arrivedAt'] : ['agent', 'arrivedAt'];
  const prefix = agent === undefined ? [] : [agent];
  const limit = LIMITS.page.value;
  let left = LIMITS.retriedCalls.value;
  let to: number | undefined;
  let seen = new Set<string>();
  for (;;) {
    const range = { by, prefix, from: since, ...(to === undefined ? {} : { to }), reverse: true, limit };
    const page: CallRow[] = await parts.store.range(CALL, range);
    const fresh = page.filter(({ id }) => !seen.has(id));
    for (const call of fresh.slice(0, left)) yield call;
    left -= fresh.length;
    const last = page.at(-1);
    if (left <= 0 || fresh.length === 0 || page.length < limit || !last) return;
    // The next page begins with the calls of this one's last instant.
    seen = new Set(page.filter(({ arrivedAt }) => arrivedAt === last.arrivedAt).map(({ id }) => id));
    to = last.arrivedAt;
  }
}

/** Under the profile `observe` too it counts what the policies say, not that nothing is refused. */
function effectOf(decision: Decision): Decision['effect'] {
  if (decision.effect !== 'permit' || !decision.observed) return decision.effect;
  return decision.observed.code === 'awaiting_approval' ? 'ask' : 'forbid';
}

const ruleOf = (decision: Decision): string => decision.rules.join(', ') || 'default-deny';

/** Verbs about money and plans. */
import type { Agent } from '../../agents/table.ts';
import { refusal } from '../../base/errors.ts';
import type { RateView, WindowView } from '../../base/money.ts';
import { capMistake } from '../../budget/periods.ts';
import type { WindowRow } from '../../db/schema/budget.ts';
import { resumedRows } from '../../gate/exhausted.ts';
import type { Gate } from '../../gate/gate.ts';
import type { Parts } from '../../gate/parts.ts';
import { LIMITS } from '../limits.ts';
import { type Handlers, selectAgent } from './context.ts';

/** Plan windows with their forecast: when each is full at this rate, and who would wait first. */
export function windowViews({ parts }: Gate): WindowView[] {
  const now = parts.clock.now();
  return parts.windows.list().map((row) => {
    const fullAt = parts.windows.fullAt(row, now);
    return { ...row, fullAt, first: fullAt === null ? [] : waitFirst(parts, row) };
  });
}

/** Who uses the account and has no part of its window: the last in the order of nice values, then who used most. */
function waitFirst({ agents, reserves }: Parts, { account, name }: WindowRow): string[] {
  const kept = new Set(
    reserves.list().flatMap((one) => (one.account === account && one.span === name ? one.who : [])),
  );
  const used = ({ input, output }: Agent) => input + output;
  return [...agents.all()]
    .filter((agent) => agent.account === account && agent.hold !== 'exited')
    .filter((agent) => !kept.has(`agent:${agent.name}`) && !kept.has(`owner:${agent.owner}`))
    .sort((a, b) => b.nice - a.nice || used(b) - used(a))
    .slice(0, LIMITS.forecastNames.value)
    .map((agent) => agent.name);
}

/** The rate limits that are known, the first of each account; all, or those of one account. */
function ratesOf({ parts }: Gate, scope: string | undefined): RateView[] {
  const all = Iterator.from(parts.governor.standing(parts.clock.now()));
  const those =
    scope === undefined ? all : all.filter(({ limit }) => scope === `account:${limit.split(' ')[0]}`);
  return [...those.take(LIMITS.listedRates.value)];
}

export const moneyVerbs: Handlers<'limits' | 'limit.set' | 'limit.reserve' | 'bill' | 'accounts'> = {
  async limits({ gate }, { scope }) {
    return {
      limits: gate.parts.ledger.limits(scope, gate.parts.clock.now()),
      windows: windowViews(gate),
      reserves: gate.parts.reserves.list(),
      rates: ratesOf(gate, scope),
    };
  },

  async 'limit.reserve'({ gate }, { account, span, who, percent }) {
    const { parts } = gate;
    if (!/^(agent|owner):./.test(who))
      return refusal('bad_request', `A part is kept for agent:<name> or owner:<id>, not "${who}".`);
    if (!Number.isSafeInteger(percent) || percent < 0 || percent > 100)
      return refusal('bad_request', `A part is a whole number from 0 to 100 percent, not ${percent}.`);
    const { id, puts, deletes } = parts.reserves.set(account, span, who, percent);
    const ids = parts.reserves.list().map((one) => `reserve:${one.account}/${one.span}/${one.who}`);
    const resumed = gate.exhausted.resume([id, ...ids]);
    const stored = resumedRows(resumed);
    await parts.journal.append({
      entries: [
        { kind: 'config', agent: 0, body: { reserve: id.slice(0, LIMITS.reserveName.value), percent } },
        ...stored.entries,
      ],
      puts: [...puts, ...stored.puts],
      deletes,
    });
    gate.wake(resumed);
    return { reserves: parts.reserves.list() };
  },

  async 'limit.set'(context, request) {
    const { parts } = context.gate;
    let scope = request.scope;
    const named = /^agent:(.+)$/.exec(scope);
    if (named) {
      const agent = selectAgent(context, named[1] as string);
      if ('code' in agent) return agent;
      scope = `agent:${agent.pid}`;
    } else if (!/^(account|owner):./.test(scope)) {
      return refusal('bad_request', `A scope is agent:<name>, owner:<id> or account:<id>, not "${scope}".`);
    }
    if (request.cap !== null && (!Number.isSafeInteger(request.cap) || request.cap < 0)) {
      return refusal('bad_request', `A cap is a whole number, not ${request.cap}.`);
    }
    const { dimension, period, cap } = request;
    const mistake = capMistake({ scope, dimension, period });
    if (mistake) return refusal('bad_request', `There can be no such limit: ${mistake}.`);
    const set = parts.ledger.setLimit({ scope, dimension, period, cap, strict: request.strict ?? false });
    const resumed = context.gate.exhausted.resume([`${scope}/${dimension}/${period}`]);
    const stored = resumedRows(resumed);
    await parts.journal.append({
      entries: [
        { kind: 'config', agent: 0, body: { limit: scope, dimension, period, cap } },
        ...stored.entries,
      ],
      puts: [...set.puts, ...stored.puts],
      deletes: set.deletes,
    });
    context.gate.wake(resumed);
    return { limit: set.limit };
  },

  async bill(context, { by, since, agent: selector }) {
    const { parts } = context.gate;
    const agent = selector === undefined ? undefined : selectAgent(context, selector);
    if (agent && 'code' in agent) return agent;
    const tree = agent && new Set<number>(parts.agents.tree(agent).map((member) => member.pid));
    const { rows, total } = await parts.ledger.bill(by, since, parts.store, tree);
    const name = (pid: string) => parts.agents.get(Number(pid))?.name ?? null;
    return {
      rows: by === 'agent' ? rows.map((row) => ({ ...row, name: name(row.key) })) : rows,
      total,
      estimateError: parts.estimator.error(),
    };
  },

  async accounts({ gate }) {
    const { accounts, ledger, clock } = gate.parts;
    const now = clock.now();
    const plans = windowViews(gate);
    return {
      accounts: accounts.list().map((account) => ({
        ...account,
        used: ledger.total(`account:${account.id}`),
        limits: ledger.limits(`account:${account.id}`, now),
        windows: plans.filter((window) => window.account === account.id),
      })),
    };
  },
};

/** Verbs about money and plans. */
import { refusal } from '../../base/errors.ts';
import { capMistake } from '../../budget/periods.ts';
import { resumedRows } from '../../gate/exhausted.ts';
import { type Handlers, selectAgent } from './context.ts';

export const moneyVerbs: Handlers<'limits' | 'limit.set' | 'bill' | 'accounts'> = {
  async limits({ gate }, { scope }) {
    return {
      limits: gate.parts.ledger.limits(scope, gate.parts.clock.now()),
      windows: gate.parts.windows.list(),
    };
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
    const { accounts, ledger, windows, clock } = gate.parts;
    const now = clock.now();
    const plans = windows.list();
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

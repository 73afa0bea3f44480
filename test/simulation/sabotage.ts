/** Ways to break a kernel on purpose: an oracle that sees none of them proves nothing. */
import type { Approval } from '../../src/access/approvals.ts';
import type { Parts } from '../../src/gate/parts.ts';

export interface Sabotage {
  /** The store says that a batch is durable before it is. */
  readonly acksEarly?: boolean;
  /** false: the kernel starts without recovery. */
  readonly recovers?: boolean;
  breaks?(parts: Parts): void;
  /** The rules of the oracle of which one must be reported. */
  readonly seenBy: readonly string[];
}

export const SABOTAGES: Readonly<Record<string, Sabotage>> = {
  'acts before START is durable': { acksEarly: true, seenBy: ['durable-start', 'ack-after-end'] },
  'starts without recovery': { recovers: false, seenBy: ['recovery'] },
  'never gives a slot back': {
    breaks: (parts) => {
      parts.scheduler.release = () => {};
    },
    seenBy: ['waits-blocked', 'slots-returned', 'no-bug'],
  },
  'gives slots that are not there': {
    breaks: (parts) => {
      const submit = parts.scheduler.submit.bind(parts.scheduler);
      parts.scheduler.submit = (waiting) => {
        if (waiting.arrivedAt % 5 === 0)
          waiting.onGrant(waiting.resources[0] as string, { policy: '', reasons: [] });
        else submit(waiting);
      };
    },
    seenBy: ['slots'],
  },
  'books every third call twice': {
    breaks: (parts) => {
      const settle = parts.ledger.settle.bind(parts.ledger);
      let count = 0;
      parts.ledger.settle = (call, used, now) => {
        const twice = ++count % 3 === 0 ? 2 : 1;
        return settle(call, { ...used, cost: used.cost * twice }, now);
      };
    },
    seenBy: ['sums'],
  },
  'keeps the money of refused calls': {
    breaks: (parts) => {
      const take = parts.ledger.reserve.bind(parts.ledger);
      parts.ledger.reserve = (call, charge, now) => {
        take(`${call}-again`, charge, now);
        return take(call, charge, now);
      };
    },
    seenBy: ['budget-idle', 'held-returned'],
  },
  'proves a bound of nothing': {
    breaks: (parts) => {
      parts.prices.boundOf = () => 0;
    },
    seenBy: ['strict-cap', 'reserves-bound'],
  },
  'lets frozen agents go on': {
    breaks: (parts) => {
      parts.freezes.isFrozen = () => undefined;
    },
    seenBy: ['held-back', 'freeze'],
  },
  'uses an approval again': {
    breaks: (parts) => {
      parts.approvals.use = () => ({ puts: [] });
    },
    seenBy: ['approval-once', 'rows-are-entries'],
  },
  'takes every call for approved': {
    breaks: (parts) => {
      parts.approvals.findApproved = () => ({}) as Approval;
    },
    seenBy: ['asks'],
  },
  'wakes nobody': {
    breaks: (parts) => {
      parts.waits.wakeAll = () => {};
    },
    seenBy: ['waits-blocked'],
  },
  'loses track of a wait': {
    breaks: (parts) => {
      parts.waits.get = () => undefined;
      parts.waits.all = () => [];
    },
    seenBy: ['waits-named'],
  },
  'writes rows that its entries do not say': {
    breaks: (parts) => {
      const append = parts.journal.append.bind(parts.journal);
      parts.journal.append = (what) => {
        const puts = what.puts?.map((put) =>
          put.table.name === 'call' && put.row.state === 'done'
            ? { ...put, row: { ...put.row, cost: 1 } }
            : put,
        );
        return append({ ...what, ...(puts ? { puts } : {}) });
      };
    },
    seenBy: ['rows-are-entries'],
  },
};

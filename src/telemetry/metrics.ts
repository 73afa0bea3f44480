/** The kernel's metrics by name. Shapes follow what dashboards for vLLM and for gateways already expect. */
import type { NanoUsd, Usage } from '../base/usage.ts';
import { Prometheus, type Readings } from './prometheus.ts';

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60, 300, 600];

/** What is read from the kernel when the page is asked for. */
export interface Sources {
  /** Agents that are not gone, by state. */
  agents(): Readings;
  /** Running calls, by backend. */
  running(): Readings;
  /** Waiting calls, by what they wait for and the resource. */
  waiting(): Readings;
  approvalsOpen(): number;
  /** USD left, by scope, for limits in USD. */
  budgets(): Readings;
  commits(): number;
}

export interface CallEnd {
  readonly kind: string;
  /** `ok`, or a code of the error table. */
  readonly outcome: string;
  readonly backend: string;
  readonly waitedMs: number;
  /** From arrival to END. */
  readonly tookMs: number;
  readonly usage?: Usage | undefined;
  readonly cost?: NanoUsd | undefined;
}

export interface Metrics {
  callEnded(call: CallEnd): void;
  decided(decision: string, rule: string): void;
  /** Refused before there was an agent: counted, never journaled. */
  refusedAtDoor(code: string): void;
  /** An upstream answered 429. */
  limited(backend: string): void;
  render(): string;
}

export function newMetrics(sources: Sources): Metrics {
  const page = new Prometheus();
  page.gauge('mezz_agents', 'Agents by state.', ['state'], () => sources.agents());
  page.gauge('mezz_requests_running', 'Calls being performed.', ['backend'], () => sources.running());
  page.gauge('mezz_requests_waiting', 'Calls waiting at the gate.', ['for', 'resource'], () =>
    sources.waiting(),
  );
  page.gauge('mezz_approvals_pending', 'Questions waiting for a person.', [], () => [
    [sources.approvalsOpen()],
  ]);
  page.gauge('mezz_budget_remaining_usd', 'Left of limits in USD.', ['scope'], () => sources.budgets());
  page.gauge('mezz_store_commits', 'Commits of the journal since start.', [], () => [[sources.commits()]]);
  const calls = page.counter('mezz_requests_total', 'Calls that ended or were refused.', [
    'kind',
    'backend',
    'outcome',
  ]);
  const waited = page.histogram('mezz_wait_seconds', 'From arrival to dispatch.', ['backend'], SECONDS);
  const took = page.histogram(
    'mezz_request_seconds',
    'From arrival to the end.',
    ['kind', 'backend'],
    SECONDS,
  );
  const tokens = page.counter('mezz_tokens_total', 'Tokens booked.', ['backend', 'kind']);
  const cost = page.counter('mezz_cost_usd_total', 'Cost booked.', ['backend']);
  const decisions = page.counter('mezz_policy_decisions_total', 'Access decisions.', ['decision', 'rule']);
  const door = page.counter('mezz_door_refusals_total', 'Requests refused before an agent was known.', [
    'code',
  ]);
  const limited = page.counter('mezz_upstream_429_total', 'Answers 429 of upstreams.', ['backend']);
  return {
    callEnded({ kind, outcome, backend, waitedMs, tookMs, usage, cost: spent }) {
      calls.add(1, kind, backend, outcome);
      waited.observe(waitedMs / 1000, backend);
      took.observe(tookMs / 1000, kind, backend);
      if (usage) for (const [what, count] of Object.entries(usage)) tokens.add(count, backend, what);
      if (spent) cost.add(spent / 1e9, backend);
    },
    decided: (decision, rule) => decisions.add(1, decision, rule),
    refusedAtDoor: (code) => door.add(1, code),
    limited: (backend) => limited.add(1, backend),
    render: () => page.render(),
  };
}

/** The kernel's metrics by name. Shapes follow what dashboards for vLLM and for gateways already expect. */
import type { Observer } from '../base/observer.ts';
import { Prometheus, type Readings } from './prometheus.ts';

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 60, 300, 600];
/** For calls that never reached a backend. */
const NOWHERE = 'none';

/** What is read from the kernel when the page is asked for. */
export interface Sources {
  /** Agents that are not gone, by state. */
  agents(): Readings;
  /** Running calls, by backend. */
  running(): Readings;
  /** Waiting calls, by what they wait for and the resource. */
  waiting(): Readings;
  approvalsOpen(): number;
  /** USD left, by scope and period, for limits in USD. */
  budgets(): Readings;
  /** What the tool broker counts, by what. */
  toolEvents(): Readings;
  toolDoubts(): number;
  /** Entries of the journal, those pruned included. */
  entries(): number;
  /** Bytes that the file system of the state directory has left. */
  diskFree(): number;
}

export interface Metrics extends Observer {
  /** One durable transaction of the store. */
  committed(tookMs: number, batches: number): void;
  /** From now on the page shows these too; called once, when there is a kernel to read. */
  read(sources: Sources): void;
  render(): string;
}

export function newMetrics(version: string): Metrics {
  const page = new Prometheus();
  page.gauge('mezz_info', 'The kernel that runs.', ['version'], () => [[1, version]]);
  const ended = callMetrics(page);
  const decisions = page.counter('mezz_policy_decisions_total', 'Access decisions.', ['decision', 'rule']);
  const door = page.counter('mezz_door_refusals_total', 'Requests refused before an agent was known.', [
    'code',
  ]);
  const commits = page.histogram('mezz_store_commit_seconds', 'Durable transactions.', [], SECONDS);
  const batches = page.counter('mezz_store_batches_total', 'Batches written in those transactions.');
  return {
    ended,
    decided: (effect, rule) => decisions.add(1, effect, rule),
    refusedAtDoor: (code) => door.add(1, code),
    committed(tookMs, count) {
      commits.observe(tookMs / 1000);
      batches.add(count);
    },
    read: (sources) => addGauges(page, sources),
    render: () => page.render(),
  };
}

function addGauges(page: Prometheus, sources: Sources): void {
  page.gauge('mezz_agents', 'Agents by state.', ['state'], () => sources.agents());
  page.gauge('mezz_requests_running', 'Calls being performed.', ['backend'], () => sources.running());
  page.gauge('mezz_requests_waiting', 'Calls waiting at the gate.', ['for', 'resource'], () =>
    sources.waiting(),
  );
  page.gauge('mezz_approvals_pending', 'Questions waiting for a person.', [], () => [
    [sources.approvalsOpen()],
  ]);
  page.gauge('mezz_budget_remaining_usd', 'Left of limits in USD.', ['scope', 'period'], () =>
    sources.budgets(),
  );
  page.counted(
    'mezz_tool_events_total',
    'What the tool broker did: calls that waited, stale writes refused, repetitions absorbed.',
    ['what'],
    () => sources.toolEvents(),
  );
  page.gauge('mezz_tool_doubts', 'Tool calls in doubt that wait for a person.', [], () => [
    [sources.toolDoubts()],
  ]);
  page.gauge('mezz_journal_entries', 'Entries ever written to the journal.', [], () => [[sources.entries()]]);
  page.gauge('mezz_disk_free_bytes', 'Left on the disk of the state directory.', [], () => [
    [sources.diskFree()],
  ]);
}

/** Everything counted once a call has ended or was refused. */
function callMetrics(page: Prometheus): Observer['ended'] {
  const by = ['kind', 'backend'];
  const calls = page.counter('mezz_requests_total', 'Calls that ended or were refused.', [...by, 'outcome']);
  const waited = page.histogram('mezz_wait_seconds', 'From arrival to dispatch.', by, SECONDS);
  const first = page.histogram('mezz_first_byte_seconds', 'From arrival to the first byte.', by, SECONDS);
  const took = page.histogram('mezz_request_seconds', 'From arrival to the end.', by, SECONDS);
  const tokens = page.counter('mezz_tokens_total', 'Tokens booked.', ['backend', 'kind']);
  const cost = page.counter('mezz_cost_usd_total', 'Cost booked.', ['backend']);
  const limited = page.counter('mezz_upstream_429_total', 'Answers 429 of upstreams.', ['backend']);
  return (call) => {
    const backend = call.backend ?? NOWHERE;
    calls.add(1, call.kind, backend, call.outcome);
    if (call.waitedMs !== null) waited.observe(call.waitedMs / 1000, call.kind, backend);
    if (call.firstByteMs !== null) first.observe(call.firstByteMs / 1000, call.kind, backend);
    took.observe(call.tookMs / 1000, call.kind, backend);
    for (const [what, count] of Object.entries(call.usage)) if (count > 0) tokens.add(count, backend, what);
    if (call.cost > 0) cost.add(call.cost / 1e9, backend);
    if (call.status === 429) limited.add(1, backend);
  };
}

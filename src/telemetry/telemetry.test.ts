import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import type { CallReport } from '../base/observer.ts';
import { NO_USAGE } from '../base/usage.ts';
import { LIMITS } from './limits.ts';
import { newLog, redact } from './log.ts';
import { newMetrics, type Sources } from './metrics.ts';
import { Prometheus } from './prometheus.ts';
import { watchTrouble } from './trouble.ts';

const EMPTY: Sources = {
  agents: () => [],
  running: () => [],
  waiting: () => [],
  approvalsOpen: () => 0,
  budgets: () => [],
  entries: () => 0,
  toolEvents: () => [[3, 'absorbed']],
  toolDoubts: () => 1,
  diskFree: () => 0,
};

const CALL: CallReport = {
  kind: 'model.generate',
  outcome: 'ok',
  backend: null,
  status: 200,
  waitedMs: null,
  firstByteMs: null,
  tookMs: 5,
  usage: NO_USAGE,
  cost: 0,
};

describe('prometheus', () => {
  test('counters, gauges and histograms are rendered in the text format', () => {
    const page = new Prometheus();
    const hits = page.counter('hits_total', 'Hits.', ['path']);
    let open = 1;
    page.gauge('open', 'Open now.', [], () => [[open]]);
    const took = page.histogram('took_seconds', 'Took.', ['path'], [0.1, 1]);
    hits.add(1, '/a');
    hits.add(2, '/a');
    open = 3;
    for (const value of [0.05, 0.1, 0.5, 7]) took.observe(value, '/a');
    assert.equal(
      page.render(),
      [
        '# HELP hits_total Hits.',
        '# TYPE hits_total counter',
        'hits_total{path="/a"} 3',
        '# HELP open Open now.',
        '# TYPE open gauge',
        'open 3',
        '# HELP took_seconds Took.',
        '# TYPE took_seconds histogram',
        'took_seconds_bucket{path="/a",le="0.1"} 2',
        'took_seconds_bucket{path="/a",le="1"} 3',
        'took_seconds_bucket{path="/a",le="+Inf"} 4',
        'took_seconds_sum{path="/a"} 7.65',
        'took_seconds_count{path="/a"} 4',
        '',
      ].join('\n'),
    );
  });
  test('label values cannot break out of a line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const page = new Prometheus();
        page.counter('x_total', 'X.', ['l']).add(1, value);
        const lines = page.render().split('\n');
        assert.equal(lines.length, 4);
        assert.match(lines[2] ?? '', /^x_total\{l="(?:[^"\\]|\\.)*"\} 1$/s);
      }),
    );
  });
  test('series are bounded, and nothing that is counted is lost', () => {
    const page = new Prometheus();
    const hits = page.counter('hits_total', 'Hits.', ['who']);
    for (let i = 0; i < 1000; i++) hits.add(1, `agent-${i}`);
    const values = page
      .render()
      .split('\n')
      .filter((line) => line.startsWith('hits_total'));
    assert.equal(values.length, LIMITS.seriesPerMetric.value + 1);
    assert.ok(values.includes(`hits_total{who="other"} ${1000 - LIMITS.seriesPerMetric.value}`));
  });
  test('a name is declared once, a counter ends in _total and never goes down', () => {
    const page = new Prometheus();
    const hits = page.counter('hits_total', 'Hits.');
    assert.throws(() => page.gauge('hits_total', 'Again.', [], () => []), /declared twice/);
    assert.throws(() => page.counter('hits', 'Hits.'), /_total/);
    assert.throws(() => hits.add(-1), /never goes down/);
  });
});

describe('metrics', () => {
  test('a call that ended is in requests, time, tokens and cost', () => {
    const metrics = newMetrics('1.2.3');
    metrics.read({
      ...EMPTY,
      agents: () => [[2, 'running']],
      waiting: () => [[1, 'slot', 'openai']],
    });
    const usage = { input: 10, cacheRead: 5, cacheWrite: 0, output: 7, reasoning: 2 };
    const call = { ...CALL, backend: 'openai', waitedMs: 30, tookMs: 900 };
    metrics.ended({ ...call, usage, cost: 2_500_000_000 });
    metrics.ended({ ...call, outcome: 'failed', status: 429 });
    metrics.decided('permit', 'default-1');
    metrics.refusedAtDoor('unauthorized');
    metrics.committed(3, 7);
    const page = metrics.render().split('\n');
    for (const line of [
      'mezz_agents{state="running"} 2',
      'mezz_requests_waiting{for="slot",resource="openai"} 1',
      'mezz_requests_total{kind="model.generate",backend="openai",outcome="ok"} 1',
      'mezz_requests_total{kind="model.generate",backend="openai",outcome="failed"} 1',
      'mezz_info{version="1.2.3"} 1',
      'mezz_wait_seconds_bucket{kind="model.generate",backend="openai",le="0.1"} 2',
      'mezz_store_commit_seconds_bucket{le="0.005"} 1',
      'mezz_store_batches_total 7',
      'mezz_tokens_total{backend="openai",kind="cacheRead"} 5',
      'mezz_cost_usd_total{backend="openai"} 2.5',
      'mezz_policy_decisions_total{decision="permit",rule="default-1"} 1',
      'mezz_door_refusals_total{code="unauthorized"} 1',
      'mezz_upstream_429_total{backend="openai"} 1',
    ])
      assert.ok(page.includes(line), line);
  });
});

describe('log', () => {
  const lines: string[] = [];
  const log = newLog({ write: (line) => lines.push(line) }, new VirtualClock(0), 'info');
  const last = () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
  const secret = 'SECRETsecret0123456789';

  test('lines are JSON with time, level and event; fields cannot replace these', () => {
    log.warn('upstream', { backend: 'openai', level: 'x', error: new Error('gone') });
    assert.deepEqual(
      [last().at, last().level, last().event],
      ['1970-01-01T00:00:00.000Z', 'warn', 'upstream'],
    );
    assert.equal((last().error as { message: string }).message, 'gone');
    const count = lines.length;
    log.debug('quiet');
    assert.equal(lines.length, count);
  });
  test('what looks like a credential is taken out, wherever it stands', () => {
    for (const text of [
      `mezz_${secret}`,
      `sk-ant-oat01-${secret}`,
      `authorization: Bearer ${secret}`,
      `Basic ${secret}=`,
      `eyJhbGciOiJIUzI1NiJ9.${secret}.${secret}`,
      `http://127.0.0.1:7717/a/${secret}/v1/messages`,
    ]) {
      log.info(text, { text, nested: [{ text }], error: new Error(text) });
      assert.ok(!lines.at(-1)?.includes(secret), text);
      assert.ok(lines.at(-1)?.includes('[redacted]'));
    }
    for (const name of [
      'Authorization',
      'x-api-key',
      'x-mezz-key',
      'cookie',
      'refresh_token',
      'password',
      'key',
    ]) {
      log.info('request', { headers: { [name]: secret } });
      assert.ok(!lines.at(-1)?.includes(secret), name);
    }
  });
  test('ordinary words stay', () => {
    const text = 'GET /v1/models by agent a/b, task-1, mezz up, risk-averse';
    assert.equal(redact(text), text);
    log.info('tokens', { tokens: 5, keys: ['a'], model: 'gpt-6' });
    assert.deepEqual([last().tokens, last().keys, last().model], [5, ['a'], 'gpt-6']);
  });
  test('a line is bounded and stays JSON', () => {
    log.info('big', { text: 'x'.repeat(100_000) });
    assert.ok((lines.at(-1)?.length ?? 0) < 1000);
    assert.equal(last().event, 'big');
  });
});

describe('trouble', () => {
  const watch = () => {
    const lines: Record<string, unknown>[] = [];
    const clock = new VirtualClock(0);
    const log = newLog(
      { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
      clock,
      'info',
    );
    return { lines, clock, watcher: watchTrouble(log, clock) };
  };
  const down: CallReport = { ...CALL, backend: 'openai', outcome: 'unreachable', status: 0 };

  test('a backend that is gone is told once a minute, and once when it answers again', () => {
    const { lines, clock, watcher } = watch();
    for (let i = 0; i < 100; i++) watcher.ended(down);
    assert.deepEqual(
      lines.map(({ event, times }) => [event, times]),
      [['backend.unreachable', 1]],
    );
    clock.advanceTo(LIMITS.troubleMs.value);
    watcher.ended(down);
    assert.equal(lines.at(-1)?.times, 100);
    watcher.ended({ ...CALL, backend: 'other' });
    watcher.ended({ ...CALL, backend: 'openai' });
    watcher.ended({ ...CALL, backend: 'openai' });
    assert.deepEqual(
      lines.slice(2).map(({ event, backend, downMs }) => [event, backend, downMs]),
      [['backend.reachable', 'openai', LIMITS.troubleMs.value]],
    );
  });
  test('bursts of 429 and strangers at the door are one line a minute each; ordinary refusals none', () => {
    const { lines, watcher } = watch();
    for (let i = 0; i < 50; i++)
      watcher.ended({ ...CALL, backend: 'openai', status: 429, outcome: 'failed' });
    for (let i = 0; i < 50; i++) watcher.refusedAtDoor('unauthorized');
    watcher.refusedAtDoor('not_found');
    watcher.ended({ ...CALL, outcome: 'denied', status: 0 });
    watcher.decided('forbid', 'r1');
    assert.deepEqual(
      lines.map(({ event, level }) => [event, level]),
      [
        ['backend.limited', 'warn'],
        ['door.refused', 'warn'],
      ],
    );
  });
  test('a slow commit is told, an ordinary one is not', () => {
    const { lines, watcher } = watch();
    watcher.committed(LIMITS.slowCommitMs.value - 1, 1);
    assert.equal(lines.length, 0);
    watcher.committed(LIMITS.slowCommitMs.value, 3);
    assert.deepEqual([lines[0]?.event, lines[0]?.batches], ['store.slow', 3]);
  });
});

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../base/clock.ts';
import { LIMITS } from './limits.ts';
import { newLog, redact } from './log.ts';
import { newMetrics, type Sources } from './metrics.ts';
import { Prometheus } from './prometheus.ts';

const EMPTY: Sources = {
  agents: () => [],
  running: () => [],
  waiting: () => [],
  approvalsOpen: () => 0,
  budgets: () => [],
  commits: () => 0,
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
    const metrics = newMetrics({
      ...EMPTY,
      agents: () => [[2, 'running']],
      waiting: () => [[1, 'slot', 'openai']],
    });
    const usage = { input: 10, cacheRead: 5, cacheWrite: 0, output: 7, reasoning: 2 };
    const call = { kind: 'model.generate', outcome: 'ok', backend: 'openai', waitedMs: 30, tookMs: 900 };
    metrics.callEnded({ ...call, usage, cost: 2_500_000_000 });
    metrics.callEnded({ ...call, outcome: 'failed' });
    metrics.decided('permit', 'default-1');
    metrics.refusedAtDoor('unauthorized');
    metrics.limited('openai');
    const page = metrics.render().split('\n');
    for (const line of [
      'mezz_agents{state="running"} 2',
      'mezz_requests_waiting{for="slot",resource="openai"} 1',
      'mezz_requests_total{kind="model.generate",backend="openai",outcome="ok"} 1',
      'mezz_requests_total{kind="model.generate",backend="openai",outcome="failed"} 1',
      'mezz_wait_seconds_bucket{backend="openai",le="0.1"} 2',
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

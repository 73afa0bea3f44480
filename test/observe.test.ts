/** What an operator sees: every family of /metrics after a scripted session, and the kernel's log. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { boot } from '../src/boot.ts';
import { readExposition, total } from './exposition.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import type { Script } from './upstream/upstream.ts';

const auth = (token: string) => ({ 'x-mezz-key': token });
const message = (text: string, model = 'claude-x') =>
  JSON.stringify({ model, max_tokens: 100, messages: [{ role: 'user', content: text }] });

/** Answers by what the user said: `limit` is a 429, `cut` breaks off. */
const script: Script = ({ body }) => {
  const text = body.toString();
  if (text.includes('limit')) return { status: 429 };
  if (text.includes('cut')) return { text: 'a long answer', cut: 10 };
  return { text: 'Hello.' };
};

const scrape = async (agent: Launch) => {
  const reply = await send(`${agent.origin}/metrics`, '', auth(agent.token), 'GET');
  assert.equal(reply.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  return readExposition(reply.body.toString());
};

const hook = (agent: Launch, event: string, id: string, command: string) =>
  send(
    `${agent.origin}/hooks/claude`,
    JSON.stringify({
      hook_event_name: event,
      session_id: 's1',
      tool_name: 'Bash',
      tool_use_id: id,
      tool_input: { command },
    }),
    auth(agent.token),
  );

const logOf = (kernel: TestKernel) =>
  readFileSync(join(kernel.stateDir, 'kernel.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Calls cost money only where somebody pays for them: a key of the kernel's. */
async function payWithKey(kernel: TestKernel): Promise<void> {
  const config = join(kernel.stateDir, 'mezz.yaml');
  const key = join(kernel.stateDir, 'upstream.key');
  writeFileSync(key, 'sk-observed-upstream-key', { mode: 0o600 });
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace('credential: local', `credential: kernel, key: { file: ${key} }`));
  // A new kernel, not a reload: the watch on the file would reload once more, at any moment.
  await kernel.restart();
}

/** Three answers, one 429, one cut, one unknown model, one tool call and a forbidden one, three strangers. */
async function session(kernel: TestKernel, agent: Launch): Promise<void> {
  const url = `${agent.origin}/v1/messages`;
  for (const text of ['one', 'two', 'three', 'limit', 'cut'])
    await send(url, message(text), auth(agent.token));
  await send(url, message('x', 'nobody'), auth(agent.token));
  await hook(agent, 'PreToolUse', 't1', 'ls');
  await hook(agent, 'PostToolUse', 't1', 'ls');
  await kernel.control.call('policy.apply', { text: POLICY });
  await hook(agent, 'PreToolUse', 't2', 'rm x');
  await send(url, message('x'));
  await send(`${agent.origin}/nowhere`, '{}', auth(agent.token));
  await send(url, '{"model":', auth(agent.token));
}

const POLICY = `@id("all") permit(principal, action, resource);
@id("no-rm") forbid(principal, action, resource is Tool) when { context.command like "rm *" };`;

describe('metrics', () => {
  test('every family counts what happened, and the page is strict text format', async () => {
    const kernel = await startKernel(script, 'rateLimit: { on: fail }\n');
    try {
      await payWithKey(kernel);
      const agent = await kernel.agent();
      await kernel.control.call('limit.set', {
        scope: 'owner:me',
        dimension: 'usd',
        period: 'day',
        cap: 5e9,
      });
      await session(kernel, agent);
      const page = await scrape(agent);
      const of = (name: string, ...parts: string[]) => total(page.get(name), ...parts);
      const generate = 'kind="model.generate"';
      assert.equal(of('mezz_requests_total', generate, 'outcome="ok"', 'backend="scripted"'), 3);
      assert.equal(of('mezz_requests_total', generate, 'outcome="failed"'), 1, 'the 429');
      assert.equal(of('mezz_requests_total', generate, 'outcome="upstream_cut"'), 1);
      assert.equal(of('mezz_requests_total', 'outcome="model_unknown"', 'backend="none"'), 1);
      assert.equal(of('mezz_requests_total', 'kind="tool.call"', 'outcome="ok"'), 1);
      assert.equal(of('mezz_requests_total', 'kind="tool.call"', 'outcome="denied"'), 1);
      const { calls } = await kernel.control.call('calls', {});
      assert.equal(of('mezz_requests_total'), calls.length, 'as many as the journal has');
      assert.equal(of('mezz_request_seconds', '_count'), calls.length);
      assert.equal(of('mezz_wait_seconds', '_count'), 6, 'five dispatched, one tool let go');
      assert.equal(of('mezz_first_byte_seconds', '_count'), 4, 'answers with a head that were whole');
      const { total: bill } = await kernel.control.call('bill', { by: 'agent' });
      assert.equal(of('mezz_tokens_total', 'kind="output"'), bill.usage.output);
      assert.equal(of('mezz_tokens_total', 'kind="input"'), bill.usage.input);
      assert.ok(bill.cost > 0);
      assert.equal(Math.round(of('mezz_cost_usd_total') * 1e9), bill.cost);
      const { limits } = await kernel.control.call('limits', {});
      assert.ok(
        Math.abs(of('mezz_budget_remaining_usd', 'owner:me') - (5 - (limits[0]?.used ?? 0) / 1e9)) < 1e-9,
      );
      assert.equal(of('mezz_upstream_429_total', 'scripted'), 1);
      assert.equal(of('mezz_policy_decisions_total', 'decision="forbid"', 'rule="no-rm"'), 1);
      assert.equal(of('mezz_policy_decisions_total', 'decision="permit"'), 6);
      for (const code of ['unauthorized', 'not_found', 'bad_request'])
        assert.equal(of('mezz_door_refusals_total', code), 1, code);
      assert.equal(of('mezz_door_refusals_total'), 3);
      assert.equal(of('mezz_agents'), 1);
      assert.equal(of('mezz_requests_running', 'scripted'), 0);
      const { entries } = await kernel.control.call('store', {});
      assert.equal(of('mezz_journal_entries'), entries);
      assert.ok(of('mezz_store_commit_seconds', '_count') > 0);
      assert.ok(of('mezz_store_batches_total') >= of('mezz_store_commit_seconds', '_count'));
      assert.ok(of('mezz_disk_free_bytes') > 0);
      assert.equal(of('mezz_info'), 1);
      assert.deepEqual(
        [...page].filter(([, family]) => family.samples.size === 0).map(([name]) => name),
        ['mezz_requests_waiting'],
        'every family has been seen but the one that is empty now',
      );
    } finally {
      await kernel.close();
    }
  });

  test('what waits is counted by what it waits for, without a series per call', async () => {
    const kernel = await startKernel(() => ({ text: 'Hi.' }));
    try {
      const agent = await kernel.agent();
      await kernel.control.call('signal', { agent: 'tester', signal: 'pause' });
      const waiting = [1, 2, 3].map((i) =>
        send(`${agent.origin}/v1/messages`, message(`m${i}`), auth(agent.token)),
      );
      for (let seen = 0; seen < 3; ) seen = (await kernel.control.call('status', {})).waiting;
      const page = await scrape(agent);
      assert.deepEqual(
        [...(page.get('mezz_requests_waiting')?.samples ?? [])],
        [['mezz_requests_waiting{for="pause",resource=""}', 3]],
      );
      assert.equal(total(page.get('mezz_agents'), 'state="paused"'), 1);
      await kernel.control.call('signal', { agent: 'tester', signal: 'resume' });
      for (const reply of await Promise.all(waiting)) assert.equal(reply.status, 200);
    } finally {
      await kernel.close();
    }
  });
});

describe('the log', () => {
  test('tells start, trouble, settings, drain and end, and no secret', async () => {
    const kernel = await startKernel(script, 'rateLimit: { on: fail }\n');
    try {
      const agent = await kernel.agent();
      await session(kernel, agent);
      await kernel.restart();
      await assert.rejects(
        boot({ stateDir: kernel.stateDir, port: 0, logFile: join(kernel.stateDir, 'kernel.log') }),
        { code: 'locked' },
      );
      await kernel.stop();
      const lines = logOf(kernel);
      const events = lines.map(({ event }) => event);
      for (const event of [
        'kernel.started',
        'backend.limited',
        'backend.unreachable',
        'door.refused',
        'kernel.draining',
        'kernel.stopped',
        'kernel.not_started',
      ])
        assert.ok(events.includes(event), `${event} in ${events}`);
      const started = lines.find(({ event }) => event === 'kernel.started');
      assert.match(String(started?.origin), /^http:\/\/127\.0\.0\.1:\d+$/);
      assert.equal(started?.stateDir, kernel.stateDir);
      assert.match(
        String(lines.find(({ event }) => event === 'kernel.not_started')?.message),
        /another kernel/,
      );
      assert.ok(!JSON.stringify(lines).includes(agent.token));
    } finally {
      await kernel.close();
    }
  });
});

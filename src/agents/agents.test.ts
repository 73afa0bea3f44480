import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallId, TurnId } from '../base/ids.ts';
import { Coverage } from './coverage.ts';
import { readIdentity } from './identity.ts';
import { LIMITS } from './limits.ts';
import { type KeyHolder, resolveAgent } from './resolve.ts';
import { AgentTable } from './table.ts';
import { Turns } from './turns.ts';

const SOURCE = { id: 'c1' as CallId, turn: 't1' as TurnId };
const key = (pid: number | null): KeyHolder => ({ keyId: 'k1', owner: 'me', pid, name: 'fix' });
const codex = (thread: string, metadata: object) => [
  'Session-Id',
  't0',
  'thread-id',
  thread,
  'x-codex-turn-metadata',
  JSON.stringify(metadata),
];

test('headers of Claude Code name a session and a sub-agent', () => {
  const main = readIdentity(['X-Claude-Code-Session-Id', 'abc', 'X-Stainless-Timeout', '600']);
  assert.deepEqual(main, { client: 'claude-code', session: 'abc', retries: 0, timeoutMs: 600_000 });
  const sub = readIdentity([
    'x-claude-code-session-id',
    'abc',
    'x-claude-code-agent-id',
    'a7',
    'x-stainless-retry-count',
    '2',
  ]);
  assert.equal(sub.sub, 'a7');
  assert.equal(sub.retries, 2);
});

test('headers of Codex name a thread below the root', () => {
  assert.equal(readIdentity(codex('t0', { agent_name: '/root' })).sub, undefined);
  const sub = readIdentity(codex('t1', { agent_name: '/root/helper', parent_thread_id: 't0' }));
  assert.equal(sub.sub, 't1');
  assert.equal(sub.subName, 'helper');
  assert.equal(sub.subParent, undefined, 'its parent is the agent itself');
  const deep = readIdentity(codex('t2', { agent_name: '/root/helper/deep', parent_thread_id: 't1' }));
  assert.deepEqual([deep.sub, deep.subName, deep.subParent], ['t2', 'deep', 't1']);
});

test('header values that could forge a path or flood a row are ignored', () => {
  assert.equal(readIdentity(['x-claude-code-session-id', 'a b\n']).session, undefined);
  assert.equal(readIdentity(['x-claude-code-session-id', 'x'.repeat(1000)]).session, undefined);
});

test('a bound key is one agent; its sub-agents open on first sight and stay inside the key', () => {
  const table = new AgentTable();
  const root = table.add({ name: 'fix', owner: 'me', client: 'claude-code', level: 'hooked' }, 0);
  const main = readIdentity(['x-claude-code-session-id', 's']);
  const first = resolveAgent(table, key(root.pid), main, [], 1);
  assert.ok('agent' in first && first.agent === root && first.opened.length === 0);
  const subHeaders = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', 'a1'];
  const sub = resolveAgent(table, key(root.pid), readIdentity(subHeaders), subHeaders, 2);
  assert.ok('agent' in sub && sub.agent.parent === root.pid && sub.opened.length === 1);
  assert.equal(sub.agent.level, 'hooked', 'the hooks of the session cover its sub-agents');
  const again = resolveAgent(table, key(root.pid), readIdentity(subHeaders), subHeaders, 3);
  assert.ok('agent' in again && again.agent === sub.agent && again.opened.length === 0);
});

test('a sub-agent of a sub-agent is one agent, though a hook names it without its parent', () => {
  const table = new AgentTable();
  const root = table.add({ name: 'fix', owner: 'me', client: 'claude', level: 'hooked' }, 0);
  const resolve = (more: object) => {
    const identity = { client: 'claude-code', session: 's', retries: 0, ...more };
    const found = resolveAgent(table, key(root.pid), identity, [], 1);
    assert.ok('agent' in found);
    return found.agent;
  };
  const helper = resolve({ sub: 'a1' });
  const deep = resolve({ sub: 'a2', subParent: 'a1' });
  assert.equal(deep.parent, helper.pid);
  assert.equal(resolve({ sub: 'a2' }), deep);
  assert.deepEqual([helper.client, deep.client], ['claude', 'claude']);
});

test('a free key opens one root and tells sessions apart below it', () => {
  const table = new AgentTable();
  const one = resolveAgent(table, key(null), readIdentity(['x-claude-code-session-id', 's1']), [], 1);
  const two = resolveAgent(table, key(null), readIdentity(['x-claude-code-session-id', 's2']), [], 1);
  assert.ok('agent' in one && 'agent' in two);
  assert.notEqual(one.agent.pid, two.agent.pid);
  assert.equal(one.agent.parent, two.agent.parent);
});

test('sub-agents are capped per key', () => {
  const table = new AgentTable();
  const root = table.add({ owner: 'me', client: 'claude-code' }, 0);
  let last: ReturnType<typeof resolveAgent> | undefined;
  for (let i = 0; i <= LIMITS.childrenPerKey.value; i++) {
    const headers = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', `a${i}`];
    last = resolveAgent(table, key(root.pid), readIdentity(headers), headers, i);
  }
  assert.ok(last && 'code' in last && last.code === 'busy');
  assert.equal(table.liveChildren(root), LIMITS.childrenPerKey.value);
});

test('a chain of parents has a bound: what would pass it is refused, and nothing is half opened', () => {
  const table = new AgentTable();
  let root = table.add({ owner: 'me', client: 'claude-code' }, 0);
  while (table.chain(root).length < LIMITS.agentDepth.value - 1)
    root = table.add({ owner: 'me', client: 'claude-code', parent: root.pid }, 0);
  const headers = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', 'a'];
  const deeper = [...headers, 'x-claude-code-parent-agent-id', 'b'];
  const size = table.size;
  const refused = resolveAgent(table, key(root.pid), readIdentity(deeper), deeper, 1);
  assert.ok('code' in refused && refused.rule === 'limit:agents.agentDepth');
  assert.equal(table.size, size);
  assert.ok('agent' in resolveAgent(table, key(root.pid), readIdentity(headers), headers, 1));
});

test('the request that tells which client a key is says that the row must be stored', () => {
  const table = new AgentTable();
  const root = table.add({ owner: 'me', client: 'generic' }, 0);
  const headers = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', 'a'];
  const first = resolveAgent(table, key(root.pid), readIdentity(headers), headers, 1);
  assert.ok('agent' in first);
  assert.deepEqual(first.named, [root]);
  const again = resolveAgent(table, key(root.pid), readIdentity(headers), headers, 1);
  assert.ok('agent' in again && again.named.length === 0);
});

test('names are unique among live agents and found by prefix', () => {
  const table = new AgentTable();
  const one = table.add({ name: 'fix', owner: 'me', client: 'x' }, 0);
  const two = table.add({ name: 'fix', owner: 'me', client: 'x' }, 0);
  assert.equal(two.name, 'fix-2');
  assert.deepEqual(table.find('fix'), [one]);
  assert.deepEqual(table.find('fi'), [one, two]);
  table.exit(one, 0, null);
  assert.equal(table.add({ name: 'fix', owner: 'me', client: 'x' }, 0).name, 'fix');
});

test('turns: a tool result continues, a user message begins, a retry stays, interleaved conversations differ', () => {
  const turns = new Turns();
  let next = 0;
  const recognise = (canonical: string[], lastIsUser: boolean) =>
    turns.recognise({ agent: 1, canonical, lastIsUser }, () => `t${next++}` as TurnId);
  assert.deepEqual(recognise(['u1'], true), { id: 't0', isNew: true });
  assert.deepEqual(recognise(['u1'], true), { id: 't0', isNew: false }, 'the same request again');
  assert.deepEqual(recognise(['u1', 'a1', 'r1'], false), { id: 't0', isNew: false });
  assert.deepEqual(recognise(['v1'], true), { id: 't1', isNew: true }, 'another conversation');
  assert.deepEqual(recognise(['u1', 'a1', 'r1', 'a2', 'r2'], false), { id: 't0', isNew: false });
  assert.deepEqual(recognise(['v1', 'b1', 's1'], false), { id: 't1', isNew: false });
  assert.deepEqual(recognise(['u1', 'a1', 'r1', 'a2', 'r2', 'a3', 'u2'], true), { id: 't2', isNew: true });
});

test('coverage counts each tool call once, whichever of answer and hook comes first', () => {
  const table = new AgentTable();
  const agent = table.add({ owner: 'me', client: 'claude-code' }, 0);
  const coverage = new Coverage();
  const intent = { id: 'toolu_1', name: 'Bash', argumentsText: '{}' };
  assert.equal(coverage.seen(agent, [intent], SOURCE, 1).length, 1);
  coverage.decided(agent, 'toolu_1', 'Bash', 'c2', false, 2);
  assert.deepEqual([agent.seen, agent.decided], [1, 1]);
  assert.equal(coverage.turnOf(agent.pid, 'toolu_1'), 't1');
  coverage.closed(agent, [{ id: 'toolu_1', isError: false }]);
  coverage.decided(agent, 'toolu_2', 'Bash', 'c3', false, 3);
  coverage.closed(agent, [{ id: 'toolu_2', isError: false }]);
  assert.equal(
    coverage.seen(agent, [{ ...intent, id: 'toolu_2' }], SOURCE, 4).length,
    0,
    'ran while its answer streamed',
  );
  assert.deepEqual([agent.seen, agent.decided], [2, 2]);
  assert.deepEqual(coverage.openTools(agent.pid), []);
});

test('a program counts by the calls it makes: each that a hook asked about, and itself where nobody was asked', () => {
  const agent = new AgentTable().add({ owner: 'me', client: 'codex' }, 0);
  const coverage = new Coverage();
  const run = (id: string, source: string, hooked: boolean) => {
    coverage.seen(agent, [{ id, name: 'exec', argumentsText: source }], SOURCE, 1);
    if (hooked) coverage.decided(agent, `exec-${id}`, 'Bash', 'd', false, 2);
    coverage.closed(agent, [{ id, isError: false }]);
    return [agent.seen, agent.decided];
  };
  const shell = 'await tools.exec_command({ cmd: "ls tools" });';
  assert.deepEqual(run('p1', shell, true), [1, 1]);
  assert.deepEqual(run('p2', "text('tools')", false), [1, 1], 'it calls nothing');
  assert.deepEqual(run('p3', shell, false), [2, 1], 'a hook that never asked');
  for (const [id, source] of [
    'await tools.write_stdin({ session_id: 1, chars: "y" })',
    'await tools["write_" + "stdin"]({})',
    'const t = tools; t.exec_command({})',
    'eval("tools.write_stdin({})")',
    'globalThis.tools.x()',
  ].entries())
    assert.deepEqual(run(`q${id}`, `${shell}${source}`, true), [4 + id * 2, 2 + id], source);
});

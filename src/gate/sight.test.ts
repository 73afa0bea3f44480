/** What an agent sees of the tools, and whether what it calls is what it saw. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonRecord } from '../base/json.ts';
import type { Described, ToolServer } from '../base/ports.ts';
import { openGate } from './fixture.test.ts';
import { showTo } from './sight.ts';

const tool = (name: string, properties: JsonRecord = {}) => ({
  name,
  inputSchema: { type: 'object', properties, additionalProperties: false },
});

async function openRoom() {
  const sent: string[] = [];
  let described: Described = { software: 'box', tools: ['get', 'put', 'ask'].map((name) => tool(name)) };
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/' },
    osPid: undefined,
    said: '',
    describe: async () => described,
    call: async (ticket, name) => {
      ticket.use();
      sent.push(name);
      return { kind: 'called', result: {}, isError: false };
    },
    close: async () => {},
  };
  const room = await openGate({ one: 1 }, {}, undefined, [server]);
  const { parts, caller, arrivals } = room;
  const names = async () => {
    const view = await showTo(parts, caller, 'box');
    return 'code' in view ? [] : view.tools.map(({ name }) => name);
  };
  const asking = {
    ...{ who: '', capabilities: {}, logLevel: undefined, takesInputRequired: false, wantsProgress: false },
    told: () => {},
    asked: async () => ({ result: {} }),
  };
  const call = async (name: string, input: JsonRecord = {}) => {
    const request = { method: 'tools/call', params: { name, arguments: input }, asking } as const;
    const signal = new AbortController().signal;
    const { outcome } = await arrivals.requested(caller, 'box', request, { outlives: false }, signal);
    return outcome;
  };
  const change = (tools: readonly JsonRecord[]) => {
    described = { ...described, tools };
  };
  return { ...room, names, call, change, sent };
}

const RULES: readonly (readonly [rule: string, seen: readonly string[]])[] = [
  ['permit(principal, action, resource);', ['ask', 'get', 'put']],
  ['permit(principal, action, resource == Tool::"box/get");', ['get']],
  [
    'permit(principal, action, resource); forbid(principal, action, resource == Tool::"box/put");',
    ['ask', 'get'],
  ],
  // What an argument, an approval or the hour may still permit is seen.
  [
    'permit(principal, action, resource); forbid(principal, action, resource == Tool::"box/ask") unless { context.approved };',
    ['ask', 'get', 'put'],
  ],
  [
    'permit(principal, action, resource) when { context.localHour > 8 }; forbid(principal, action, resource == Tool::"box/get") when { context.command like "rm *" };',
    ['ask', 'get', 'put'],
  ],
  // Who asks is known.
  ['permit(principal, action, resource) when { principal.name == "root" };', ['ask', 'get', 'put']],
  ['permit(principal, action, resource) when { principal.name == "other" };', []],
];

test('a tool that no policy ever lets an agent call is not shown to it; one that may be permitted is', async () => {
  const { names, call, parts, sent } = await openRoom();
  for (const [rule, seen] of RULES) {
    const findings = parts.access.apply(rule, 'default');
    assert.deepEqual(
      findings.filter(({ level }) => level === 'fail'),
      [],
      rule,
    );
    assert.deepEqual(await names(), seen, rule);
    // What is hidden is refused: never the other way round.
    for (const name of ['ask', 'get', 'put'].filter((one) => !seen.includes(one))) {
      const refused = await call(name);
      assert.ok('code' in refused && refused.code === 'denied', `${rule}: ${name}`);
    }
  }
  assert.deepEqual(sent, []);
  parts.access.apply('forbid(principal, action, resource);', 'observe');
  assert.deepEqual(await names(), ['ask', 'get', 'put'], 'a profile that refuses nothing hides nothing');
});

test('a call is checked by the definition that its client was shown: of a newer one it is told first, and sees it', async () => {
  const { names, call, change, parts, sent } = await openRoom();
  await names();
  assert.ok(!('code' in (await call('get'))));
  change([tool('get', { path: { type: 'string' } }), tool('put'), tool('ask')]);
  const unseen = await call('get', { path: 'a' });
  assert.ok('code' in unseen && unseen.rule === 'tools:pinned', 'not accepted yet');
  let told = 0;
  parts.servers.onChange((server, { kind }) => {
    if (server === 'box' && kind === 'tools') told++;
  });
  await parts.servers.accept('box');
  assert.equal(told, 1, 'clients hear that the list has changed');
  const stale = await call('get', {});
  assert.ok('code' in stale && stale.code === 'stale' && stale.rule === 'tools:shown');
  assert.match(stale.detail ?? '', /"path"/);
  assert.ok(!('code' in (await call('get', { path: 'a' }))), 'it has seen it now');
  assert.ok(!('code' in (await call('put'))), 'what has not changed is not held up');
  assert.deepEqual(sent, ['get', 'get', 'put']);
});

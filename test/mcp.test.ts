/** The MCP endpoint with a tool server of all kinds behind it: sessions, streams, questions, in both eras and over both transports. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { type HttpFixture, startHttpFixture } from './conformance/fixture/http.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { type Any, type Client, earlierClient, modernClient, settled, started } from './mcp/client.ts';

type Era = 'modern' | 'earlier';
const STDIO = { command: [process.execPath, join(import.meta.dirname, 'conformance/fixture/stdio.ts')] };

interface Room {
  readonly kernel: TestKernel;
  readonly fixture: HttpFixture;
  at(agent: Launch, path?: string): string;
}

/** A kernel with the fixture as `box`: a program, or at an address that speaks these eras. */
async function withServer(
  eras: readonly Era[] | 'stdio',
  work: (room: Room) => Promise<void>,
  more = '',
): Promise<void> {
  const fixture = await startHttpFixture(eras === 'stdio' ? [] : eras);
  const tools = { box: eras === 'stdio' ? STDIO : { url: fixture.url } };
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify(tools)}\n${more}`);
  try {
    await work({ kernel, fixture, at: (agent, path = '') => `${agent.origin}/a/${agent.token}/mcp${path}` });
  } finally {
    await kernel.close();
    await fixture.close();
  }
}

const listOf = (value: unknown): Any[] => value as Any[];
const recordOf = (value: unknown): Any => value as Any;
const textOf = (result: Any | undefined): string =>
  (result?.content as { text?: string }[] | undefined)?.map(({ text }) => text ?? '').join('') ?? '';

/** What every client can do, whatever the era and whatever carries the server's messages. */
async function readsEverything(client: Client): Promise<void> {
  const { result: listed } = await client.ask('resources/list', {});
  assert.deepEqual(
    listOf(listed?.resources).map(({ uri }) => uri),
    ['test://static-text', 'test://static-binary', 'test://watched-resource'],
  );
  const { result: read } = await client.ask('resources/read', { uri: 'test://template/7/data' });
  assert.match(String(listOf(read?.contents)[0]?.text), /Data for ID: 7/);
  const none = await client.ask('resources/read', { uri: 'test://nothing' });
  assert.equal(none.error?.code, -32602, 'no server offers it');
  const { result: prompts } = await client.ask('prompts/list', {});
  assert.ok(listOf(prompts?.prompts).some(({ name }) => name === 'box__test_prompt_with_arguments'));
  const given = { name: 'box__test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } };
  assert.match(
    JSON.stringify((await client.ask('prompts/get', given)).result?.messages),
    /arg1='a', arg2='b'/,
  );
  const ref = { type: 'ref/prompt', name: 'box__test_prompt_with_arguments' };
  const completed = await client.ask('completion/complete', {
    ref,
    argument: { name: 'arg1', value: 'par' },
  });
  assert.deepEqual(recordOf(completed.result?.completion).values, ['paris', 'park', 'party']);
  const progress = await client.ask('tools/call', {
    name: 'box__test_tool_with_progress',
    _meta: { progressToken: 'mine' },
  });
  assert.deepEqual(
    progress.told.map(({ method, params }) => [
      method,
      (params as Any).progressToken,
      (params as Any).progress,
    ]),
    [0, 50, 100].map((step) => ['notifications/progress', 'mine', step]),
  );
  assert.match(textOf(progress.result), /All steps are done/);
}

for (const eras of ['stdio', ['earlier'], ['modern']] as const) {
  test(`resources, prompts, completion and progress reach clients of both eras, from a server by ${eras}`, () =>
    withServer(eras, async ({ kernel, at }) => {
      const agent = await kernel.agent();
      await readsEverything(await earlierClient(at(agent)));
      await readsEverything(modernClient(at(agent)));
      const { calls } = await kernel.control.call('calls', { agent: String(agent.pid) });
      const targets = new Set(calls.map(({ target }) => target));
      for (const method of ['resources/read', 'prompts/get', 'completion/complete'])
        assert.ok(targets.has(`box/${method}`), `${method} is a syscall`);
    }));

  test(`a question of a server by ${eras} reaches the client whose call it is about, as its era asks`, () =>
    withServer(eras, async ({ kernel, at }) => {
      const agent = await kernel.agent();
      const call = { name: 'test_elicitation', arguments: { message: 'Who?' } };
      const asked: Any[] = [];
      const earlier = await earlierClient(at(agent, '/box'), { elicitation: {} }, (method, params) => {
        asked.push({ method, ...params });
        return { action: 'accept', content: { response: 'me' } };
      });
      assert.match(textOf((await earlier.ask('tools/call', call)).result), /"response":"me"/);
      assert.deepEqual(
        asked.map(({ method, message }) => [method, message]),
        [['elicitation/create', 'Who?']],
      );
      const modern = modernClient(at(agent, '/box'), { elicitation: {} });
      const { result: needs } = await modern.ask('tools/call', call);
      assert.equal(needs?.resultType, 'input_required');
      const [[key, question] = ['', {}]] = Object.entries(needs?.inputRequests as Record<string, Any>);
      assert.equal((question as Any).method, 'elicitation/create');
      const { requestState } = needs as Any;
      const inputResponses = { [key]: { action: 'accept', content: { response: 'you' } } };
      const again = { ...call, inputResponses, ...(requestState === undefined ? {} : { requestState }) };
      const { result: done } = await modern.ask('tools/call', again);
      assert.equal(done?.resultType, 'complete');
      assert.match(textOf(done), /"response":"you"/);
    }));

  test(`what a server by ${eras} says unasked reaches the streams that want it, and no other agent`, () =>
    withServer(eras, async ({ kernel, at }) => {
      const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
      const watched = 'test://watched-resource';
      const earlier = await earlierClient(at(ann));
      const heard = await earlier.listen();
      await earlier.ask('resources/subscribe', { uri: watched });
      const modern = modernClient(at(bob));
      const filter = { promptsListChanged: true };
      const bobs = await modern.listen({ notifications: filter });
      assert.deepEqual(await bobs.next(), [
        'notifications/subscriptions/acknowledged',
        { notifications: filter, _meta: { 'io.modelcontextprotocol/subscriptionId': bobs.id } },
      ]);
      // A server that is reached by HTTP is listened to by a request of its own, which takes its time.
      await modern.ask('tools/list', {});
      const until = async (trigger: string, method: string, stream: typeof heard) => {
        const next = stream.next();
        for (let done = false; !done; ) {
          await modern.ask('tools/call', { name: trigger });
          done = await Promise.race([
            next.then(() => true),
            new Promise<false>((no) => setTimeout(no, 50, false)),
          ]);
        }
        assert.equal((await next)[0], method);
      };
      await until('box__test_touch_resource', 'notifications/resources/updated', heard);
      await until('box__test_trigger_prompt_change', 'notifications/prompts/list_changed', bobs);
      assert.ok(bobs.all.every(([method]) => method !== 'notifications/resources/updated'));
      heard.close();
      bobs.close();
    }));
}

test('a session serves the key that opened it and no other, until it is closed', () =>
  withServer('stdio', async ({ kernel, at }) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    const client = await earlierClient(at(ann));
    const list = (url: string) => client.raw(url, { method: 'tools/list', params: {} });
    assert.equal((await list(at(ann))).status, 200);
    assert.equal((await list(at(bob))).status, 404, "another agent's session");
    assert.equal((await list(at(ann, '/box'))).status, 404, 'a session of another view');
    await client.close();
    assert.equal((await list(at(ann))).status, 404);
  }));

test('what a server gave a client to keep comes back from no other agent, for no other call, and not changed', () =>
  withServer(['modern'], async ({ kernel, at, fixture }) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    const [anns, bobs] = [modernClient(at(ann, '/box')), modernClient(at(bob, '/box'))];
    const name = 'test_input_required_result_request_state';
    const { result } = await anns.ask('tools/call', { name });
    const requestState = String(result?.requestState);
    const inputResponses = { confirm: { action: 'accept', content: { ok: true } } };
    const before = fixture.requests.length;
    const stolen = [
      await bobs.ask('tools/call', { name, inputResponses, requestState }),
      await anns.ask('tools/call', { name: 'test_simple_text', inputResponses, requestState }),
      await anns.ask('tools/call', { name, inputResponses, requestState: `${requestState}x` }),
    ];
    assert.deepEqual(
      stolen.map(({ error }) => error?.code),
      [-32602, -32602, -32602],
    );
    assert.equal(fixture.requests.length, before, 'none of them reached the server');
    assert.match(
      textOf((await anns.ask('tools/call', { name, inputResponses, requestState })).result),
      /state-ok/,
    );
  }));

test('a modern request is refused where its headers are not what its body says, the arguments that a tool marks too', () =>
  withServer(['modern'], async ({ kernel, at, fixture }) => {
    const client = modernClient(at(await kernel.agent(), '/box'));
    const call = (value: string, headers: Record<string, string>) =>
      client.ask('tools/call', { name: 'test_custom_header', arguments: { region: value } }, headers);
    assert.equal((await call('Zürich', {})).error?.code, -32020);
    assert.equal((await call('Zürich', { 'mcp-param-region': 'Basel' })).error?.code, -32020);
    assert.equal(
      (await call('Basel', { 'mcp-param-region': 'Basel', 'mcp-name': 'other' })).error?.code,
      -32020,
    );
    const coded = `=?base64?${Buffer.from('Zürich').toString('base64')}?=`;
    assert.match(textOf((await call('Zürich', { 'mcp-param-region': coded })).result), /In Zürich/);
    const sent = fixture.requests.filter(({ message }) => message.method === 'tools/call');
    assert.deepEqual(
      sent.map(({ headers }) => [headers['mcp-name'], headers['mcp-param-region']]),
      [['test_custom_header', coded]],
      'only what was right was sent on, in the same words',
    );
  }));

test('a resource is not asked for again while its server says that it stays, until a tool is called', () =>
  withServer(['modern'], async ({ kernel, at, fixture }) => {
    const [ann, bob] = [
      modernClient(at(await kernel.agent('ann'))),
      modernClient(at(await kernel.agent('bob'))),
    ];
    const read = async (client: Client) =>
      (await client.ask('resources/read', { uri: 'test://static-text' })).result;
    const asked = () => fixture.requests.filter(({ message }) => message.method === 'resources/read').length;
    const first = await read(ann);
    const again = await read(bob);
    assert.deepEqual(again?.contents, first?.contents);
    assert.ok(Number(again?.ttlMs) <= Number(first?.ttlMs));
    assert.equal(again?.cacheScope, 'private', 'others must ask mezz');
    assert.equal(asked(), 1);
    const { calls } = await kernel.control.call('calls', { limit: 100 });
    assert.equal(calls.filter(({ kind }) => kind === 'tool.call').length, 2, 'each is a call of its own');
    await ann.ask('tools/call', { name: 'box__test_simple_text' });
    await read(bob);
    assert.equal(asked(), 2);
  }));

test('a server that forgot its session is greeted anew, and the call that it never took is made once', () =>
  withServer(['earlier'], async ({ kernel, at, fixture }) => {
    const client = await earlierClient(at(await kernel.agent()));
    assert.match(
      textOf((await client.ask('tools/call', { name: 'box__test_simple_text' })).result),
      /simple text/,
    );
    fixture.forget();
    assert.match(
      textOf((await client.ask('tools/call', { name: 'box__test_simple_text' })).result),
      /simple text/,
    );
    const methods = fixture.requests.map(({ message }) => message.method);
    assert.equal(methods.filter((method) => method === 'initialize').length, 2);
  }));

test('a call whose server goes away meanwhile is in doubt; one to a server that is not there says so', () =>
  withServer(['modern'], async ({ kernel, at, fixture }) => {
    const client = modernClient(at(await kernel.agent()));
    await client.ask('tools/list', {});
    const lost = client.ask('tools/call', {
      name: 'box__test_tool_with_progress',
      _meta: { progressToken: 1 },
    });
    await fixture.until('tools/call');
    await fixture.close();
    assert.match(
      textOf((await lost).result),
      /box ended while test_tool_with_progress ran: it may or may not/,
    );
    const gone = await client.ask('tools/call', { name: 'box__test_simple_text' });
    assert.match(JSON.stringify(gone), /box at http:\S+ does not answer|There is no tool/);
  }));

test('a client withdraws its call as its era does: by a message, or by leaving; the older one that only leaves does not', () =>
  withServer('stdio', async ({ kernel, at }) => {
    const params = { name: 'box__test_endless' };
    const outcome = async (name: string, withdraw: (agent: Launch) => Promise<void>) => {
      const agent = await kernel.agent(name);
      await withdraw(agent);
      const { calls } = await settled(kernel.control, agent);
      return calls.map((call) => `${call.target} ${call.state}`);
    };
    const byMessage = await outcome('ann', async (agent) => {
      const client = await earlierClient(at(agent));
      const call = client.raw(at(agent), { id: 900, method: 'tools/call', params });
      await started('box/test_endless', kernel.control, agent);
      await client.raw(at(agent), {
        id: undefined,
        method: 'notifications/cancelled',
        params: { requestId: 900 },
      });
      await call;
    });
    assert.deepEqual(byMessage, ['box/test_endless in_doubt']);
    const leaves = async (client: Client, agent: Launch, tool: string) => {
      const cut = new AbortController();
      const left = client.ask('tools/call', { name: `box__${tool}` }, {}, cut.signal);
      await started(`box/${tool}`, kernel.control, agent);
      cut.abort();
      await assert.rejects(left);
    };
    const byLeaving = (agent: Launch) => leaves(modernClient(at(agent)), agent, 'test_endless');
    assert.deepEqual(await outcome('bob', byLeaving), ['box/test_endless in_doubt']);
    const justLeft = async (agent: Launch) => leaves(await earlierClient(at(agent)), agent, 'test_slow');
    assert.deepEqual(await outcome('cem', justLeft), ['box/test_slow done']);
  }));

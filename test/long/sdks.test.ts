/**
 * Unmodified programs of the vendors' SDKs against a real kernel: what they get, what they throw, how often they try
 * again, what is charged, and that no byte differs between what they sent and what the upstream got.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { parseJson } from '../../src/base/json.ts';
import { INTENT } from '../../src/db/schema/agents.ts';
import { TABLES } from '../../src/db/schema/index.ts';
import { openSqliteStore } from '../../src/db/sqlite/store.ts';
import { install, type Language, type Line, runClient } from '../sdks/clients.ts';
import { ANSWER, openWorld, TEXT, type World } from '../sdks/world.ts';
import type { Tapped } from '../upstream/tap.ts';

type Fault = 'rate' | 'fault' | 'cut' | 'dead' | 'unknown' | 'denied' | 'over';
interface Client {
  readonly script: string;
  readonly model: 'gpt-4o' | 'claude-sonnet-4-5';
  /** The class of what it throws for each fault. */
  readonly throws: Readonly<Record<Fault, string>>;
  /** How often it tries what may pass by itself. */
  readonly attempts: number;
  /** LangChain leaves rate limits to its caller. */
  readonly rateAttempts?: number;
  readonly more?: readonly ('embeddings' | 'models' | 'count')[];
}

const OPENAI: Client['throws'] = {
  rate: 'RateLimitError',
  fault: 'InternalServerError',
  cut: 'APIError',
  dead: 'InternalServerError',
  unknown: 'NotFoundError',
  denied: 'PermissionDeniedError',
  over: 'APIError',
};
const ANTHROPIC: Client['throws'] = { ...OPENAI, fault: 'OverloadedError', over: 'PaymentRequiredError' };
const AI_SDK: Client['throws'] = {
  rate: 'RetryError',
  fault: 'RetryError',
  cut: 'StreamProviderError',
  dead: 'RetryError',
  unknown: 'APICallError',
  denied: 'APICallError',
  over: 'APICallError',
};
const [GPT, CLAUDE] = ['gpt-4o', 'claude-sonnet-4-5'] as const;
const LANGCHAIN = { attempts: 2, rateAttempts: 1, throws: OPENAI };

const CLIENTS: readonly Client[] = [
  { script: 'openai-chat.js', model: GPT, throws: OPENAI, attempts: 3, more: ['embeddings', 'models'] },
  { script: 'openai-responses.js', model: GPT, throws: OPENAI, attempts: 3 },
  { script: 'anthropic.js', model: CLAUDE, throws: ANTHROPIC, attempts: 3, more: ['count', 'models'] },
  { script: 'ai-sdk-openai.js', model: GPT, throws: AI_SDK, attempts: 3, more: ['embeddings'] },
  { script: 'ai-sdk-anthropic.js', model: CLAUDE, throws: AI_SDK, attempts: 3 },
  { script: 'openai-agents.js', model: GPT, throws: OPENAI, attempts: 3 },
  { script: 'langchain-openai.js', model: GPT, ...LANGCHAIN, more: ['embeddings'] },
  { script: 'langchain-anthropic.js', model: CLAUDE, ...LANGCHAIN },
  { script: 'langgraph.js', model: GPT, ...LANGCHAIN },
  {
    script: 'openai_chat.py',
    model: GPT,
    throws: { ...OPENAI, over: 'APIStatusError' },
    attempts: 3,
    more: ['embeddings', 'models'],
  },
  {
    script: 'anthropic_messages.py',
    model: CLAUDE,
    throws: { ...ANTHROPIC, cut: 'APIStatusError' },
    attempts: 3,
    more: ['count', 'models'],
  },
];
/** What the message must say, whatever the SDK puts around it. */
const SAYS: Readonly<Record<Fault, RegExp>> = {
  rate: /scripted 429/,
  fault: /scripted 5(00|29)/,
  cut: /mezz: The upstream closed before its answer was complete/,
  dead: /mezz: The upstream closed before it answered/,
  unknown: /mezz: No backend serves the model \\?"mystery\\?"/,
  denied: /mezz: .*the test says so.*\[no-denied\]/,
  over: /mezz: The limit .* cannot cover this call.*mezz limit set/,
};
const STATUS: Readonly<Record<Fault, number | undefined>> = {
  rate: 429,
  fault: undefined,
  cut: undefined,
  dead: 502,
  unknown: 404,
  denied: 403,
  over: 402,
};

let world: World;
/** The models that have a whole name. */
let listed: readonly string[] = [];
const missing = new Map<Language, string | undefined>();
before(async () => {
  for (const language of ['js', 'py'] as const) missing.set(language, install(language));
  world = await openWorld();
  const { models } = await world.kernel.control.call('models', {});
  listed = models.map(({ name }) => name).filter((name) => !name.includes('*'));
});
after(() => world.close());

for (const client of CLIENTS) {
  describe(client.script, () => {
    test('answers, streams, tools, faults and refusals', async (t) => {
      if (skips(t, client)) return;
      const meeting = await meet(client, client.script.replace(/\W|_/g, '-'), tasksOf(client));
      checkAnswers(client, meeting);
      checkFaults(client, meeting);
      checkBytes(meeting);
      await checkCharges(meeting);
    });
    test('an exhausted budget is told once and not tried again', async (t) => {
      if (skips(t, client)) return;
      const name = `poor-${client.script.replace(/\W|_/g, '-')}`;
      const { lines, exchanges } = await meet(
        client,
        name,
        [
          ['plain', client.model],
          ['plain', client.model],
        ],
        1,
      );
      assert.equal(lines[0]?.got, TEXT);
      checkThrown(client, 'over', lines[1]);
      assert.deepEqual(
        exchanges.map(({ status }) => status),
        [200, 402],
      );
    });
  });
}

for (const denied of [false, true]) {
  test(`a LangGraph tool call is held and ${denied ? 'denied' : 'permitted'}, with no line of the program changed`, async (t) => {
    const client = CLIENTS.find(({ script }) => script === 'langgraph.js') as Client;
    if (skips(t, client)) return;
    const { control, upstream } = world.kernel;
    const name = denied ? 'graph-denied' : 'graph-held';
    const launch = await world.agent(name);
    await control.call('agent.hold', { agent: name, on: true });
    const from = upstream.requests.length;
    const [line] = await runClient(client.script, launch, [['tools', `${GPT}-tools`]]);
    assert.deepEqual(line?.got, { text: ANSWER, ran: denied ? [] : [{ a: 2, b: 3 }] });
    const told = /the test says so.*\[no-tools\]/.test(upstream.requests[from + 1]?.body.toString() ?? '');
    assert.equal(told, denied, 'the model is told of a denial alone');
    const { agent } = await control.call('agent.show', { agent: name });
    assert.deepEqual(agent.coverage, { level: 'held', seen: 1, decided: 1 });
    const { calls } = await control.call('calls', { agent: name });
    assert.deepEqual(calls.map(({ kind, state }) => `${kind} ${state}`).sort(), [
      'model.generate done',
      'model.generate done',
      `tool.call ${denied ? 'refused' : 'done'}`,
    ]);
  });
}

test('a LangGraph tool call is seen, and joined with its result, with no line of the program changed', async (t) => {
  const client = CLIENTS.find(({ script }) => script === 'langgraph.js') as Client;
  if (skips(t, client)) return;
  const { agent } = await meet(client, 'graph', [['tools', `${GPT}-tools`]]);
  const { agent: view } = await world.kernel.control.call('agent.show', { agent });
  assert.deepEqual(view.coverage, { level: 'seen', seen: 1, decided: 0 });
  await world.kernel.stop();
  const store = await openSqliteStore({ directory: world.kernel.stateDir, tables: TABLES });
  const intents = await store.range(INTENT, { prefix: [view.pid], limit: 10 });
  await store.close();
  assert.deepEqual(
    intents.map(({ tool, state }) => [tool, state]),
    [['add', 'done']],
  );
});

function skips(t: TestContext, client: Client): boolean {
  const why = missing.get(client.script.endsWith('.py') ? 'py' : 'js');
  if (why !== undefined) t.skip(why);
  return why !== undefined;
}

const faultOf = (client: Client): string => `${client.model}-${client.model === CLAUDE ? 529 : 500}`;

function tasksOf(client: Client): [task: string, model: string][] {
  const { model } = client;
  const more = (client.more ?? []).map((task): [string, string] => [
    task,
    task === 'embeddings' ? 'text-embedding-3-small' : `${model}-${task}`,
  ]);
  return [
    ['plain', model],
    ['stream', `${model}-stream`],
    ['tools', `${model}-tools`],
    ['plain', `${model}-429once`],
    ['plain', `${model}-429`],
    ['plain', `${faultOf(client)}once`],
    ['plain', faultOf(client)],
    ['stream', `${model}-cut`],
    ['plain', `${model}-dead`],
    ['plain', 'mystery'],
    ['plain', `${model}-denied`],
    ...more,
  ];
}

interface Meeting {
  readonly agent: string;
  readonly lines: readonly Line[];
  /** What passed between the program and the kernel. */
  readonly exchanges: readonly Tapped[];
  /** Where the upstream's requests of this meeting begin. */
  readonly from: number;
}

async function meet(
  client: Client,
  name: string,
  tasks: readonly [string, string][],
  requests?: number,
): Promise<Meeting> {
  const launch = await world.agent(name);
  if (requests !== undefined) {
    const limit = { dimension: 'requests', period: 'total', cap: requests } as const;
    await world.kernel.control.call('limit.set', { scope: `agent:${launch.name}`, ...limit });
  }
  const [first, from] = [world.tap.exchanges.length, world.kernel.upstream.requests.length];
  const lines = await runClient(client.script, launch, tasks);
  assert.equal(lines.length, tasks.length);
  return { agent: launch.name, lines, exchanges: world.tap.exchanges.slice(first), from };
}

const modelOf = (exchange: Tapped): unknown =>
  (parseJson(exchange.sent.toString()) as { model?: unknown } | undefined)?.model;
const statusesOf = ({ exchanges }: Meeting, model: string): number[] =>
  exchanges.filter((exchange) => modelOf(exchange) === model).map(({ status }) => status);

function checkAnswers(client: Client, meeting: Meeting): void {
  const got = (model: string) => meeting.lines.find((line) => line.model === model)?.got;
  const { model } = client;
  assert.equal(got(model), TEXT);
  assert.equal(got(`${model}-stream`), TEXT);
  assert.deepEqual(got(`${model}-tools`), { text: ANSWER, ran: [{ a: 2, b: 3 }] });
  assert.deepEqual(statusesOf(meeting, `${model}-tools`), [200, 200]);
  const more: Readonly<Record<string, unknown>> = {
    'text-embedding-3-small': [0.5, -0.5],
    [`${model}-models`]: listed,
    [`${model}-count`]: true,
  };
  for (const [name, expected] of Object.entries(more))
    if (meeting.lines.some((line) => line.model === name)) assert.deepEqual(got(name), expected);
}

function checkFaults(client: Client, meeting: Meeting): void {
  const { model, attempts, rateAttempts = attempts } = client;
  const fault = faultOf(client);
  const status = model === CLAUDE ? 529 : 500;
  const line = (name: string) => meeting.lines.find((one) => one.model === name);
  const tries = (name: string, count: number, each: number) =>
    assert.deepEqual(statusesOf(meeting, name), Array(count).fill(each), name);
  if (rateAttempts > 1) {
    assert.equal(line(`${model}-429once`)?.got, TEXT);
    assert.deepEqual(statusesOf(meeting, `${model}-429once`), [429, 200]);
  } else checkThrown(client, 'rate', line(`${model}-429once`));
  checkThrown(client, 'rate', line(`${model}-429`));
  tries(`${model}-429`, rateAttempts, 429);
  assert.equal(line(`${fault}once`)?.got, TEXT);
  assert.deepEqual(statusesOf(meeting, `${fault}once`), [status, 200]);
  checkThrown(client, 'fault', line(fault));
  tries(fault, attempts, status);
  checkThrown(client, 'cut', line(`${model}-cut`));
  tries(`${model}-cut`, 1, 200);
  checkThrown(client, 'dead', line(`${model}-dead`));
  tries(`${model}-dead`, attempts, 502);
  checkThrown(client, 'unknown', line('mystery'));
  tries('mystery', 1, 404);
  checkThrown(client, 'denied', line(`${model}-denied`));
  tries(`${model}-denied`, 1, 403);
}

function checkThrown(client: Client, fault: Fault, line: Line | undefined): void {
  const thrown = line?.thrown;
  assert.ok(thrown, `${fault}: ${JSON.stringify(line)}`);
  assert.equal(thrown.name, client.throws[fault], thrown.message);
  assert.match(thrown.message, SAYS[fault]);
  if (STATUS[fault] !== undefined) assert.equal(thrown.status, STATUS[fault]);
}

/** The upstream got what the program sent, and the program got what the upstream sent, unless a transform is named. */
function checkBytes({ exchanges, from }: Meeting): void {
  const { requests, answers } = world.kernel.upstream;
  const reached = exchanges.filter(({ method, status }) => method === 'POST' && ![403, 404].includes(status));
  assert.equal(reached.length, requests.length - from);
  for (const [at, exchange] of reached.entries()) {
    const [request, answer] = [requests[from + at], answers[from + at]] as const;
    assert.ok(request && answer);
    const named = exchange.headers['x-mezz-transforms'];
    if (named !== undefined) {
      assert.equal(named, 'usage');
      const { stream_options: _added, ...rest } = request.json;
      assert.deepEqual(rest, parseJson(exchange.sent.toString()));
      continue;
    }
    assert.ok(request.body.equals(exchange.sent), 'the request is not changed by a byte');
    const model = String(request.json.model);
    if (model.endsWith('-dead')) continue;
    if (!model.endsWith('-cut')) assert.ok(exchange.received.equals(answer), 'nor is the answer');
    else {
      const { received } = exchange;
      const shared = Math.max(received.lastIndexOf('event: error'), received.lastIndexOf('data: {"error"'));
      assert.ok(shared > 0 && answer.subarray(0, shared).equals(exchange.received.subarray(0, shared)));
    }
  }
}

/** Every answer that came whole is one call that is charged; failed attempts cost nothing, a partial answer what it told. */
async function checkCharges({ agent, exchanges }: Meeting): Promise<void> {
  const { calls } = await world.kernel.control.call('calls', { agent, limit: 200 });
  const whole = exchanges.filter(
    ({ method, status, received }) =>
      method === 'POST' && status === 200 && !/upstream_cut|closed before/.test(received.toString()),
  );
  const done = calls.filter(({ state, kind }) => state === 'done' && kind !== 'tool.call');
  assert.equal(done.length, whole.length);
  const failed = calls.filter(({ state }) => state !== 'done');
  for (const { code, cost, usage } of failed)
    if (code !== 'upstream_cut') assert.ok(!cost && !usage?.output, `${code} costs nothing`);
  const { agent: view } = await world.kernel.control.call('agent.show', { agent });
  const sum = calls.reduce((total, call) => total + (call.cost ?? 0), 0);
  assert.equal(view.cost, sum, 'each call is charged once');
}

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralDialect } from '../../base/model.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { CODECS } from '../../wire/translate.ts';
import { systemClock } from '../clock.ts';
import { type LabEnd, LabEngine } from './engine.ts';
import { LAB_DEFAULTS, type LabOptions } from './options.ts';
import type { LabReply, LabScript } from './script.ts';
import { openLab } from './server.ts';

const TOOL = { name: 'read', input_schema: { type: 'object' } };

function asking(text: string, more: JsonRecord = {}): NeutralRequest {
  return CODECS.anthropic.decodeRequest({
    model: 'lab',
    max_tokens: 1000,
    stream: true,
    tools: [TOOL],
    messages: [{ role: 'user', content: text }],
    ...more,
  });
}

/** Serves requests that arrive at once, in virtual time. */
async function serveAll(options: Partial<LabOptions>, requests: readonly NeutralRequest[]) {
  const clock = new VirtualClock(0);
  const engine = new LabEngine({ ...LAB_DEFAULTS, ...options }, clock);
  const runs = requests.map((request) => {
    const run: { events: NeutralEvent[]; firstAt: number; endAt: number; end: LabEnd | undefined } = {
      events: [],
      firstAt: -1,
      endAt: -1,
      end: undefined,
    };
    const emit = (event: NeutralEvent) => {
      if (run.events.length === 0) run.firstAt = clock.now();
      run.events.push(event);
    };
    const done = engine.serve(request, emit, new AbortController().signal).then((end) => {
      run.end = end;
      run.endAt = clock.now();
    });
    return { run, done };
  });
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    const due = clock.nextDue();
    if (due === undefined) break;
    clock.advanceTo(due);
  }
  await Promise.all(runs.map(({ done }) => done));
  return runs.map(({ run }) => run);
}

const textOf = (events: readonly NeutralEvent[]): string =>
  events.map((event) => (event.kind === 'delta' ? event.text : '')).join('');
const usageOf = (events: readonly NeutralEvent[]) => events.find((event) => event.kind === 'end')?.usage;

describe('the lab in virtual time', () => {
  test('the same requests get the same answers at the same times, and every answer says that it is the lab', async () => {
    const requests = ['one', 'two', 'three'].map((text) => asking(text));
    const first = await serveAll({}, requests);
    assert.deepEqual(await serveAll({}, requests), first);
    for (const { events } of first) assert.match(textOf(events), /^\[lab\] /);
    assert.notEqual(textOf(first[0]?.events ?? []), textOf(first[1]?.events ?? []));
  });

  test('reads and writes at its rates; a remembered prefix is not read again', async () => {
    const options = { prefillRate: 1000, decodeRate: 100, slots: 1 };
    const ask = asking(`${'x'.repeat(40_000)}\n@lab say 50`);
    const [cold, warm] = await serveAll(options, [ask, ask]);
    const usage = usageOf(cold?.events ?? []);
    assert.ok(usage && cold && warm);
    assert.equal(cold.firstAt, usage.input);
    const writing = (run: typeof cold) => run.endAt - run.firstAt;
    assert.ok(Math.abs(writing(cold) - usage.output * 10) <= 10, String(writing(cold)));
    assert.equal(writing(warm), writing(cold));
    assert.equal(usageOf(warm.events)?.cacheRead, usage.input);
    assert.equal(warm.firstAt, cold.endAt, 'nothing is left to read');
  });

  test('a cache that is too small forgets what was used least recently', async () => {
    const asks = ['a', 'b', 'a'].map((letter) => asking(letter.repeat(4000)));
    const [, , again] = await serveAll({ cacheTokens: 1500, slots: 1 }, asks);
    assert.ok((usageOf(again?.events ?? [])?.cacheRead ?? 0) < 100);
  });

  test('has so many slots: the rest waits in order, or is turned away', async () => {
    const asks = Array.from({ length: 5 }, (_, i) => asking(`${i}`));
    const queued = await serveAll({ slots: 2 }, asks);
    const ends = queued.map((run) => run.endAt);
    assert.ok(queued.every((run) => run.end?.kind === 'done'));
    assert.ok((queued[4]?.firstAt ?? 0) >= [...ends].sort((a, b) => a - b)[2]!);
    const turned = await serveAll({ slots: 2, whenBusy: 'reject' }, asks);
    assert.deepEqual(
      turned.map((run) => run.end?.kind),
      ['done', 'done', 'refused', 'refused', 'refused'],
    );
  });

  test('keeps its rate limit, and says how long to wait', async () => {
    const runs = await serveAll(
      { requestsPerMinute: 2, slots: 9 },
      ['a', 'b', 'c'].map((text) => asking(text)),
    );
    const last = runs[2]?.end;
    assert.ok(last?.kind === 'refused' && last.status === 429);
    assert.equal(last.retryAfterMs, 30_000);
  });

  test('fails in the shares it was told, the same ones each time', async () => {
    const asks = Array.from({ length: 400 }, (_, i) => asking(`${i}`));
    const failures = { status: { code: 503, share: 0.25 }, cut: 0.25, malformed: 0.25 };
    const kinds = async () => (await serveAll({ failures, slots: 400 }, asks)).map((run) => run.end?.kind);
    const first = await kinds();
    for (const kind of ['refused', 'cut', 'malformed', 'done'] as const) {
      const count = first.filter((other) => other === kind).length;
      assert.ok(count > 60 && count < 140, `${kind} ${count}`);
    }
    assert.deepEqual(await kinds(), first);
  });

  test('calls the tool it is told to call, once, and stops at the bound on its output', async () => {
    const told = '@lab call read {"path":"x"}';
    const after = {
      messages: [
        { role: 'user', content: told },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'read', input: { path: 'x' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c', content: 'forty-two' }] },
      ],
    };
    const [call, answer, cut] = await serveAll({}, [
      asking(told),
      asking('', after),
      asking('@lab say 100', { max_tokens: 10 }),
    ]);
    const opened = call?.events.find((event) => event.kind === 'open' && event.part.kind === 'call');
    assert.ok(opened?.kind === 'open' && opened.part.kind === 'call' && opened.part.name === 'read');
    assert.match(textOf(answer?.events ?? []), /forty-two/);
    const end = cut?.events.at(-1);
    assert.ok(end?.kind === 'end' && end.stop === 'length' && end.usage.output <= 10);
  });
});

describe('the lab on the wire', () => {
  const FAST = { ...LAB_DEFAULTS, prefillRate: 1e6, decodeRate: 1e6 };
  const PATHS: Readonly<Record<NeutralDialect, string>> = {
    anthropic: '/v1/messages',
    'openai-chat': '/v1/chat/completions',
    'openai-responses': '/v1/responses',
  };
  const BODIES: Readonly<Record<NeutralDialect, JsonRecord>> = {
    anthropic: { max_tokens: 99, messages: [{ role: 'user', content: 'hi' }] },
    'openai-chat': { messages: [{ role: 'user', content: 'hi' }] },
    'openai-responses': { input: 'hi' },
  };

  async function withLab(options: LabOptions, run: (post: Post) => Promise<void>, script?: LabScript) {
    const lab = await openLab(options, systemClock, script);
    try {
      await run((path, body) =>
        fetch(lab.origin + path, { method: 'POST', body: JSON.stringify({ model: 'lab', ...body }) }),
      );
    } finally {
      await lab.close();
    }
  }
  type Post = (path: string, body: JsonRecord) => Promise<Response>;
  const jsonOf = async (response: Response) => JSON.parse(await response.text());

  test('answers in three dialects, streamed and not, with the same words', () =>
    withLab(FAST, async (post) => {
      for (const [name, path] of Object.entries(PATHS)) {
        const dialect = DIALECTS[name as NeutralDialect];
        const whole = await post(path, BODIES[name as NeutralDialect]);
        assert.equal(whole.headers.get('x-mezz-lab'), 'this is no model');
        const body = Buffer.from(await whole.arrayBuffer());
        assert.match(body.toString(), /\[lab\]/);
        const streamed = await post(path, {
          ...BODIES[name as NeutralDialect],
          stream: true,
          ...(name === 'openai-chat' ? { stream_options: { include_usage: true } } : {}),
        });
        const machine = dialect.newStream();
        machine.push(Buffer.from(await streamed.arrayBuffer()));
        const end = machine.finish();
        assert.equal(end.kind, 'complete', name);
        assert.equal(end.facts.usage?.output, dialect.readResponse(body)?.usage?.output);
        assert.ok((end.facts.usage?.cacheRead ?? 0) > 0, 'asked twice, read once');
      }
    }));

  test('limits and failures look like those of hosted APIs', async () => {
    await withLab({ ...FAST, requestsPerMinute: 1 }, async (post) => {
      const first = await post(PATHS.anthropic, BODIES.anthropic);
      assert.equal(first.headers.get('anthropic-ratelimit-requests-remaining'), '0');
      await first.text();
      const second = await post(PATHS['openai-chat'], BODIES['openai-chat']);
      assert.equal(second.status, 429);
      assert.equal(second.headers.get('retry-after'), '60');
      assert.equal((await jsonOf(second)).error.type, 'rate_limit_error');
    });
    await withLab({ ...FAST, failures: { cut: 1 } }, async (post) => {
      const whole = async () => (await post(PATHS.anthropic, { ...BODIES.anthropic, stream: true })).text();
      await assert.rejects(whole());
    });
  });

  test('a script answers, fails and breaks; what it leaves is left to the model, and all is labelled', async () => {
    const paces: number[] = [];
    const ends: boolean[] = [];
    const usage = { input: 3, cacheRead: 0, cacheWrite: 0, output: 2, reasoning: 0 };
    const parts = [{ kind: 'text', text: 'As told.', extras: {} }] as const;
    const answer = { id: 'one', parts, stop: 'end', usage } as const;
    const script: LabScript = (request) => {
      const replies: Readonly<Record<string, LabReply>> = {
        says: { answer },
        paced: { answer, chunkBytes: 100, pace: async (write) => paces.push(write) },
        fails: { status: 503, message: 'Out.', headers: { 'retry-after': '4' } },
        raw: { raw: { body: [Buffer.from('{"raw"'), Buffer.from(':1}')], type: 'application/json' } },
        cut: { answer, cut: 40, closed: (whole) => ends.push(whole) },
        malformed: { answer, malformed: true },
      };
      return replies[String(request.json()?.model)];
    };
    const ask = (post: Post, name: NeutralDialect, model: string, stream = false) =>
      post(PATHS[name], { ...BODIES[name], model, stream });
    const talk = async (post: Post) => {
      for (const name of Object.keys(PATHS) as NeutralDialect[]) {
        const said = await ask(post, name, 'says');
        assert.equal(said.headers.get('x-mezz-lab'), 'this is no model');
        assert.match(await said.text(), /As told\./);
        const paced = await (await ask(post, name, 'paced', true)).arrayBuffer();
        const machine = DIALECTS[name].newStream();
        machine.push(Buffer.from(paced));
        assert.equal(machine.finish().kind, 'complete');
        const failed = await ask(post, name, 'fails');
        assert.deepEqual([failed.status, failed.headers.get('retry-after')], [503, '4']);
        assert.equal((await jsonOf(failed)).error.message, 'Out.');
        assert.deepEqual(await jsonOf(await ask(post, name, 'raw')), { raw: 1 });
        await assert.rejects(async () => (await ask(post, name, 'cut', true)).text());
        assert.match(await (await ask(post, name, 'malformed', true)).text(), /nonsense/);
        assert.match(await (await ask(post, name, 'other')).text(), /\[lab\]/);
      }
    };
    await withLab(FAST, talk, script);
    assert.ok(paces.length > 6 && paces[0] === 0 && paces[1] === 1);
    assert.deepEqual(ends, [false, false, false]);
  });

  test('counts, embeds, lists, and refuses in the dialect that was spoken', () =>
    withLab(FAST, async (post) => {
      const counted = await jsonOf(await post('/v1/messages/count_tokens', BODIES.anthropic));
      assert.ok(counted.input_tokens > 0);
      const { data } = await jsonOf(await post('/v1/embeddings', { input: ['a', 'b', 'a'] }));
      const near = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
      assert.ok(Math.abs(near(data[0].embedding, data[2].embedding) - 1) < 1e-9);
      assert.ok(near(data[0].embedding, data[1].embedding) < 0.9);
      const refused = await post(PATHS.anthropic, { messages: 5, model: 7 } as unknown as JsonRecord);
      assert.equal(refused.status, 400);
      assert.equal((await jsonOf(refused)).type, 'error');
      assert.equal((await post('/v1/other', {})).status, 404);
    }));
});

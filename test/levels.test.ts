/** How far calls of a backend can be preempted: built in, tried by calls like all others, or told without asking. */
import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';
import { isRecord } from '../src/base/json.ts';
import { runHere } from '../src/cli/fixture.test.ts';
import { startKernel, type TestKernel } from './kernel.ts';

const SETTINGS = `
  'named': { backends: [chat-only], alias: chat-real, price: free }
`;

/** One that begins anew whatever it is asked, in as many words as it may have. */
const countingTo = (most: unknown): string =>
  Array.from({ length: Math.min(24, Number(most)) }, (_, i) => `word${i}`).join(' ');

describe('the level of a backend', () => {
  let kernel: TestKernel;
  let refuses = false;
  const mezz = (...argv: string[]) => runHere(kernel.stateDir, 'backend', ...argv);
  const levelOf = async (id: string) => {
    const { backends } = await kernel.control.call('backends', {});
    return backends.find((one) => one.id === id)?.preemption;
  };
  before(async () => {
    // As the newest Claude models do.
    kernel = await startKernel(({ json }) => {
      const last = Array.isArray(json.messages) ? json.messages.at(-1) : undefined;
      return refuses && isRecord(last) && last.role === 'assistant'
        ? { status: 400 }
        : { text: countingTo(json.max_tokens) };
    }, SETTINGS);
  });
  after(() => kernel.close());

  test('is tried by three calls in each dialect that are recorded as all are, and kept across a restart', async () => {
    assert.deepEqual([(await levelOf('lab'))?.allows, (await levelOf('lab'))?.triedAt], ['G2', null]);
    const tried = await mezz('try', 'lab');
    assert.deepEqual([tried.code, tried.err], [0, '']);
    assert.match(tried.out, /would allow G3: .*goes on from what it said/);
    for (const dialect of ['', 'In Messages: '])
      assert.match(
        tried.out,
        new RegExp(
          `${dialect}tried: it went on with the words the answer had; \\d+ of \\d+ tokens were cached`,
        ),
      );
    const { calls } = await kernel.control.call('calls', { agent: 'trial' });
    assert.deepEqual(
      calls.map(({ code }) => code),
      [null, 'cancelled', null, null, 'cancelled', null],
    );
    await kernel.restart();
    assert.deepEqual([(await levelOf('lab'))?.level, (await levelOf('lab'))?.allows], ['G1', 'G3']);
    assert.match((await mezz('ls')).out, /^lab .* G1 \(allows G3\)/m);
    await kernel.agent('asks');
    const { guarantees } = await kernel.control.call('agent.show', { agent: 'asks' });
    assert.ok(guarantees.some((line) => /preemption of calls at lab: G1 \(tried: it went on/.test(line)));
  });

  test('is tried by itself where nobody did, once for each address, and where tokens are charged never', async () => {
    const asked = () => kernel.upstream.requests.filter(({ method }) => method === 'POST').length;
    const before = asked();
    const reload = () => runHere(kernel.stateDir, 'config', 'reload');
    const first = await reload();
    assert.equal(first.code, 0);
    assert.match(first.out, /^scripted was tried: G1 \(allows G2\): /m);
    assert.doesNotMatch(first.out, /^(lab|engine|anthropic|openai)\b/m);
    const once = asked();
    assert.ok(once > before);
    assert.doesNotMatch((await reload()).out, /was tried/);
    assert.equal(asked(), once);
  });

  test('is no more than what was seen: one that begins anew does not go on', async () => {
    const tried = await mezz('try', 'chat-only');
    assert.deepEqual([tried.code, tried.err], [0, '']);
    assert.notEqual((await levelOf('chat-only'))?.triedAt, null);
    assert.equal((await levelOf('chat-only'))?.allows, 'G2');
  });

  test('is tried in Messages where that is what it speaks: one that refuses a last message of the assistant does not go on', async () => {
    assert.equal((await mezz('try', 'messages-only')).code, 0);
    assert.match(
      (await levelOf('messages-only'))?.why ?? '',
      /^In Messages: tried: it went on with other words/,
    );
    refuses = true;
    const tried = await mezz('try', 'messages-only');
    refuses = false;
    assert.deepEqual([tried.code, tried.err], [0, '']);
    const level = await levelOf('messages-only');
    assert.match(
      level?.why ?? '',
      /^In Messages: tried: it refuses to go on with an answer that was broken off$/,
    );
    assert.deepEqual([level?.level, level?.allows], ['G1', 'G2']);
  });

  test('is built in at the engine, and told without a call where tokens are charged', async () => {
    assert.deepEqual([(await levelOf('engine'))?.level, (await levelOf('engine'))?.allows], ['G5', 'G5']);
    const tried = await mezz('try', 'anthropic');
    assert.equal(tried.code, 2);
    assert.match(tried.err, /charges for tokens: nothing is tried there/);
    const shown = await mezz('show', 'anthropic');
    assert.match(
      shown.out,
      /preemption +G1: .*\n.*would allow G2.*\n.*nothing was tried, as tokens are charged/,
    );
  });
});

/** Streams that end at any byte, through the whole kernel: the client gets whole events, one error event, never an end. */
import assert from 'node:assert/strict';
import type { Launch } from '../../src/base/control.ts';
import { isRecord, parseJson } from '../../src/base/json.ts';
import { send, startKernel, type TestKernel } from '../kernel.ts';

const AT_ONCE = 4;
const ASKS: Readonly<Record<string, { readonly body: string; readonly end: RegExp }>> = {
  '/v1/messages': {
    body: '{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}',
    end: /message_stop/,
  },
  '/v1/chat/completions': {
    body: '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}',
    end: /\[DONE\]/,
  },
  '/v1/responses': { body: '{"model":"gpt-x","stream":true,"input":"hi"}', end: /response\.completed/ },
};
export const STREAMED = Object.keys(ASKS);

/** Cuts the answer of `path` at the bytes that `choose` names of the whole answer; returns how many cuts were made. */
export async function cutEverywhere(
  path: string,
  choose: (whole: Buffer) => Iterable<number>,
): Promise<number> {
  const { body } = ASKS[path] as { readonly body: string };
  const answer = {
    id: 'one',
    text: 'Grüße 🌍',
    tools: [{ name: 'Bash', args: { command: 'ls' }, id: 't1' }],
  };
  // The request says where to cut: many are under way at once.
  const kernel = await startKernel(({ headers }) => {
    const at = headers['x-cut'];
    return at === undefined ? answer : { ...answer, cut: Number(at) };
  });
  try {
    const agent = await kernel.agent();
    const whole = (await send(`${agent.origin}${path}`, body, { 'x-mezz-key': agent.token })).body;
    const points = [...choose(whole)];
    const worker = async () => {
      for (let cut = points.pop(); cut !== undefined; cut = points.pop())
        await cutAt(agent, path, whole, cut);
    };
    const count = points.length;
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await checkJournal(kernel, count);
    return count;
  } finally {
    await kernel.close();
  }
}

async function cutAt(agent: Launch, path: string, whole: Buffer, cut: number): Promise<void> {
  const { body: same, end } = ASKS[path] as { readonly body: string; readonly end: RegExp };
  // Many calls that are all the same would be a loop, and a person would be asked.
  const body = same.replace('hi', `hi ${cut}`);
  const headers = { 'x-mezz-key': agent.token, 'x-cut': String(cut) };
  const reply = await send(`${agent.origin}${path}`, body, headers);
  const where = `${path} cut at ${cut}: ${reply.body}`;
  assert.equal(reply.status, 200, where);
  const events = reply.body.toString().split('\n\n');
  assert.equal(events.pop(), '', where);
  const error = events.pop() ?? '';
  const passed = events.map((event) => `${event}\n\n`).join('');
  assert.ok(passed.length <= cut && undated(whole.toString()).startsWith(undated(passed)), where);
  assert.doesNotMatch(passed, end, where);
  assert.ok(isError(error), where);
  assert.equal(events.filter(isError).length, 0, where);
}

/** The two answers may be of different seconds. */
const undated = (text: string): string => text.replaceAll(/"created(_at)?":\d+/g, '"created":0');

function isError(event: string): boolean {
  const data = parseJson(event.replace(/^(event: error\n)?data: /, ''));
  return isRecord(data) && isRecord(data.error) && /^mezz: /.test(String(data.error.message));
}

/** Each cut is one call that failed, and all that is stored fits together. */
async function checkJournal({ control }: TestKernel, cuts: number): Promise<void> {
  const { calls } = await control.call('calls', { state: 'failed', limit: 1000 });
  assert.equal(calls.length, Math.min(cuts, 1000));
  assert.ok(calls.every(({ code }) => code === 'upstream_cut'));
  assert.deepEqual((await control.call('audit.verify', {})).problems, []);
  assert.deepEqual((await control.call('fsck', {})).problems, []);
}

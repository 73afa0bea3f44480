/**
 * The model API behind every subject: a lab whose script answers with bytes made beforehand. Messages and Chat
 * Completions, 0.8 kB at once, or for `"stream":true` 200 chunks of the latter; one every 5 ms where the request says
 * "paced", else as fast as they go. No body is parsed: it does as little as a server can.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { systemClock } from '../../src/drivers/clock.ts';
import { LAB_DEFAULTS } from '../../src/drivers/lab/options.ts';
import type { LabReply } from '../../src/drivers/lab/script.ts';
import { openLab } from '../../src/drivers/lab/server.ts';

const CHUNKS = 200;
const PACE_MS = 5;
const usage = { prompt_tokens: 120, completion_tokens: 200, total_tokens: 320 };
const common = { id: 'chatcmpl-0123456789', created: 1_700_000_000, model: 'gpt-bench' };
const whole = {
  ...common,
  object: 'chat.completion',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'word '.repeat(110) }, finish_reason: 'stop' },
  ],
  usage,
};
const message = {
  id: 'msg_0123456789',
  type: 'message',
  role: 'assistant',
  model: 'claude-bench',
  content: [{ type: 'text', text: 'word '.repeat(110) }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 120, output_tokens: 200 },
};
const chunk = (choices: object[], more = {}) =>
  Buffer.from(
    `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...more })}\n\n`,
  );
const words = Array.from({ length: CHUNKS - 2 }, (_, i) =>
  chunk([{ index: 0, delta: { content: `word ${i} ` }, finish_reason: null }]),
);
const events = [
  ...words,
  chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { usage }),
  Buffer.from('data: [DONE]\n\n'),
];

function atOnce(value: object): LabReply {
  const body = Buffer.from(JSON.stringify(value));
  return { raw: { body, type: 'application/json' }, headers: { 'content-length': String(body.length) } };
}
const CHAT = atOnce(whole);
const MESSAGES = atOnce(message);
const streamed = { body: events, type: 'text/event-stream' };
const BURST: LabReply = { raw: streamed, pace: (write) => (write === 0 ? undefined : setImmediate()) };
const SLOW: LabReply = { raw: streamed, pace: (write) => (write === 0 ? undefined : setTimeout(PACE_MS)) };
const STREAM = Buffer.from('"stream":true');
const PACED = Buffer.from('paced');

const lab = await openLab(LAB_DEFAULTS, systemClock, ({ body, url }) => {
  if (body.includes(STREAM)) return body.includes(PACED) ? SLOW : BURST;
  return url.includes('/messages') ? MESSAGES : CHAT;
});
process.send?.({ origin: lab.origin });

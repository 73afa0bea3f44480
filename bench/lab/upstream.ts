/**
 * The model API behind every subject: Messages and Chat Completions, 0.8 kB at once, or for `"stream":true` 200 chunks of
 * the latter; one every 5 ms where the request says "paced", else as fast as they go. It does as little as it can.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CHUNKS = 200;
const usage = { prompt_tokens: 120, completion_tokens: 200, total_tokens: 320 };
const common = { id: 'chatcmpl-0123456789', created: 1_700_000_000, model: 'gpt-bench' };
const whole = Buffer.from(
  JSON.stringify({
    ...common,
    object: 'chat.completion',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'word '.repeat(110) }, finish_reason: 'stop' },
    ],
    usage,
  }),
);
const message = Buffer.from(
  JSON.stringify({
    id: 'msg_0123456789',
    type: 'message',
    role: 'assistant',
    model: 'claude-bench',
    content: [{ type: 'text', text: 'word '.repeat(110) }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 120, output_tokens: 200 },
  }),
);
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
const STREAM = Buffer.from('"stream":true');
const PACED = Buffer.from('paced');

async function stream(response: ServerResponse, paceMs: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) {
    if (response.destroyed) return;
    response.write(event);
    await new Promise((resolve) => (paceMs > 0 ? setTimeout(resolve, paceMs) : setImmediate(resolve)));
  }
  response.end();
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (part: Buffer) => chunks.push(part));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    if (body.includes(STREAM)) return void stream(response, body.includes(PACED) ? 5 : 0);
    const answer = request.url?.includes('/messages') ? message : whole;
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);

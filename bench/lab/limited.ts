/**
 * A model API with a rate limit as hosted ones keep it: so many requests a second out of a bucket that holds one second's
 * worth, 429 with the whole seconds until there is room again; every answer takes the same time. Says how many requests
 * it took and turned away.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [perSecond = 20, serviceMs = 200] = process.argv.slice(2).map(Number);
let level = perSecond;
let at = performance.now();
let taken = 0;
let refused = 0;

const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
const message = { role: 'assistant', content: 'Done.' };
const answer = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'gpt-bench',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage,
  }),
);
const limit = Buffer.from(
  '{"error":{"message":"Rate limit reached.","type":"requests","code":"rate_limit_exceeded"}}',
);

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const now = performance.now();
    level = Math.min(perSecond, level + ((now - at) * perSecond) / 1000);
    at = now;
    if (level < 1) {
      refused++;
      const seconds = Math.max(1, Math.ceil((1 - level) / perSecond));
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': String(seconds) });
      return void response.end(limit);
    }
    level--;
    taken++;
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
      response.end(answer);
    }, serviceMs);
  });
});
process.on('message', (asked) => {
  if (asked !== 'counts') return;
  process.send?.({ counts: { taken, refused } });
  [taken, refused] = [0, 0];
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);

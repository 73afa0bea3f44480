/**
 * A server that answers as llama-server does where an answer goes on by token ids: it tells the id of each token and how
 * many there are when it is asked, makes prompts of messages, and goes on from a prompt of text and ids.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JsonRecord, parseJson } from '../../src/base/json.ts';

export interface FakeLlama {
  readonly origin: string;
  /** What was asked, in order: the path and the body. */
  readonly asked: { readonly path: string; readonly body: JsonRecord }[];
  /** The words of its answer, a token each. */
  readonly words: readonly string[];
  close(): Promise<void>;
}

const PROMPT_TOKENS = 20;
const CACHED_AT_FIRST = 7;
const FIRST_ID = 1000;
const STEP_MS = 3;

/** `hides`: the token it tells nothing of, as of the first half of a character. `refuses`: it takes no ids. */
export async function openLlama(options: { hides?: number; refuses?: boolean } = {}): Promise<FakeLlama> {
  const asked: FakeLlama['asked'] = [];
  const words = Array.from({ length: 120 }, (_, at) => ` word${at}`);
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = parseJson(Buffer.concat(parts).toString()) as JsonRecord;
    const path = request.url ?? '';
    asked.push({ path, body });
    if (path === '/apply-template') return response.end(JSON.stringify({ prompt: promptOf(body) }));
    const ids = Array.isArray(body.prompt) ? (body.prompt.slice(1) as number[]) : [];
    if (path === '/v1/completions' && options.refuses) return response.writeHead(400).end('{}');
    await write(response, path === '/v1/completions', body, ids);
  };
  const write = async (response: ServerResponse, isRaw: boolean, body: JsonRecord, ids: number[]) => {
    const messages = (body.messages ?? []) as JsonRecord[];
    const said = messages.at(-1)?.role === 'assistant' ? String(messages.at(-1)?.content) : '';
    const begun = isRaw ? ids.length : words.findIndex((_, at) => words.slice(0, at).join('') === said);
    const most = Math.min(
      words.length,
      begun + Number(body.max_tokens ?? body.max_completion_tokens ?? words.length),
    );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (chunk: object) =>
      response.write(`data: ${JSON.stringify({ id: `c${asked.length}`, ...chunk })}\n\n`);
    let held = '';
    for (let at = begun; at < most && !response.destroyed; at++) {
      await sleep(STEP_MS);
      held += words[at];
      if (at === options.hides) continue;
      const told = body.n_probs
        ? { logprobs: { content: [{ id: FIRST_ID + at, token: words[at] as string }] } }
        : {};
      const timings = {
        predicted_n: at + 1 - begun,
        cache_n: isRaw ? PROMPT_TOKENS + begun - 1 : CACHED_AT_FIRST,
      };
      const text = isRaw ? { text: held } : { delta: { content: held } };
      send({
        choices: [{ index: 0, ...text, finish_reason: null, ...told }],
        ...(body.timings_per_token ? { timings } : {}),
      });
      held = '';
    }
    const read = PROMPT_TOKENS + begun;
    const usage = {
      prompt_tokens: read,
      completion_tokens: most - begun,
      prompt_tokens_details: { cached_tokens: read - 1 },
    };
    const end = isRaw ? { text: '' } : { delta: {} };
    send({ choices: [{ index: 0, ...end, finish_reason: 'length' }], ...(isRaw ? { usage } : {}) });
    if (!isRaw) send({ choices: [], usage });
    response.end('data: [DONE]\n\n');
  };
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    words,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

const promptOf = ({ messages }: JsonRecord): string => `<${JSON.stringify(messages)}>`;

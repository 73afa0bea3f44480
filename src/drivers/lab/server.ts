/** The lab's HTTP: on loopback, in three dialects, streamed or not, with the headers and failures of hosted APIs. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { sha256 } from '../../base/hash.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralRequest } from '../../wire/neutral.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { CODECS } from '../../wire/translate.ts';
import { Answering, failure, LABEL } from './answering.ts';
import { LabEngine } from './engine.ts';
import { messageText, tokensOf } from './model.ts';
import type { LabOptions } from './options.ts';
import { play } from './play.ts';
import { COUNT_PATH, contextOf, receive } from './request.ts';
import type { LabScript } from './script.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { createServer } = process.getBuiltinModule('node:http');

export interface Lab {
  readonly origin: string;
  close(): Promise<void>;
}

const DIMENSIONS = 64;

/** Opens a lab on a free port of 127.0.0.1. What its script has no reply for is answered by the model in `options`. */
export async function openLab(options: LabOptions, clock: Clock, script?: LabScript): Promise<Lab> {
  const engine = new LabEngine(options, clock);
  const server = createServer((request, response) => {
    serve(engine, clock, script, request, response).catch((error: unknown) => {
      response.destroy();
      // A script's own mistake is for its writer to see.
      if (script) throw error;
    });
  });
  // Hosted APIs keep a connection about as long.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  engine: LabEngine,
  clock: Clock,
  script: LabScript | undefined,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = await receive(incoming);
  const reply = request && script?.(request);
  if (reply) return play(reply, request, response, clock.now());
  const { path, dialect } = request ?? { path: '', dialect: undefined };
  if (path === '/models') return sendJson(response, 200, { object: 'list', data: [{ id: 'lab' }] });
  const json = request?.json();
  if (!request || !json) return sendJson(response, 400, failure('anthropic', 400, 'No JSON object.'));
  if (path === '/embeddings') return sendJson(response, 200, embed(json));
  if (dialect === undefined)
    return sendJson(response, 404, failure('openai-chat', 404, `The lab has no ${path}.`));
  const facts = DIALECTS[dialect].readRequest(request.plain());
  if ('problem' in facts) return sendJson(response, 400, failure(dialect, 400, facts.problem.message));
  const neutral = CODECS[dialect].decodeRequest(json);
  if (path === COUNT_PATH) return sendJson(response, 200, { input_tokens: inputTokens(neutral) });
  await new Answering(engine, clock, neutral, contextOf(request, clock.now()), response).run();
}

const inputTokens = (request: NeutralRequest): number =>
  request.messages.reduce((sum, message) => sum + tokensOf(messageText(message)), 0);

/** A direction for each text that its bytes decide: the same text is near itself and nothing else. */
function embed(body: JsonRecord): JsonRecord {
  const inputs: readonly unknown[] = Array.isArray(body.input) ? body.input : [body.input];
  const data = inputs.map((input, index) => {
    const text = typeof input === 'string' ? input : JSON.stringify(input ?? '');
    const bytes = [0, 1].flatMap((half) => [...sha256(`${half}${text}`)]);
    const raw = bytes.slice(0, DIMENSIONS).map((byte) => byte - 127.5);
    const length = Math.hypot(...raw);
    return { object: 'embedding', index, embedding: raw.map((value) => value / length) };
  });
  const tokens = inputs.reduce<number>((sum, input) => sum + tokensOf(JSON.stringify(input ?? '')), 0);
  return {
    object: 'list',
    model: typeof body.model === 'string' ? body.model : 'lab',
    data,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function sendJson(response: ServerResponse, status: number, value: JsonRecord): void {
  response.writeHead(status, { 'content-type': 'application/json', ...LABEL });
  response.end(JSON.stringify(value));
}

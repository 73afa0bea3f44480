/** Servers that answer as the model engines do that people have on their machine: what they list, and one answer. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRecord, type Json, parseJson } from '../../src/base/json.ts';

export type EngineName = 'ollama' | 'lm-studio' | 'llama-server' | 'vllm' | 'other';

export interface FakeEngine {
  readonly port: number;
  /** `POST /v1/chat/completions`, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

type Reply =
  | { readonly status?: number; readonly json: Json }
  | { readonly status: number; readonly text: string };
type Routes = Readonly<Record<string, (body: Json | undefined) => Reply>>;

const list = (owner: string, ...models: readonly object[]): Reply => ({
  json: { object: 'list', data: models.map((one) => ({ object: 'model', owned_by: owner, ...one })) } as Json,
});
const TEXT = 'from the engine';
const chat = (model: string): Json => ({
  id: 'chat-1',
  object: 'chat.completion',
  created: 1,
  model,
  choices: [{ index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 },
});
const messages = (model: string): Json => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model,
  content: [{ type: 'text', text: TEXT }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 11, output_tokens: 3 },
});
const responses = (model: string): Json => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model,
  output: [
    {
      id: 'item_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: TEXT, annotations: [] }],
    },
  ],
  usage: { input_tokens: 11, output_tokens: 3, total_tokens: 14 },
});
/** A route that serves a model where one is named, and complains where the request is empty. */
const serving =
  (answer: (model: string) => Json, status = 400) =>
  (request: Json | undefined): Reply =>
    isRecord(request) && typeof request.model === 'string'
      ? { json: answer(request.model) }
      : { status, json: { error: { message: 'model is required', type: 'invalid_request_error' } } };

const CHAT: Routes = { 'POST /v1/chat/completions': serving(chat) };

const ENGINES: Readonly<Record<EngineName, { readonly routes: Routes; readonly unknown: Reply }>> = {
  // Ollama 0.14 and later: Chat, Responses and Messages; what it loaded last it tells in /api/ps.
  ollama: {
    routes: {
      ...CHAT,
      'GET /v1/models': () => list('library', { id: 'qwen3:4b' }, { id: 'set:1b' }, { id: 'fresh:1b' }),
      'GET /api/version': () => ({ json: { version: '0.14.2' } }),
      'GET /api/ps': () => ({
        json: { models: [{ name: 'qwen3:4b', model: 'qwen3:4b', context_length: 32_768 }] },
      }),
      'POST /api/show': (body) => ({
        json: {
          parameters:
            isRecord(body) && body.model === 'set:1b' ? 'stop "x"\nnum_ctx                8192' : '',
          model_info: { 'general.architecture': 'qwen3', 'qwen3.context_length': 262_144 },
        },
      }),
      'POST /v1/responses': serving(responses, 404),
      'POST /v1/messages': serving(messages),
    },
    unknown: { status: 404, text: '404 page not found' },
  },
  // LM Studio answers any path, with 200 and an error.
  'lm-studio': {
    routes: {
      ...CHAT,
      'GET /v1/models': () => list('organization_owner', { id: 'a/loaded' }, { id: 'b/on-disk' }),
      'GET /api/v0/models': () => ({
        json: {
          object: 'list',
          data: [
            {
              id: 'a/loaded',
              type: 'llm',
              state: 'loaded',
              max_context_length: 131_072,
              loaded_context_length: 8192,
            },
            { id: 'b/on-disk', type: 'llm', state: 'not-loaded', max_context_length: 32_768 },
          ],
        },
      }),
      'POST /v1/responses': serving(responses),
    },
    unknown: { status: 200, text: '{"error":"Unexpected endpoint or method. (POST /v1/messages)"}' },
  },
  'llama-server': {
    routes: {
      ...CHAT,
      'GET /v1/models': () => list('llamacpp', { id: 'tiny.gguf', meta: { n_ctx_train: 40_960 } }),
      'GET /props': () => ({
        json: {
          default_generation_settings: { n_ctx: 4096 },
          total_slots: 2,
          model_path: '/models/tiny.gguf',
        },
      }),
    },
    unknown: {
      status: 404,
      text: '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
    },
  },
  vllm: {
    routes: {
      ...CHAT,
      'GET /v1/models': () =>
        list('vllm', { id: 'Qwen/Qwen3-8B', max_model_len: 40_960, root: 'Qwen/Qwen3-8B' }),
      'GET /server_info?config_format=json': () => ({
        json: { vllm_config: { scheduler_config: { policy: 'priority' } } },
      }),
      'POST /v1/responses': serving(responses, 422),
    },
    unknown: { status: 404, text: '{"detail":"Not Found"}' },
  },
  other: {
    routes: { ...CHAT, 'GET /v1/models': () => list('somebody', { id: 'theirs' }) },
    unknown: { status: 404, text: 'no' },
  },
};

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}

function send(response: ServerResponse, reply: Reply): void {
  const text = 'text' in reply ? reply.text : JSON.stringify(reply.json);
  response.writeHead(reply.status ?? 200, { 'content-type': 'application/json' });
  response.end(text);
}

export async function startEngine(name: EngineName): Promise<FakeEngine> {
  const { routes, unknown } = ENGINES[name];
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await readBody(request);
    const route = `${request.method} ${request.url}`;
    const json = parseJson(body);
    if (request.url?.startsWith('/v1/') && isRecord(json) && typeof json.model === 'string')
      asked.push(`${route} ${json.model}`);
    send(response, routes[route]?.(json) ?? unknown);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

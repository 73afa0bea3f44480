/**
 * The scripted upstream: the lab with a script in the tests' words, which keeps every request and every answer byte for
 * byte. Without a script it says that it is done.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { sha256Hex } from '../../src/base/hash.ts';
import type { JsonRecord } from '../../src/base/json.ts';
import type { Usage } from '../../src/base/usage.ts';
import { systemClock } from '../../src/drivers/clock.ts';
import { LAB_DEFAULTS } from '../../src/drivers/lab/options.ts';
import type { LabReply, LabRequest } from '../../src/drivers/lab/script.ts';
import { openLab } from '../../src/drivers/lab/server.ts';
import type { NeutralPart } from '../../src/wire/neutral.ts';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Flat, as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly sha256: string;
  /** The body as JSON, `{}` if it is none. */
  readonly json: JsonRecord;
  /** Counts the requests of this path from 0. */
  readonly turn: number;
  /** The client closed before the answer was complete. */
  readonly aborted: boolean;
}

export interface ToolCall {
  /** A pattern calls the first offered tool that matches, or none; a name is called as it is. */
  readonly name: RegExp | string;
  readonly args: JsonRecord;
  /** Made from the turn when absent. */
  readonly id?: string;
}

export interface Reply
  extends Pick<
    LabReply,
    'status' | 'headers' | 'raw' | 'cut' | 'malformed' | 'chunkBytes' | 'hold' | 'pace'
  > {
  /** Of the answer; made from the turn when absent. */
  readonly id?: string;
  /** What it thinks first, sealed as the API does it. */
  readonly thought?: string;
  readonly text?: string;
  readonly tools?: readonly ToolCall[];
  readonly usage?: Partial<Usage>;
}

export type Script = (request: SeenRequest) => Reply;

export interface Upstream {
  readonly origin: string;
  readonly requests: readonly SeenRequest[];
  /** Resolves when `count` requests have come. */
  seen(count: number): Promise<void>;
  /** The exact bytes of every answer, in the order of the requests. */
  readonly answers: readonly Buffer[];
  close(): Promise<void>;
}

type Mutable = { -readonly [K in keyof SeenRequest]: SeenRequest[K] };

export async function startUpstream(script: Script = () => ({})): Promise<Upstream> {
  const requests: Mutable[] = [];
  const answers: Buffer[] = [];
  const waiters: { count: number; resolve: () => void }[] = [];
  const lab = await openLab(LAB_DEFAULTS, systemClock, (request) => {
    const { method, url, headers, rawHeaders, body, path } = request;
    const seen: Mutable = {
      method,
      url,
      headers,
      rawHeaders,
      body,
      sha256: sha256Hex(body),
      json: request.json() ?? {},
      turn: requests.filter((other) => pathOf(other.url) === pathOf(url)).length,
      aborted: false,
    };
    const at = requests.push(seen) - 1;
    answers[at] = Buffer.alloc(0);
    for (const { count, resolve } of waiters) if (requests.length >= count) resolve();
    return {
      ...replyTo(script(seen), seen, request, path),
      sends: (sent) => {
        answers[at] = sent;
      },
      closed: (whole) => {
        seen.aborted = !whole;
      },
    };
  });
  return {
    origin: lab.origin,
    requests,
    answers,
    seen: (count) =>
      requests.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiters.push({ count, resolve })),
    close: () => lab.close(),
  };
}

const pathOf = (url: string): string => url.split('?', 1)[0] as string;

const USAGE: Usage = { input: 11, cacheRead: 5, cacheWrite: 0, output: 7, reasoning: 0 };

function replyTo(reply: Reply, seen: SeenRequest, request: LabRequest, path: string): LabReply {
  if (reply.raw) return reply;
  if (reply.status !== undefined && reply.status >= 400)
    return { ...reply, message: `scripted ${reply.status}` };
  const known = KNOWN[path]?.(seen);
  if (known) return { ...reply, raw: json(known) };
  if (!request.dialect)
    return seen.method === 'POST'
      ? { ...reply, status: 404, message: 'scripted 404' }
      : { ...reply, raw: json({ id: path.split('/')[2] ?? '' }) };
  return { ...reply, answer: answerOf(reply, seen, request) };
}

const json = (value: JsonRecord) => ({ body: JSON.stringify(value), type: 'application/json' });

/** What asks no model. */
const KNOWN: Readonly<Record<string, (seen: SeenRequest) => JsonRecord>> = {
  '/messages/count_tokens': ({ body }) => ({ input_tokens: Math.ceil(body.length / 4) }),
  '/embeddings': (seen) => ({
    object: 'list',
    data: [{ object: 'embedding', index: 0, embedding: [0.5, -0.5] }],
    model: String(seen.json.model),
    usage: { prompt_tokens: 3, total_tokens: 3 },
  }),
  '/models': () => ({ object: 'list', data: [{ id: 'model-a', object: 'model', created: 1 }] }),
};

const PREFIXES = { anthropic: 'msg', 'openai-chat': 'chatcmpl', 'openai-responses': 'resp' };

function answerOf(reply: Reply, { turn }: SeenRequest, request: LabRequest): NonNullable<LabReply['answer']> {
  const calls = (reply.tools ?? []).flatMap((tool, at) => callOf(tool, `call_${turn}_${at}`, request));
  const text = reply.text ?? (calls.length > 0 ? '' : 'Done.');
  return {
    id: reply.id ?? `${PREFIXES[request.dialect ?? 'openai-chat']}_${turn}`,
    parts: [
      ...thoughtOf(reply.thought, request),
      ...(text === '' ? [] : [{ kind: 'text' as const, text, extras: {} }]),
      ...calls,
    ],
    stop: calls.length > 0 ? 'calls' : 'end',
    usage: { ...USAGE, ...reply.usage },
  };
}

/** What comes back with it in the next request is what an API would need to go on thinking. */
const SEAL = 'c2VhbGVkIGJ5IHRoZSB1cHN0cmVhbQ==';

function thoughtOf(thought: string | undefined, { dialect }: LabRequest): NeutralPart[] {
  if (thought === undefined || dialect === undefined) return [];
  const items = {
    anthropic: { type: 'thinking', thinking: thought, signature: SEAL },
    'openai-chat': { member: 'reasoning_content' },
    'openai-responses': {
      type: 'reasoning',
      id: 'rs_1',
      summary: [{ type: 'summary_text', text: thought }],
      encrypted_content: SEAL,
    },
  };
  return [{ kind: 'reasoning', text: thought, sealed: { dialect, item: items[dialect] }, extras: {} }];
}

/** A tool that takes text gets the argument `input`. */
function callOf({ name, args, id }: ToolCall, made: string, request: LabRequest): NeutralPart[] {
  const offered = (request.asked()?.tools ?? []).flatMap((tool) => (tool.kind === 'other' ? [] : [tool]));
  const tool = offered.find((one) => (typeof name === 'string' ? one.name === name : name.test(one.name)));
  if (!tool && typeof name !== 'string') return [];
  const custom = tool?.kind === 'custom';
  return [
    {
      kind: 'call',
      id: id ?? made,
      name: tool?.name ?? String(name),
      namespace: tool?.namespace,
      input: custom ? String(args.input) : JSON.stringify(args),
      custom,
      extras: {},
    },
  ];
}

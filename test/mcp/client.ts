/** MCP clients for tests, one of each era, over fetch: what they asked, what they were told meanwhile, what they got. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../src/base/control.ts';
import type { ControlClient } from '../../src/sdk/client.ts';

export type Any = Record<string, unknown>;

export interface Asked {
  readonly result?: Any;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  /** Notifications before the answer. */
  readonly told: readonly Any[];
}

export interface Stream {
  readonly id: number;
  readonly all: readonly (readonly [string, Any])[];
  /** The next one: its method and its params. */
  next(): Promise<readonly [string, Any]>;
  close(): void;
}

export interface Client {
  ask(method: string, params: Any, headers?: Record<string, string>, signal?: AbortSignal): Promise<Asked>;
  listen(params?: Any): Promise<Stream>;
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

async function* messages(response: Response): AsyncGenerator<Any> {
  if (!response.headers.get('content-type')?.includes('event-stream')) {
    const text = await response.text();
    if (text !== '') yield JSON.parse(text) as Any;
    return;
  }
  let rest = '';
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const read = await reader?.read().catch(() => undefined);
    if (!read || read.done) return;
    const events = (rest + read.value).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data) yield JSON.parse(data) as Any;
    }
  }
}

function streamOf(response: Response, id: number, cut: AbortController): Stream {
  const all: [string, Any][] = [];
  const waiting: ((one: [string, Any]) => void)[] = [];
  let taken = 0;
  void (async () => {
    for await (const message of messages(response)) {
      all.push([String(message.method), message.params as Any]);
      waiting.shift()?.(all[taken++] as [string, Any]);
    }
  })();
  return {
    id,
    all,
    next: async () =>
      taken < all.length ? (all[taken++] as [string, Any]) : new Promise((resolve) => waiting.push(resolve)),
    close: () => cut.abort(),
  };
}

let nextId = 1;

export function modernClient(url: string, capabilities: Any = {}): Client {
  const send = (
    id: number,
    method: string,
    params: Any,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ) => {
    const name = params.name ?? params.uri ?? params.taskId;
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    };
    return fetch(url, {
      method: 'POST',
      headers: {
        ...JSON_HEADERS,
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
        ...headers,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method,
        params: { ...params, _meta: { ...(params._meta as Any | undefined), ...meta } },
      }),
      ...(signal ? { signal } : {}),
    });
  };
  return {
    async ask(method, params, headers = {}, signal) {
      const id = nextId++;
      const told: Any[] = [];
      for await (const message of messages(await send(id, method, params, headers, signal))) {
        if (message.method === undefined) return { ...message, told } as Asked;
        told.push(message);
      }
      throw new Error(`${method} was not answered`);
    },
    async listen(params = {}) {
      const id = nextId++;
      const cut = new AbortController();
      return streamOf(await send(id, 'subscriptions/listen', params, {}, cut.signal), id, cut);
    },
  };
}

export interface EarlierClient extends Client {
  /** One message in the session, at any address. */
  raw(url: string, message: Any, signal?: AbortSignal): Promise<{ readonly status: number }>;
  close(): Promise<void>;
}

const callsOf = (control: ControlClient, agent: Launch) =>
  control.call('calls', { agent: String(agent.pid) });

/** Opens a session; `answers`: what it says when it is asked. */
export async function earlierClient(
  url: string,
  capabilities: Any = {},
  answers: (method: string, params: Any) => Any = () => ({}),
): Promise<EarlierClient> {
  let session: Record<string, string> = {};
  const post = (to: string, message: Any, signal?: AbortSignal) =>
    fetch(to, {
      method: 'POST',
      headers: { ...JSON_HEADERS, ...session },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      ...(signal ? { signal } : {}),
    });
  const hello = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'test', version: '1' } };
  const greeting = await post(url, { id: nextId++, method: 'initialize', params: hello });
  session = { 'mcp-session-id': greeting.headers.get('mcp-session-id') ?? '' };
  await post(url, { method: 'notifications/initialized' });
  return {
    async ask(method, params, _headers, signal) {
      const told: Any[] = [];
      for await (const message of messages(await post(url, { id: nextId++, method, params }, signal))) {
        const {
          id,
          method: said,
          params: about,
        } = message as { id?: unknown; method?: string; params?: Any };
        if (said === undefined) return { ...message, told } as Asked;
        if (id === undefined) told.push(message);
        else await post(url, { id, result: answers(said, about ?? {}) });
      }
      throw new Error(`${method} was not answered`);
    },
    async listen() {
      const cut = new AbortController();
      const response = await fetch(url, { headers: { ...JSON_HEADERS, ...session }, signal: cut.signal });
      return streamOf(response, 0, cut);
    },
    async raw(to, message, signal) {
      const response = await post(to, { id: nextId++, ...message }, signal);
      await response.text();
      return { status: response.status };
    },
    close: async () => {
      await fetch(url, { method: 'DELETE', headers: session });
    },
  };
}

/** Resolves when the agent has a call of this target running. */
export async function started(target: string, control: ControlClient, agent: Launch): Promise<void> {
  for (;;) {
    const { calls } = await callsOf(control, agent);
    if (calls.some((call) => call.target === target && call.state === 'running')) return;
    await sleep(5);
  }
}

/** The agent's calls when none of them runs any more. */
export async function settled(control: ControlClient, agent: Launch) {
  for (;;) {
    const found = await callsOf(control, agent);
    if (found.calls.every(({ state }) => state !== 'running')) return found;
    await sleep(5);
  }
}

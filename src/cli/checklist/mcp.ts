/** A tool server as its clients use it: a process spoken to over its standard input and output, or an address. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { send } from './http.ts';

export interface ToolServer {
  /** The result of a call; `isError` where there is none. */
  call(tool: string, input: JsonRecord): Promise<JsonRecord>;
  close(): Promise<void>;
}

const HELLO: JsonRecord = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'mezz-checklist', version: '0' },
};
const resultOf = (message: JsonRecord): JsonRecord => {
  if (isRecord(message.result)) return message.result;
  const said = isRecord(message.error) ? String(message.error.message) : 'no result';
  return { isError: true, content: [{ type: 'text', text: said }] };
};

export async function openProcess(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ToolServer> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
  const waiting = new Map<number, (message: JsonRecord) => void>();
  let next = 1;
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = parseJson(line);
      if (isRecord(message) && message.method === undefined) waiting.get(Number(message.id))?.(message);
    }
  });
  // What is written to a process that has ended is told by its end.
  child.stdin.on('error', () => {});
  const write = (message: JsonRecord) =>
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const ask = (method: string, params: JsonRecord): Promise<JsonRecord> =>
    new Promise((resolve, reject) => {
      const id = next++;
      const gone = () => reject(new Error(`${command.join(' ')} ended`));
      child.once('error', gone).once('exit', gone);
      waiting.set(id, (message) => resolve(resultOf(message)));
      write({ id, method, params });
    });
  child.setMaxListeners(0);
  await ask('initialize', HELLO);
  write({ method: 'notifications/initialized' });
  return {
    call: (tool, input) => ask('tools/call', { name: tool, arguments: input }),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Streamable HTTP: every message is a request of its own, its answer JSON or one event. */
export async function openAddress(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<ToolServer> {
  const all: Record<string, string> = { accept: 'application/json, text/event-stream', ...headers };
  let next = 1;
  const post = (message: JsonRecord) =>
    send({ url, headers: all, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  const ask = async (method: string, params: JsonRecord): Promise<JsonRecord> => {
    const reply = await post({ id: next++, method, params });
    const session = reply.headers['mcp-session-id'];
    if (typeof session === 'string') all['mcp-session-id'] = session;
    const event = /^data: ?(\{.*\})$/m.exec(reply.text)?.[1];
    const message = event === undefined ? reply.json : parseJson(event);
    return resultOf(isRecord(message) ? message : {});
  };
  const { protocolVersion } = await ask('initialize', HELLO);
  if (typeof protocolVersion === 'string') all['mcp-protocol-version'] = protocolVersion;
  await post({ method: 'notifications/initialized' });
  return {
    call: (tool, input) => ask('tools/call', { name: tool, arguments: input }),
    close: async () => {},
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';

/** A tool server as its clients use it without mezz: a process, spoken to over its standard input and output. */
export interface DirectServer {
  call(tool: string, input: JsonRecord): Promise<JsonRecord>;
  close(): Promise<void>;
}

export async function openDirect(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<DirectServer> {
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
  const send = (message: JsonRecord) =>
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const ask = (method: string, params: JsonRecord): Promise<JsonRecord> =>
    new Promise((resolve, reject) => {
      const id = next++;
      child.once('exit', () => reject(new Error(`${command.join(' ')} ended`)));
      waiting.set(id, (message) => resolve(isRecord(message.result) ? message.result : { isError: true }));
      send({ id, method, params });
    });
  child.setMaxListeners(0);
  const clientInfo = { name: 'mezz-demo', version: '0' };
  await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  send({ method: 'notifications/initialized' });
  return {
    call: (tool, input) => ask('tools/call', { name: tool, arguments: input }),
    async close() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

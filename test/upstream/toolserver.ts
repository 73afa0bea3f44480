/** A tool server for tests: what it offers is in a file, and each call that it ran is a line in another. */
import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [offers = '', done = ''] = process.argv.slice(2);
const send = (message: object): void => {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
};

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: unknown };
}

function answer({ id, method, params }: Message): void {
  if (id === undefined) return;
  if (method === 'initialize') {
    const serverInfo = { name: 'counting', version: '1' };
    return send({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } });
  }
  if (method === 'tools/list')
    return send({ id, result: { tools: JSON.parse(readFileSync(offers, 'utf8')) } });
  appendFileSync(done, `${params?.name} ${JSON.stringify(params?.arguments)}\n`);
  if (params?.name === 'die') process.exit(1);
  if (params?.name === 'change') send({ method: 'notifications/tools/list_changed' });
  send({ id, result: { content: [{ type: 'text', text: `did ${params?.name}` }] } });
}

createInterface({ input: process.stdin }).on('line', (line) => answer(JSON.parse(line) as Message));

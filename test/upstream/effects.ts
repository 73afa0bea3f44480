/**
 * A tool server that counts its own effects: each is a line in a file, written before it answers, at a moment of its own
 * choosing. `send` knows a repetition by its key; `posted` tells whether a `post` took effect.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [file = ''] = process.argv.slice(2);
const TOOLS = ['bump', 'put', 'send', 'post', 'posted'];
const reply = (message: object): void => {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
};
const lines = (): string[] => readFileSync(file, 'utf8').split('\n');

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params?: {
    readonly name: string;
    readonly arguments: { readonly id: string; readonly afterMs: number; readonly beforeMs: number };
    readonly _meta?: { readonly idempotencyKey?: string };
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function perform({ id, params }: Message): Promise<void> {
  if (!params) return;
  const { name, arguments: input, _meta: meta } = params;
  const say = (text: string) => reply({ id, result: { content: [{ type: 'text', text }] } });
  if (name === 'posted') return say(lines().includes(`post ${input.id}`) ? `has ${input.id}` : 'has not');
  await sleep(input.afterMs);
  const effect = name === 'send' ? `send ${input.id} ${meta?.idempotencyKey}` : `${name} ${input.id}`;
  if (name !== 'send' || !lines().includes(effect)) appendFileSync(file, `${effect}\n`);
  await sleep(input.beforeMs);
  say(`did ${input.id}`);
}

function answer(message: Message): void {
  const { id, method } = message;
  if (id === undefined) return;
  if (method === 'initialize') {
    const serverInfo = { name: 'effects', version: '1' };
    reply({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } });
  } else if (method === 'tools/list')
    reply({ id, result: { tools: TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } })) } });
  else void perform(message);
}

createInterface({ input: process.stdin })
  .on('line', (line) => answer(JSON.parse(line) as Message))
  // Whoever asked is gone: what has not begun does not begin.
  .on('close', () => process.exit(0));

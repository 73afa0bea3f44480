/** Cost of reading a request body: the scan against JSON.parse, in one run. Ratios count; times depend on the machine. */
import { hash } from 'node:crypto';
import { DIALECTS } from '../src/wire/registry.ts';
import { type BodyScan, scanBody } from '../src/wire/scan.ts';

const words = 'The quick brown fox said "hello", then wrote\n\tconst x = { a: 1 };\n';
const messages = Array.from({ length: 60 }, (_, i) => ({
  role: i % 2 === 0 ? 'user' : 'assistant',
  content: [{ type: 'text', text: words.repeat(1 + (i % 20)) }],
}));
const tools = Array.from({ length: 25 }, (_, i) => ({
  name: `tool_${i}`,
  description: words.repeat(12),
  input_schema: {
    type: 'object',
    properties: { a: { type: 'string' }, b: { type: 'number' } },
    required: ['a'],
  },
}));
const body = Buffer.from(JSON.stringify({ model: 'm', max_tokens: 1, stream: true, messages, tools }));

/** Median of many runs, in µs. */
function medianUs(task: () => void): number {
  const times: number[] = [];
  for (let i = 0; i < 600; i++) {
    const from = process.hrtime.bigint();
    task();
    times.push(Number(process.hrtime.bigint() - from) / 1000);
  }
  return times.sort((a, b) => a - b)[300] as number;
}

const scanned = () => scanBody(body, ['messages']) as BodyScan;
const rows: [string, () => void][] = [
  ['JSON.parse', () => JSON.parse(body.toString('utf8'))],
  ['scan', scanned],
  [
    'scan + sha256 per message',
    () => {
      for (const { start, end } of scanned().elements) hash('sha256', body.subarray(start, end), 'buffer');
    },
  ],
  [
    'parse + stringify + sha256 per message',
    () => {
      const { messages: all } = JSON.parse(body.toString('utf8')) as { messages: unknown[] };
      for (const message of all) hash('sha256', JSON.stringify(message), 'buffer');
    },
  ],
  ['facts of the request', () => DIALECTS.anthropic.readRequest(body)],
];
const times = rows.map(([, task]) => medianUs(task));
console.log(`body ${body.length} bytes`);
rows.forEach(([name], i) => {
  const us = times[i] as number;
  console.log(
    `${name.padEnd(40)} ${us.toFixed(0).padStart(6)} µs  ${(us / (times[0] as number)).toFixed(2)} x JSON.parse`,
  );
});

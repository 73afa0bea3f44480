/**
 * Bytes stored per call against bytes that are new in it, on conversations with the sizes of real coding sessions
 * (data/coding-sessions.json; the text is made up). Requests are Messages as Claude Code sends them: everything again
 * each time, a first system block that changes with every request, cache marks that move. New is what the previous
 * request of the session did not hold. Two figures: content stored, and growth of the whole database file, SQLite's
 * rows, indexes and pages included. Target: <= 2.
 * Usage: node scripts/with-node.js bench/bytes.ts [--sessions 20] [--json]
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { prose } from './lab/bodies.ts';
import { request } from './lab/client.ts';
import { note, option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

interface Session {
  readonly tools: number;
  readonly system: number;
  /** Tokens in, tokens out, tokens of the longest prefix shared with an earlier call. */
  readonly steps: readonly (readonly [number, number, number])[];
}
interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: readonly Record<string, unknown>[];
}

const BYTES_PER_TOKEN = 4;
const DATA = new URL('./data/coding-sessions.json', import.meta.url);
const { sessions } = JSON.parse(readFileSync(DATA, 'utf8')) as { sessions: readonly Session[] };
let seed = 0;
/** Text nobody sent before. */
const text = (tokens: number): string => prose(++seed, Math.max(20, tokens * BYTES_PER_TOKEN));

/** The requests of one session, each with the bytes that are new in it. */
function* requestsOf({ tools, system, steps }: Session): Generator<{ body: Buffer; fresh: number }> {
  const toolList = Array.from({ length: 20 }, (_, i) => ({
    name: `Tool${i}`,
    description: text(tools / 20 - 30),
    input_schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
  }));
  const prompt = text(system - 30);
  let messages: Message[] = [];
  let before: { tokens: number; out: number } | undefined;
  for (const [tokens, out, shared] of steps) {
    const goesOn = before !== undefined && shared > before.tokens / 2;
    if (goesOn && before) messages.push(...turn(tokens - shared, before.out));
    else messages = [user(text(tokens - tools - system))];
    const added = goesOn ? messages.slice(-2) : messages;
    const attribution = `x-anthropic-billing-header: cc_version=2.1.330; cch=${(++seed).toString(16).padStart(8, '0')};`;
    const whole = before === undefined ? JSON.stringify(toolList).length + prompt.length : 0;
    yield {
      body: bodyOf(toolList, prompt, attribution, messages),
      fresh: whole + attribution.length + added.reduce((sum, one) => sum + JSON.stringify(one).length + 1, 0),
    };
    before = { tokens, out };
  }
}

const user = (content: string): Message => ({ role: 'user', content: [{ type: 'text', text: content }] });

function turn(added: number, out: number): Message[] {
  const id = `toolu_${(++seed).toString(36).padStart(22, '0')}`;
  return [
    { role: 'assistant', content: [{ type: 'tool_use', id, name: 'Tool1', input: { text: text(out) } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content: text(added - out) }] },
  ];
}

function bodyOf(tools: readonly object[], prompt: string, attribution: string, messages: readonly Message[]) {
  const mark = { cache_control: { type: 'ephemeral' } };
  const last = messages.at(-1) as Message;
  const marked = { ...last, content: last.content.map((block) => ({ ...block, ...mark })) };
  return Buffer.from(
    JSON.stringify({
      model: 'claude-bench',
      messages: [...messages.slice(0, -1), marked],
      system: [
        { type: 'text', text: attribution },
        { type: 'text', text: prompt, ...mark },
      ],
      tools,
      max_tokens: 32_000,
    }),
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const upstream = await startSubject('upstream', { file: 'upstream.ts' });
const kernel = await startSubject('full', {
  file: 'kernel.ts',
  args: [upstream.said.origin as string, scratch, '20'],
});
const keys = (kernel.said.keys as string).split(' ');
const pool = new Pool(kernel.said.origin as string, { connections: 1 });
const database = join(scratch, 'mezz.db');
const used = sessions.slice(0, option('sessions', sessions.length));
const sum = { calls: 0, sent: 0, fresh: 0 };
try {
  for (const [i, session] of used.entries()) {
    note(`session ${i + 1} of ${used.length}: ${session.steps.length} calls`);
    for (const { body, fresh } of requestsOf(session)) {
      await request(pool, '/v1/messages', { 'x-api-key': keys[i % keys.length] as string }, body);
      sum.calls++;
      sum.sent += body.length;
      sum.fresh += fresh;
    }
  }
} finally {
  await pool.destroy();
  await kernel.stop();
  await upstream.stop();
}
const db = new DatabaseSync(database, { readOnly: true });
const one = (sql: string): number => (db.prepare(sql).get() as { n: number }).n;
const blobs = one('SELECT sum(length(bytes)) AS n FROM blob');
const entries = one('SELECT sum(length(body)) AS n FROM entry');
db.close();
const fileBytes = statSync(database).size;
rmSync(scratch, { recursive: true, force: true });

const perCall = (bytes: number) => (bytes / sum.calls / 1000).toFixed(1);
print({ ...sum, blobs, entries, fileBytes, content: blobs / sum.fresh, file: fileBytes / sum.fresh }, [
  [`${sum.calls} calls`, 'kB per call', 'x new'],
  ['sent', perCall(sum.sent), (sum.sent / sum.fresh).toFixed(1)],
  ['new', perCall(sum.fresh), '1.00'],
  ['content stored', perCall(blobs), (blobs / sum.fresh).toFixed(2)],
  ['journal entries', perCall(entries), (entries / sum.fresh).toFixed(2)],
  ['database file', perCall(fileBytes), (fileBytes / sum.fresh).toFixed(2)],
]);

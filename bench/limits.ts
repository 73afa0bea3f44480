/**
 * A rate limit under load: agents that ask one after the other, 1.3 times as much as the limit, of a model API that
 * takes 20 requests a second. Compared: agents that go there directly and retry as the official SDKs do (two retries,
 * retry-after honoured), and the same agents without any retry through mezz. Counted: turns that failed, 429s the agents
 * saw and the API sent, the share of the limit that was used, and how long a turn took over its service time.
 * Usage: node scripts/with-node.js bench/limits.ts [--agents 12] [--turns 30] [--json]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { small } from './lab/bodies.ts';
import { note, option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const PER_SECOND = 20;
const SERVICE_MS = 200;
const OVERLOAD = 1.3;
const RETRIES = 2;

const agents = option('agents', 12);
const turns = option('turns', 30);
/** Each agent's pause after an answer: together they would ask OVERLOAD times the limit. */
const thinkMs = (1000 * agents) / (OVERLOAD * PER_SECOND) - SERVICE_MS;

interface Turn {
  readonly tookMs: number;
  readonly limited: number;
  readonly failed: boolean;
}

async function turn(pool: Pool, key: string, body: Buffer, retries: number): Promise<Turn> {
  const startedAt = performance.now();
  let limited = 0;
  for (let tries = 0; ; tries++) {
    const {
      statusCode,
      headers,
      body: answer,
    } = await pool.request({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body,
    });
    await answer.dump();
    if (statusCode === 429) limited++;
    const failed = statusCode !== 200;
    if (!failed || tries === retries) return { tookMs: performance.now() - startedAt, limited, failed };
    await sleep(1000 * Number(headers['retry-after'] ?? 0.5 * 2 ** tries));
  }
}

async function run(
  origin: string,
  keys: readonly string[],
  retries: number,
): Promise<{ all: Turn[]; tookS: number }> {
  const pool = new Pool(origin, { connections: agents, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const all: Turn[] = [];
  const startedAt = performance.now();
  const agent = async (who: number) => {
    await sleep((who * thinkMs) / agents);
    for (let i = 0; i < turns; i++) {
      all.push(await turn(pool, keys[who % keys.length] as string, small(1000 * who + i), retries));
      await sleep(thinkMs);
    }
  };
  await Promise.all(Array.from({ length: agents }, (_, who) => agent(who)));
  const tookS = (performance.now() - startedAt) / 1000;
  await pool.destroy();
  return { all, tookS };
}

const file = fileURLToPath(new URL('./lab/limited.ts', import.meta.url));
const api = fork(file, [String(PER_SECOND), String(SERVICE_MS)], {
  stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
});
const [{ origin }] = (await once(api, 'message')) as [{ origin: string }];
async function counts(): Promise<{ taken: number; refused: number }> {
  api.send('counts');
  const [answer] = (await once(api, 'message')) as [{ counts: { taken: number; refused: number } }];
  return answer.counts;
}

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const mezz = await startSubject('mezz', { file: 'kernel.ts', args: [origin, scratch, String(agents)] });
const rows = [];
try {
  for (const [name, at, keys, retries] of [
    ['direct, SDK retries', origin, ['sk-none'], RETRIES],
    ['through mezz, no retries', mezz.said.origin as string, (mezz.said.keys as string).split(' '), 0],
  ] as const) {
    note(name);
    await sleep(2000);
    await counts();
    const { all, tookS } = await run(at, keys, retries);
    const { taken, refused } = await counts();
    const slowdowns = all.filter(({ failed }) => !failed).map(({ tookMs }) => tookMs / SERVICE_MS);
    rows.push({
      name,
      turns: all.length,
      failed: all.filter(({ failed }) => failed).length,
      seen429: all.reduce((sum, { limited }) => sum + limited, 0),
      sent429: refused,
      usedShare: taken / (PER_SECOND * tookS + PER_SECOND),
      meanSlowdown: slowdowns.reduce((sum, one) => sum + one, 0) / slowdowns.length,
    });
  }
} finally {
  await mezz.stop();
  api.kill();
  rmSync(scratch, { recursive: true, force: true });
}
print({ rows }, [
  ['agents', 'turns', 'failed', '429s seen', '429s sent', 'limit used', 'mean slowdown'],
  ...rows.map((row) => [
    row.name,
    String(row.turns),
    String(row.failed),
    String(row.seen429),
    String(row.sent429),
    `${(100 * row.usedShare).toFixed(1)} %`,
    row.meanSlowdown.toFixed(2),
  ]),
]);

/**
 * What mezz adds to the time until the first byte of a stream, on an idle kernel that has served 2,000 calls, one request
 * at a time: in turns direct to the model API, through a bare undici proxy, through the whole kernel, and, in the same
 * turns, one durable commit of the same disk (SQLite, WAL, synchronous=FULL, one row). Target: p50 of what is added <= 0.5 ms + one commit.
 * Usage: node scripts/with-node.js bench/firstbyte.ts [--rounds 400] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { small } from './lab/bodies.ts';
import { request, send } from './lab/client.ts';
import { option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const CHAT = '/v1/chat/completions';
const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const upstream = await startSubject('upstream', { file: 'upstream.ts' });
const origin = upstream.said.origin as string;
const bare = await startSubject('bare', { file: 'bare.ts', args: [origin] });
const full = await startSubject('full', { file: 'kernel.ts', args: [origin, scratch] });
const key = (full.said.keys as string).split(' ')[0];

const db = new DatabaseSync(join(scratch, 'commit.db'));
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)');
const insert = db.prepare('INSERT INTO t(v) VALUES(?)');

const ways = {
  direct: new Pool(origin, { connections: 1 }),
  bare: new Pool(bare.said.origin as string, { connections: 1 }),
  full: new Pool(full.said.origin as string, { connections: 1 }),
};
const times: Record<keyof typeof ways | 'commit', number[]> = { direct: [], bare: [], full: [], commit: [] };

function commitMs(): number {
  const startedAt = performance.now();
  insert.run('x'.repeat(300));
  return performance.now() - startedAt;
}

const rounds = option('rounds', 400);
const warmup = 50;
const callerOf = (way: string) => ({ authorization: `Bearer ${way === 'full' ? key : 'sk-none'}` });
try {
  // A kernel that has just come up is still being compiled.
  for (const [way, { said }] of Object.entries({ bare, full }))
    await send(
      { origin: said.origin as string, path: CHAT, callers: [callerOf(way)] },
      Array.from({ length: 2000 }, (_, i) => small(1_000_000 + i)),
      8,
    );
  for (let round = 0; round < rounds + warmup; round++) {
    const body = small(round, 'burst');
    for (const [way, pool] of Object.entries(ways) as [keyof typeof ways, Pool][]) {
      const ms = await request(pool, CHAT, callerOf(way), body);
      if (round >= warmup) times[way].push(ms);
    }
    const ms = commitMs();
    if (round >= warmup) times.commit.push(ms);
  }
} finally {
  await Promise.all(Object.values(ways).map((pool) => pool.destroy()));
  db.close();
  for (const subject of [bare, full, upstream]) await subject.stop();
  rmSync(scratch, { recursive: true, force: true });
}

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] as number;
const p50 = (name: keyof typeof times) => quantile(times[name], 0.5);
const addedMs = p50('full') - p50('direct');
const result = {
  p50Ms: Object.fromEntries(Object.keys(times).map((name) => [name, p50(name as keyof typeof times)])),
  p90Ms: Object.fromEntries(Object.entries(times).map(([name, values]) => [name, quantile(values, 0.9)])),
  addedMs,
  addedBeyondOneCommitMs: addedMs - p50('commit'),
};
print(result, [
  ['time to first byte, ms', 'p50', 'p90'],
  ...Object.entries(times).map(([name, values]) => [
    name,
    p50(name as keyof typeof times).toFixed(3),
    quantile(values, 0.9).toFixed(3),
  ]),
  ['added by mezz (full - direct)', addedMs.toFixed(3), ''],
  ['... beyond one commit', result.addedBeyondOneCommitMs.toFixed(3), ''],
]);

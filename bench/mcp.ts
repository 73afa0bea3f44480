/**
 * What mezz adds to a call of a tool by MCP over HTTP, on an idle kernel, one call at a time: in turns direct to the tool
 * server, through a plain MCP proxy, through the whole kernel, and, in the same turns, two durable commits of the same
 * disk (SQLite, WAL, synchronous=FULL, one row each): a call is recorded before it is made and when it is answered.
 * Usage: node scripts/with-node.js bench/mcp.ts [--rounds 300] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const server = await startSubject('server', { file: 'mcp-server.ts' });
const origin = server.said.origin as string;
const proxy = await startSubject('proxy', { file: 'mcp-proxy.ts', args: [origin] });
const full = await startSubject('full', { file: 'kernel.ts', args: [origin, scratch, '1', '256', origin] });

const db = new DatabaseSync(join(scratch, 'commit.db'));
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)');
const insert = db.prepare('INSERT INTO t(v) VALUES(?)');

interface Way {
  readonly pool: Pool;
  readonly path: string;
  readonly tool: string;
}
const wayTo = (to: string, path = '/', tool = 'tool_7'): Way => ({
  pool: new Pool(to, { connections: 1 }),
  ...{ path, tool },
});
const ways = {
  direct: wayTo(origin),
  proxy: wayTo(proxy.said.origin as string),
  full: wayTo(full.said.origin as string, `/a/${full.said.keys}/mcp`, 'bench__tool_7'),
};
const times: Record<keyof typeof ways | 'commits', number[]> = {
  direct: [],
  proxy: [],
  full: [],
  commits: [],
};

/** Every call is another: none repeats what was asked before. */
async function callMs({ pool, path, tool }: Way, id: number): Promise<number> {
  const params = { name: tool, arguments: { path: `/tmp/file-${id}.txt`, n: id } };
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const startedAt = performance.now();
  const answer = await pool.request({ method: 'POST', path, headers, body });
  const text = await answer.body.text();
  const ms = performance.now() - startedAt;
  if (!text.includes('done done')) throw new Error(`${answer.statusCode}: ${text.slice(0, 400)}`);
  return ms;
}

function commitsMs(): number {
  const startedAt = performance.now();
  for (let at = 0; at < 2; at++) insert.run('x'.repeat(300));
  return performance.now() - startedAt;
}

const rounds = option('rounds', 300);
const warmup = 300;
const cpuUs = { proxy: 0, full: 0 };
try {
  for (let round = -warmup; round < rounds; round++) {
    if (round === 0)
      for (const one of [proxy, full]) cpuUs[one.name as 'proxy'] -= (await one.read()).cpuUs / rounds;
    for (const [name, way] of Object.entries(ways) as [keyof typeof ways, Way][]) {
      const ms = await callMs(way, round + warmup);
      if (round >= 0) times[name].push(ms);
    }
    const ms = commitsMs();
    if (round >= 0) times.commits.push(ms);
  }
  for (const one of [proxy, full]) cpuUs[one.name as 'proxy'] += (await one.read()).cpuUs / rounds;
} finally {
  await Promise.all(Object.values(ways).map(({ pool }) => pool.destroy()));
  db.close();
  for (const subject of [proxy, full, server]) await subject.stop();
  rmSync(scratch, { recursive: true, force: true });
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const medianMs = Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]));
const result = {
  medianMs,
  addedMs: median(times.full) - median(times.direct),
  addedToProxyMs: median(times.full) - median(times.proxy),
  cpuUs,
};
print(result, [
  ['a call of a tool', 'median, ms', 'CPU, µs'],
  ...Object.entries(medianMs).map(([name, ms]) => [
    name,
    ms.toFixed(3),
    name in cpuUs ? cpuUs[name as 'proxy'].toFixed(0) : '',
  ]),
  ['added by mezz (full - direct)', result.addedMs.toFixed(3), ''],
  ['... beyond the proxy (full - proxy)', result.addedToProxyMs.toFixed(3), ''],
]);

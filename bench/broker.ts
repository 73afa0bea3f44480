/**
 * Conflict control where agents meet it: eight agents call a tool through the MCP endpoint, on real files. Eight calls of
 * a second that touch nothing of each other's, at once; and agents that count numbers up, 50 ms a call, every fifth in one
 * file of all: direct to the tool server, with one lock for all of it (mezz has no manifest of it), and with mezz's keys.
 * Usage: node scripts/with-node.js bench/broker.ts [--calls 25] [--json]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const AGENTS = 8;
const WORK_MS = 50;
const SECOND_MS = 1000;

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const files = await startSubject('files', { file: 'files-server.ts' });
const url = files.said.origin as string;
const manifest = join(scratch, 'files.manifest.yaml');
writeFileSync(
  manifest,
  JSON.stringify({ tools: { count: { resources: [{ key: 'file:{path}', access: 'delta' }] } } }),
);
const tools = JSON.stringify({ keyed: { url, manifest }, whole: { url } });
const mezz = await startSubject('mezz', {
  file: 'kernel.ts',
  args: [url, scratch, String(AGENTS), '256', tools],
});
const keys = (mezz.said.keys as string).split(' ');
const direct = new Pool(url, { connections: AGENTS });
const gateway = new Pool(mezz.said.origin as string, { connections: AGENTS });

type Way = 'direct' | 'one lock' | 'mezz';
let calls = 0;

async function count(way: Way, agent: number, path: string, ms: number): Promise<void> {
  // Every call is another: none looks like a loop.
  const n = ++calls;
  const name = { direct: 'count', 'one lock': 'whole__count', mezz: 'keyed__count' }[way];
  const params = { name, arguments: { path, ms, n } };
  const answer = await (way === 'direct' ? direct : gateway).request({
    method: 'POST',
    path: way === 'direct' ? '/' : `/a/${keys[agent]}/mcp`,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: n, method: 'tools/call', params }),
  });
  const text = await answer.body.text();
  if (!text.includes('counted')) throw new Error(`${answer.statusCode}: ${text.slice(0, 400)}`);
}

function newFile(name: string): string {
  const path = join(scratch, name);
  writeFileSync(path, '0');
  return path;
}

const agents = Array.from({ length: AGENTS }, (_, agent) => agent);

async function disjoint(way: Way): Promise<number> {
  const own = agents.map((agent) => newFile(`second-${way}-${agent}`));
  const startedAt = performance.now();
  await Promise.all(own.map((path, agent) => count(way, agent, path, SECOND_MS)));
  return performance.now() - startedAt;
}

async function contend(
  way: Way,
  each: number,
): Promise<{ readonly lost: number; readonly callsPerS: number }> {
  const hot = newFile(`hot-${way}`);
  const own = agents.map((agent) => newFile(`own-${way}-${agent}`));
  const startedAt = performance.now();
  await Promise.all(
    own.map(async (path, agent) => {
      for (let n = 0; n < each; n++) await count(way, agent, n % 5 === 0 ? hot : path, WORK_MS);
    }),
  );
  const tookS = (performance.now() - startedAt) / 1000;
  const kept = [hot, ...own].reduce((sum, path) => sum + Number(readFileSync(path, 'utf8')), 0);
  return { lost: AGENTS * each - kept, callsPerS: (AGENTS * each) / tookS };
}

try {
  const each = option('calls', 25);
  const rows: Record<string, { disjointMs: number; lost: number; callsPerS: number }> = {};
  // Once before it counts: the first calls load what later ones find.
  for (const way of ['direct', 'mezz'] as const) await contend(way, 5);
  for (const way of ['direct', 'one lock', 'mezz'] as const)
    rows[way] = { disjointMs: await disjoint(way), ...(await contend(way, each)) };
  print(rows, [
    ['eight agents', '8 disjoint calls of 1 s, ms', `lost of ${AGENTS * each}`, 'calls a second'],
    ...Object.entries(rows).map(([way, { disjointMs, lost, callsPerS }]) => [
      way,
      disjointMs.toFixed(0),
      String(lost),
      callsPerS.toFixed(1),
    ]),
  ]);
} finally {
  await Promise.all([direct.destroy(), gateway.destroy()]);
  for (const subject of [mezz, files]) await subject.stop();
  rmSync(scratch, { recursive: true, force: true });
}

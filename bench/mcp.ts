/**
 * What mezz adds to a call of a tool by MCP over HTTP, on an idle kernel: in turns direct to the tool server, through a
 * plain MCP proxy, to a server made with the SDK that answers by itself, through one that asks the tool server with the
 * SDK's client, through the whole kernel, and, in the same turns, two durable commits of the same disk (SQLite, WAL,
 * synchronous=FULL, one row each): a call is recorded before it is made and when it is answered. First one call of each
 * way after the other, so that each finds what the others left in the caches of the CPU; then a hundred of each way one
 * behind the other; then eight at once.
 * Usage: node scripts/with-node.js bench/mcp.ts [--rounds 300] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { option, print } from './lab/report.ts';
import { type Subject, startSubject } from './lab/subject.ts';

const AT_ONCE = 8;
const TURN = 100;
/** A kernel that has just come up is still being compiled. */
const WARMUP = 2000;

interface Way {
  readonly pool: Pool;
  readonly path: string;
  readonly tool: string;
  /** The process between the caller and the tool server. */
  readonly subject: Subject | undefined;
  session: Record<string, string>;
}
type Name = 'direct' | 'proxy' | 'sdk' | 'sdk proxy' | 'mezz';

const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
let calls = 0;

const wayTo = (subject: Subject | undefined, to: string, path = '/', tool = 'tool_7'): Way => ({
  pool: new Pool(to, { connections: AT_ONCE }),
  ...{ path, tool, subject, session: {} },
});

const post = ({ pool, path, session }: Way, message: object) =>
  pool.request({
    method: 'POST',
    path,
    headers: { ...headers, ...session },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });

/** The SDK's server wants a session before anything else. */
async function greet(way: Way): Promise<void> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1' },
  };
  const greeting = await post(way, { id: 0, method: 'initialize', params });
  await greeting.body.text();
  const session = greeting.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`no session: ${greeting.statusCode}`);
  way.session = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  await (await post(way, { method: 'notifications/initialized' })).body.dump();
}

/** Every call is another: none repeats what was asked before. */
async function callMs(way: Way): Promise<number> {
  const id = ++calls;
  const params = { name: way.tool, arguments: { path: `/tmp/file-${id}.txt`, n: id } };
  const startedAt = performance.now();
  const answer = await post(way, { id, method: 'tools/call', params });
  const text = await answer.body.text();
  const ms = performance.now() - startedAt;
  if (!text.includes('done done')) throw new Error(`${answer.statusCode}: ${text.slice(0, 400)}`);
  return ms;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** One call of each way after the other: medians in ms, by name. */
async function oneByOne(ways: readonly [Name, Way][], rounds: number, commitsMs: () => number) {
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of ways) times.set(name, [...(times.get(name) ?? []), await callMs(way)]);
    times.set('commits', [...(times.get('commits') ?? []), commitsMs()]);
  }
  return Object.fromEntries([...times].map(([name, all]) => [name, median(all)]));
}

/**
 * Of a call the median in ms, CPU of the process in the middle in µs, and calls a second; of the last two the median of
 * turns.
 */
async function inTurns(ways: readonly [Name, Way][], atOnce: number, turns: number) {
  const times = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  const rate = new Map<string, number[]>();
  for (let turn = 0; turn < turns; turn++)
    for (const [name, way] of ways) {
      const before = (await way.subject?.read())?.cpuUs ?? 0;
      const startedAt = performance.now();
      let left = TURN;
      const took: number[] = [];
      const caller = async () => {
        while (left-- > 0) took.push(await callMs(way));
      };
      await Promise.all(Array.from({ length: atOnce }, caller));
      times.set(name, [...(times.get(name) ?? []), ...took]);
      rate.set(name, [...(rate.get(name) ?? []), (TURN * 1000) / (performance.now() - startedAt)]);
      const after = (await way.subject?.read())?.cpuUs ?? 0;
      cpu.set(name, [...(cpu.get(name) ?? []), (after - before) / TURN]);
    }
  const medians = (all: Map<string, number[]>) =>
    Object.fromEntries([...all].map(([name, values]) => [name, median(values)]));
  return { medianMs: medians(times), cpuUs: medians(cpu), callsPerS: medians(rate) };
}

/** What mezz adds beyond its two commits, and what the SDK adds in its place, ms. */
function over(medianMs: Record<string, number>): Record<string, number> {
  const less = (name: string, by: readonly string[]) =>
    by.reduce((rest, other) => rest - (medianMs[other] as number), medianMs[name] as number);
  return {
    'mezz over a plain proxy and two commits': less('mezz', ['proxy', 'commits']),
    'mezz over direct and two commits': less('mezz', ['direct', 'commits']),
    'the SDK as a proxy over direct': less('sdk proxy', ['direct']),
  };
}

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const server = await startSubject('server', { file: 'mcp-server.ts' });
const origin = server.said.origin as string;
const proxy = await startSubject('proxy', { file: 'mcp-proxy.ts', args: [origin] });
const sdk = await startSubject('sdk', { file: 'mcp-sdk.ts' });
const sdkProxy = await startSubject('sdk proxy', { file: 'mcp-sdk.ts', args: [origin] });
const full = await startSubject('mezz', { file: 'kernel.ts', args: [origin, scratch, '1', '256', origin] });
const ways: [Name, Way][] = [
  ['direct', wayTo(undefined, origin)],
  ['proxy', wayTo(proxy, proxy.said.origin as string)],
  ['sdk', wayTo(sdk, sdk.said.origin as string)],
  ['sdk proxy', wayTo(sdkProxy, sdkProxy.said.origin as string)],
  ['mezz', wayTo(full, full.said.origin as string, `/a/${full.said.keys}/mcp`, 'bench__tool_7')],
];
const db = new DatabaseSync(join(scratch, 'commit.db'));
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)');
const insert = db.prepare('INSERT INTO t(v) VALUES(?)');
function commitsMs(): number {
  const startedAt = performance.now();
  for (let at = 0; at < 2; at++) insert.run('x'.repeat(300));
  return performance.now() - startedAt;
}

try {
  for (const [name, way] of ways) if (name.startsWith('sdk')) await greet(way);
  await inTurns(ways, AT_ONCE, WARMUP / TURN);
  const rounds = option('rounds', 300);
  const medianMs = await oneByOne(ways, rounds, commitsMs);
  const turns = Math.ceil(rounds / TURN);
  const alone = await inTurns(ways, 1, turns);
  const commits = median(Array.from({ length: rounds }, commitsMs));
  const crowd = await inTurns(ways, AT_ONCE, turns);
  const behind: typeof alone = { ...alone, medianMs: { ...alone.medianMs, commits } };
  const overMs = { beside: over(medianMs), behind: over(behind.medianMs) };
  const ms = (value: number | undefined) => (value === undefined ? '' : value.toFixed(3));
  const us = (value: number | undefined) => (value === undefined ? '' : value.toFixed(0));
  print({ medianMs, alone: behind, crowd, overMs }, [
    [
      'a call of a tool',
      'between others, ms',
      'one behind the other, ms',
      'CPU, µs',
      `${AT_ONCE} at once: CPU, µs`,
      'calls a second',
    ],
    ...ways.map(([name, { subject }]) => [
      name,
      ms(medianMs[name]),
      ms(behind.medianMs[name]),
      us(subject && alone.cpuUs[name]),
      us(subject && crowd.cpuUs[name]),
      us(crowd.callsPerS[name]),
    ]),
    ['two commits of this disk', ms(medianMs.commits), ms(commits), '', '', ''],
    ...Object.keys(overMs.beside).map((what) => [
      what,
      ms(overMs.beside[what]),
      ms(overMs.behind[what]),
      '',
      '',
      '',
    ]),
  ]);
} finally {
  await Promise.all(ways.map(([, { pool }]) => pool.destroy()));
  db.close();
  for (const subject of [sdk, sdkProxy, proxy, full, server]) await subject.stop();
  rmSync(scratch, { recursive: true, force: true });
}

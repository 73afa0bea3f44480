/**
 * CPU a model call costs at the gateway: user and system time of the whole gateway process, worker threads included,
 * per request. Compared in one run, in turns, so that what else the machine does hits all alike:
 *   bare     undici's Pool.dispatch behind node:http, nothing else
 *   door     mezz's server, key, body scan, agent, budget, driver; no access policies, no journal (lab/door.ts)
 *   full     the whole kernel as `mezz up` runs it: SQLite with synchronous=FULL, bodies kept, policies, budgets
 *   portkey  @portkey-ai/gateway, pinned (lab/portkey.ts); left out aloud where it cannot be installed
 * The load (this process) and the model API are processes of their own. Ratios count, times depend on the machine.
 * Usage: node scripts/with-node.js bench/gateway.ts [--rounds 5] [--only small] [--no-portkey] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conversation, fresh, small } from './lab/bodies.ts';
import { send, type Target } from './lab/client.ts';
import { startPortkey } from './lab/portkey.ts';
import { formatSpread, note, option, print, type Spread, spread, text } from './lab/report.ts';
import { type Subject, startSubject } from './lab/subject.ts';

interface Gateway {
  readonly subject: Subject;
  readonly target: Target;
}
interface Cell {
  readonly name: string;
  readonly connections: number;
  /** New bodies for each round: nothing is sent twice to one kernel. */
  bodies(round: number): Buffer[];
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const CELLS: readonly Cell[] = [
  {
    name: 'small, 0.3 kB',
    connections: 32,
    bodies: (round) => range(2000).map((i) => small(round * 10_000 + i)),
  },
  {
    name: 'agent, 85 kB, conversation goes on',
    connections: 8,
    bodies: (round) => turnsOf(range(12).map((i) => conversation(1_000_000 + round * 1000 + 50 * i))),
  },
  {
    name: 'agent, 85 kB, conversation is new',
    connections: 8,
    bodies: (round) => range(150).map((i) => fresh(5_000_000 + round * 10_000 + 30 * i)),
  },
  {
    name: 'stream, 200 chunks, one every 5 ms',
    connections: 32,
    bodies: (round) => range(64).map((i) => small(7_000_000 + round * 10_000 + i, 'paced')),
  },
  {
    name: 'stream, 200 chunks at once',
    connections: 8,
    bodies: (round) => range(64).map((i) => small(8_000_000 + round * 10_000 + i, 'burst')),
  },
];

/** The first requests of all conversations, then the second ones, ...: agents that take turns. */
function turnsOf(conversations: readonly (readonly Buffer[])[]): Buffer[] {
  return range(conversations[0]?.length ?? 0).flatMap((turn) =>
    conversations.map((bodies) => bodies[turn] as Buffer),
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const CHAT = '/v1/chat/completions';
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const targetOf = ({ said }: Subject): Target => ({
  origin: said.origin as string,
  path: CHAT,
  callers: (said.keys ?? 'sk-none').split(' ').map(bearer),
});

async function startAll(upstream: string): Promise<Gateway[]> {
  const bare = await startSubject('bare', { file: 'bare.ts', args: [upstream] });
  const door = await startSubject('door', { file: 'door.ts', args: [upstream] });
  const full = await startSubject('full', { file: 'kernel.ts', args: [upstream, scratch] });
  const gateways = [bare, door, full].map((subject) => ({ subject, target: targetOf(subject) }));
  const portkey = process.argv.includes('--no-portkey') ? undefined : await startPortkey();
  if (!portkey) return gateways;
  const callers = [
    { ...bearer('sk-none'), 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream}/v1` },
  ];
  return [
    ...gateways,
    { subject: portkey, target: { origin: portkey.said.origin as string, path: CHAT, callers } },
  ];
}

/** CPU per request in µs. */
async function measure(
  { subject, target }: Gateway,
  bodies: readonly Buffer[],
  connections: number,
): Promise<number> {
  const before = await subject.read();
  await send(target, bodies, connections);
  return ((await subject.read()).cpuUs - before.cpuUs) / bodies.length;
}

type Costs = ReadonlyMap<string, number[]>;

/** In each round every gateway gets the same bodies, one gateway after the other, and the next round begins elsewhere. */
async function play(gateways: readonly Gateway[], cell: Cell, rounds: number): Promise<Costs> {
  const costs = new Map<string, number[]>(gateways.map(({ subject }) => [subject.name, []]));
  for (let round = 0; round < rounds; round++) {
    const bodies = cell.bodies(round);
    for (const turn of range(gateways.length)) {
      const gateway = gateways[(turn + round) % gateways.length] as Gateway;
      costs.get(gateway.subject.name)?.push(await measure(gateway, bodies, cell.connections));
    }
  }
  return costs;
}

interface Row {
  readonly cell: string;
  readonly gateway: string;
  readonly us: Spread;
  /** Per round, this gateway's cost over the bare one's. */
  readonly timesBare: Spread;
  readonly timesPortkey?: Spread;
}

function rowsOf(cell: string, costs: Costs): Row[] {
  const ratios = (of: readonly number[], to: readonly number[]) =>
    spread(of.map((cost, round) => cost / (to[round] as number)));
  const bare = costs.get('bare') ?? [];
  const portkey = costs.get('portkey');
  return [...costs].map(([gateway, us]) => ({
    cell,
    gateway,
    us: spread(us),
    timesBare: ratios(us, bare),
    ...(portkey ? { timesPortkey: ratios(us, portkey) } : {}),
  }));
}

const upstream = await startSubject('upstream', { file: 'upstream.ts' });
const gateways = await startAll(upstream.said.origin as string);
const rows: Row[] = [];
try {
  for (const { target } of gateways)
    await send(
      target,
      range(2000).map((i) => small(90_000_000 + i)),
      32,
    );
  for (const cell of CELLS.filter(({ name }) => name.includes(text('only')))) {
    note(cell.name);
    rows.push(...rowsOf(cell.name, await play(gateways, cell, option('rounds', 5))));
  }
} finally {
  for (const { subject } of gateways) await subject.stop();
  await upstream.stop();
  rmSync(scratch, { recursive: true, force: true });
}
print({ rows }, [
  ['request', 'gateway', 'µs CPU per request', 'x bare', 'x portkey'],
  ...rows.map(({ cell, gateway, us, timesBare, timesPortkey }) => [
    cell,
    gateway,
    formatSpread(us, 0),
    formatSpread(timesBare),
    timesPortkey ? formatSpread(timesPortkey, 3) : '-',
  ]),
]);

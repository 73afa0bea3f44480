/**
 * Time from starting the program to the first served request: `mezz up --foreground` as a user runs it, on a fresh state
 * directory and on one with 100,000 calls, with a warm and with an empty compile cache, from a checkout and as the package
 * brings it, without and with a mezz.yaml, there also to the first call of a model, made at once by an agent of its own;
 * `mezz ps` from start to exit; and the tour of somebody who has nothing yet, with an empty compile cache: to its first answer, and to its end.
 * A bare start of Node is timed in the same turns, since that part is not mezz's. Target: served in < 0.5 s.
 * Usage: node scripts/with-node.js bench/start.ts [--rounds 7] [--calls 100000] [--tours 7] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../src/sdk/client.ts';
import { fill } from './lab/filled.ts';
import { packMezz } from './lab/packed.ts';
import { formatSpread, note, option, print, spread } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const MEZZ = fileURLToPath(new URL('../bin/mezz.js', import.meta.url));
const SETTLED_MS = 1000;
const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const full = join(scratch, 'full');
const warm = join(scratch, 'cache');

function start(args: readonly string[], home: string, cache: string): ChildProcess {
  const env = { ...process.env, MEZZ_HOME: home, XDG_CACHE_HOME: cache };
  return spawn(process.execPath, [...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
}

/** ms until the kernel says where it listens, and until it has answered there. Then `then` runs, and it is ended. */
async function kernel(home: string, cache: string, then?: (origin: string) => Promise<void>, mezz = MEZZ) {
  const startedAt = performance.now();
  const child = start([mezz, 'up', '--foreground', '--port', '0'], home, cache);
  let said = '';
  let origin: string | undefined;
  while (origin === undefined) {
    const [text] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    said += text.toString();
    origin = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
  }
  const readyMs = performance.now() - startedAt;
  const answer = await fetch(`${origin}/readyz`);
  await answer.text();
  const servedMs = performance.now() - startedAt;
  await then?.(origin);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return { startedAt, readyMs, servedMs };
}

async function timed(args: readonly string[], home: string): Promise<number> {
  const startedAt = performance.now();
  const child = start(args, home, warm);
  child.stdout?.resume();
  await once(child, 'exit');
  return performance.now() - startedAt;
}

/** An agent is opened and calls a model: when it has its answer. */
async function firstCall(home: string, origin: string): Promise<number> {
  const { launches } = await new ControlClient(home).call('agent.open', {
    ...{ name: 'first', client: 'generic', cwd: '/', hooks: false },
  });
  const answer = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${launches[0]?.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'gpt-bench', messages: [{ role: 'user', content: 'hello' }] }),
  });
  const said = await answer.text();
  if (!answer.ok) throw new Error(said);
  return performance.now();
}

/** A home with a mezz.yaml. */
function settledHome(upstream: string): string {
  const home = freshHome();
  const backend = `{ url: '${upstream}/v1', dialects: [openai-chat], credential: local, slots: 4 }`;
  const models = 'models:\n  gpt-bench: { backends: [bench], price: free }\n';
  writeFileSync(join(home, 'mezz.yaml'), `backends:\n  bench: ${backend}\n${models}`, { mode: 0o600 });
  return home;
}

/** The tour, and the end of the kernel that it leaves. */
async function tour(home: string, cache: string): Promise<{ firstMs: number; wholeMs: number }> {
  const startedAt = performance.now();
  const child = start([MEZZ, 'tour'], home, cache);
  let firstMs = Number.NaN;
  let said = '';
  child.stdout?.on('data', (text: Buffer) => {
    said += text.toString();
    if (Number.isNaN(firstMs) && said.includes('\u2714')) firstMs = performance.now() - startedAt;
  });
  await once(child, 'close');
  const wholeMs = performance.now() - startedAt;
  await timed([MEZZ, 'down'], home);
  return { firstMs, wholeMs };
}

let rooms = 0;
function freshHome(): string {
  const home = join(scratch, `fresh-${rooms++}`);
  mkdirSync(home, { mode: 0o700 });
  return home;
}

type Timed =
  | 'node'
  | 'fresh'
  | 'packed'
  | 'packedFile'
  | 'packedCall'
  | 'packedFull'
  | 'coldCache'
  | 'full'
  | 'ps'
  | 'tourFirst'
  | 'tour';
const times: Record<Timed, number[]> = {
  node: [],
  fresh: [],
  packed: [],
  packedFile: [],
  packedCall: [],
  packedFull: [],
  coldCache: [],
  full: [],
  ps: [],
  tourFirst: [],
  tour: [],
};
const upstream = await startSubject('upstream', { file: 'upstream.ts' });
const { origin: upstreamOrigin = '' } = upstream.said;
try {
  note('filling a directory');
  await fill(full, option('calls', 100_000));
  const packed = packMezz(join(scratch, 'package'));
  await kernel(freshHome(), warm, undefined, packed);
  await kernel(settledHome(upstreamOrigin), warm, () => sleep(SETTLED_MS), packed);
  const first = freshHome();
  await kernel(first, warm, async () => void (await timed([MEZZ, 'ps'], first)));
  for (let round = 0; round < option('rounds', 7); round++) {
    times.node.push(await timed(['-e', '0'], scratch));
    const home = freshHome();
    times.fresh.push(
      (
        await kernel(home, warm, async () => {
          // A kernel that has just come up still compiles in the background: `ps` is what is timed.
          await sleep(SETTLED_MS);
          times.ps.push(await timed([MEZZ, 'ps'], home));
        })
      ).servedMs,
    );
    times.packed.push((await kernel(freshHome(), warm, undefined, packed)).servedMs);
    const settled = settledHome(upstreamOrigin);
    let calledAt = 0;
    const call = async (origin: string) => {
      calledAt = await firstCall(settled, origin);
    };
    const { startedAt, servedMs } = await kernel(settled, warm, call, packed);
    times.packedFile.push(servedMs);
    times.packedCall.push(calledAt - startedAt);
    times.coldCache.push((await kernel(freshHome(), join(scratch, `cold-${round}`))).servedMs);
    if (round < option('tours', 7)) {
      const { firstMs, wholeMs } = await tour(freshHome(), join(scratch, `tour-${round}`));
      times.tourFirst.push(firstMs);
      times.tour.push(wholeMs);
    }
    const copy = join(scratch, 'copy');
    cpSync(full, copy, { recursive: true });
    times.full.push((await kernel(copy, warm)).servedMs);
    times.packedFull.push((await kernel(copy, warm, undefined, packed)).servedMs);
    rmSync(copy, { recursive: true });
  }
} finally {
  await upstream.stop();
  rmSync(scratch, { recursive: true, force: true });
}
// Without tours there is nothing to say of them.
const measured = Object.entries(times).filter(([, list]) => list.length > 0);
const spreads = Object.fromEntries(measured.map(([name, list]) => [name, spread(list)]));
const names: Record<keyof typeof times, string> = {
  node: 'node -e 0, for comparison',
  fresh: 'first request served, fresh directory',
  packed: '... as the package brings it',
  packedFile: '... and with a mezz.yaml',
  packedCall: '... to an answer of a model, called at once',
  packedFull: '... and with 100,000 calls',
  coldCache: '... with an empty compile cache',
  full: '... directory with 100,000 calls',
  ps: 'mezz ps, to its exit',
  tourFirst: 'mezz tour, to its first answer, empty compile cache',
  tour: '... to its end',
};
print({ calls: option('calls', 100_000), ms: spreads }, [
  ['from the start of the process', 'ms'],
  ...measured.map(([name, list]) => [names[name as keyof typeof times], formatSpread(spread(list), 0)]),
]);

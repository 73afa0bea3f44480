/**
 * Time from starting the program to the first served request: `mezz up --foreground` as a user runs it, on a fresh state
 * directory and on one with 100,000 calls, with a warm and with an empty compile cache, from a checkout and as the package
 * brings it; `mezz ps` from start to exit; and the tour of somebody who has nothing yet, with an empty compile cache: to its first answer, and to its end.
 * A bare start of Node is timed in the same turns, since that part is not mezz's. Target: served in < 0.5 s.
 * Usage: node scripts/with-node.js bench/start.ts [--rounds 7] [--calls 100000] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fill } from './lab/filled.ts';
import { packMezz } from './lab/packed.ts';
import { formatSpread, note, option, print, spread } from './lab/report.ts';

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
async function kernel(home: string, cache: string, then?: () => Promise<void>, mezz = MEZZ) {
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
  await then?.();
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return { readyMs, servedMs };
}

async function timed(args: readonly string[], home: string): Promise<number> {
  const startedAt = performance.now();
  const child = start(args, home, warm);
  child.stdout?.resume();
  await once(child, 'exit');
  return performance.now() - startedAt;
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

type Timed = 'node' | 'fresh' | 'packed' | 'packedFull' | 'coldCache' | 'full' | 'ps' | 'tourFirst' | 'tour';
const times: Record<Timed, number[]> = {
  node: [],
  fresh: [],
  packed: [],
  packedFull: [],
  coldCache: [],
  full: [],
  ps: [],
  tourFirst: [],
  tour: [],
};
try {
  note('filling a directory');
  await fill(full, option('calls', 100_000));
  const packed = packMezz(join(scratch, 'package'));
  await kernel(freshHome(), warm, undefined, packed);
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
    times.coldCache.push((await kernel(freshHome(), join(scratch, `cold-${round}`))).servedMs);
    const { firstMs, wholeMs } = await tour(freshHome(), join(scratch, `tour-${round}`));
    times.tourFirst.push(firstMs);
    times.tour.push(wholeMs);
    const copy = join(scratch, 'copy');
    cpSync(full, copy, { recursive: true });
    times.full.push((await kernel(copy, warm)).servedMs);
    times.packedFull.push((await kernel(copy, warm, undefined, packed)).servedMs);
    rmSync(copy, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const spreads = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, spread(list)]));
const names: Record<keyof typeof times, string> = {
  node: 'node -e 0, for comparison',
  fresh: 'first request served, fresh directory',
  packed: '... as the package brings it',
  packedFull: '... and with 100,000 calls',
  coldCache: '... with an empty compile cache',
  full: '... directory with 100,000 calls',
  ps: 'mezz ps, to its exit',
  tourFirst: 'mezz tour, to its first answer, empty compile cache',
  tour: '... to its end',
};
print({ calls: option('calls', 100_000), ms: spreads }, [
  ['from the start of the process', 'ms'],
  ...Object.entries(times).map(([name, list]) => [
    names[name as keyof typeof times],
    formatSpread(spread(list), 0),
  ]),
]);

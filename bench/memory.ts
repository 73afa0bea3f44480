/**
 * Memory of the kernel after many requests against a tenth of them, and what a request costs late against early: 0.3 kB
 * calls, each a conversation of its own, so that every table of remembered things fills. Read after a collection.
 * Whatever grows with the number of calls would show as the difference; extrapolated to a million it is printed too.
 * Usage: node scripts/with-node.js bench/memory.ts [--requests 100000] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { small } from './lab/bodies.ts';
import { send, type Target } from './lab/client.ts';
import type { Reading } from './lab/meter.ts';
import { note, option, print } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const requests = option('requests', 100_000);
const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const upstream = await startSubject('upstream', { file: 'upstream.ts' });
const kernel = await startSubject('full', {
  file: 'kernel.ts',
  args: [upstream.said.origin as string, scratch],
  node: ['--expose-gc'],
});
const target: Target = {
  origin: kernel.said.origin as string,
  path: '/v1/chat/completions',
  callers: (kernel.said.keys as string).split(' ').map((key) => ({ authorization: `Bearer ${key}` })),
};

const STEPS = 20;
const readings: Reading[] = [await kernel.read()];
try {
  for (let step = 0; step < STEPS; step++) {
    const count = requests / STEPS;
    await send(
      target,
      Array.from({ length: count }, (_, i) => small(step * count + i)),
      32,
    );
    readings.push(await kernel.read());
    note(`${(step + 1) * count} requests: ${mb(readings.at(-1)?.rssBytes ?? 0)} MB`);
  }
} finally {
  await kernel.stop();
  await upstream.stop();
  rmSync(scratch, { recursive: true, force: true });
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

const at = (share: number) => readings[Math.round(share * STEPS)] as Reading;
const [early, half, late] = [at(0.1), at(0.5), at(1)];
/** What the second half added, per request, times a million: what remembers without a bound would go on like this. */
const perMillion = (kind: 'rssBytes' | 'heapBytes') => ((late[kind] - half[kind]) / (requests / 2)) * 1e6;
const cpu = (from: number, to: number) => (at(to).cpuUs - at(from).cpuUs) / ((to - from) * requests);
const result = {
  requests,
  rss: {
    early: early.rssBytes,
    late: late.rssBytes,
    ratio: late.rssBytes / early.rssBytes,
    perMillion: perMillion('rssBytes'),
  },
  heap: {
    early: early.heapBytes,
    late: late.heapBytes,
    ratio: late.heapBytes / early.heapBytes,
    perMillion: perMillion('heapBytes'),
  },
  cpuPerRequest: { earlyUs: cpu(0.05, 0.1), lateUs: cpu(0.95, 1), ratio: cpu(0.95, 1) / cpu(0.05, 0.1) },
};
print(result, [
  ['', `${requests / 10} requests`, `${requests} requests`, 'ratio', 'a million more adds'],
  ['RSS, MB', mb(early.rssBytes), mb(late.rssBytes), result.rss.ratio.toFixed(2), mb(result.rss.perMillion)],
  [
    'heap, MB',
    mb(early.heapBytes),
    mb(late.heapBytes),
    result.heap.ratio.toFixed(2),
    mb(result.heap.perMillion),
  ],
  [
    'CPU per request, µs',
    result.cpuPerRequest.earlyUs.toFixed(0),
    result.cpuPerRequest.lateUs.toFixed(0),
    result.cpuPerRequest.ratio.toFixed(2),
    '',
  ],
]);

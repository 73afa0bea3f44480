/**
 * How often this process really syncs to disk: by fsync, or by a write to a file that is open for synchronous writing (the
 * redo log). Counted by strace where it may attach, else by the disk's flush counter.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Syncs {
  readonly count: number;
  readonly how: 'strace' | 'flushes of all disks, other programs included';
}

/** Undefined where neither can be had. */
export async function countSyncs(work: () => Promise<void>): Promise<Syncs | undefined> {
  const traced = await withStrace(work);
  if (traced !== undefined) return { count: traced, how: 'strace' };
  const before = diskFlushes();
  await work();
  const after = diskFlushes();
  if (before === undefined || after === undefined) return undefined;
  return { count: after - before, how: 'flushes of all disks, other programs included' };
}

async function withStrace(work: () => Promise<void>): Promise<number | undefined> {
  if (spawnSync('strace', ['-V']).error) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'mezz-strace-'));
  const log = join(folder, 'log');
  const tracer = spawn(
    'strace',
    ['-f', '-y', '-e', 'trace=fsync,fdatasync,pwrite64', '-o', log, '-p', String(process.pid)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const attached = await new Promise<boolean>((resolve) => {
    tracer.once('exit', () => resolve(false));
    tracer.stderr.on('data', (text: Buffer) => text.includes('attached') && resolve(true));
  });
  try {
    if (!attached) return undefined;
    await work();
    const ended = new Promise((resolve) => tracer.once('exit', resolve));
    tracer.kill('SIGINT');
    await ended;
    return readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => /\b((fsync|fdatasync)\(|pwrite64\(\d+<[^>]*mezz\.redo>)/.test(line)).length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Column 19 of /proc/diskstats: flush requests completed. */
function diskFlushes(): number | undefined {
  try {
    const lines = readFileSync('/proc/diskstats', 'utf8').trim().split('\n');
    return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[18] ?? 0), 0);
  } catch {
    return undefined;
  }
}

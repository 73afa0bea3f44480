/**
 * Which ports of this machine belong to which processes, as far as /proc tells (proc(5)): nothing where there is none, and
 * nothing of another user's processes. Programs are found by `pgrep`, which reads patterns as `pkill` does.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { ProcessNames } from '../base/ports.ts';
import { LIMITS } from './limits.ts';

/** The ports that these processes, or those that they started, listen on. */
export async function portsOf(processes: ProcessNames): Promise<number[]> {
  const named = 'pids' in processes ? processes.pids : await found(processes.like);
  if (named.length === 0) return [];
  const [listening, all] = await Promise.all([listeners(), withDescendants(named)]);
  const ports = new Set<number>();
  for (const pid of all)
    for (const inode of await socketsOf(pid)) {
      const port = listening.get(inode);
      if (port !== undefined) ports.add(port);
    }
  return [...ports];
}

function found(like: readonly string[]): Promise<number[]> {
  return new Promise((done) => {
    execFile('pgrep', [...like], { timeout: LIMITS.processLookMs.value }, (_error, out) =>
      done(out.split('\n').filter(Boolean).map(Number)),
    );
  });
}

/** Ports in state LISTEN, by the inode of their socket. */
async function listeners(): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n')) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && inode) ports.set(inode, Number.parseInt(local.split(':')[1] ?? '', 16));
    }
  return ports;
}

async function withDescendants(pids: readonly number[]): Promise<ReadonlySet<number>> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    // Its name stands in parentheses and may hold any character.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(/\) \S (\d+)[^)]*$/.exec(stat)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all = new Set(pids);
  // What is added is gone through as well.
  for (const pid of all) for (const child of children.get(pid) ?? []) all.add(child);
  return all;
}

async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder).catch(() => [])).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')),
  );
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

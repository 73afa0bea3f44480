/**
 * A network namespace with nothing but loopback: what runs in it can reach nothing outside, whatever it tries. A test
 * file starts itself again inside it, so that its tests, the kernel, the clients and the upstream share the namespace.
 * No name resolves there, and which names were asked for is kept: they are what a client does round its base URL.
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MARK = 'MEZZ_TEST_ENCLOSED';
const PREPARE =
  '(ip link set lo up || ifconfig lo 127.0.0.1 up) && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
/** Root may make a namespace; others through a user namespace, where the system allows it. */
const WAYS = [
  ['--net', '--mount'],
  ['--map-root-user', '--net', '--mount'],
];

export const isEnclosed = (): boolean => process.env[MARK] !== undefined;

/** Runs this very process's program again inside a namespace, its output as ours. Says why it cannot. */
export function runEnclosed(): { readonly status: number } | { readonly missing: string } {
  const folder = mkdtempSync(join(tmpdir(), 'mezz-enclosed-'));
  const resolver = join(folder, 'resolv.conf');
  writeFileSync(resolver, 'nameserver 127.0.0.1\noptions attempts:1\n');
  const enclosed = (flags: readonly string[]) => [...flags, 'sh', '-c', PREPARE, 'sh', resolver];
  try {
    const way = WAYS.find(
      (flags) => spawnSync('unshare', [...enclosed(flags), 'true'], { stdio: 'ignore' }).status === 0,
    );
    if (!way)
      return {
        missing:
          'no network namespace: it needs Linux, unshare, mount, ip or ifconfig, and root or user namespaces',
      };
    const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const done = spawnSync('unshare', [...enclosed(way), ...program], {
      stdio: 'inherit',
      env: { ...process.env, [MARK]: '1' },
    });
    return { status: done.status ?? 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Answers every question for a name with "there is none" (RFC 1035, RCODE 3), at once. Returns the names asked for. */
export async function refuseNames(): Promise<{
  readonly asked: ReadonlySet<string>;
  close(): Promise<void>;
}> {
  const asked = new Set<string>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, end } = readQuestion(query);
    asked.add(name);
    const answer = Buffer.from(query.subarray(0, end));
    answer.writeUInt16BE(0x8183, 2);
    answer.fill(0, 6, 12);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(53, '127.0.0.1');
  await once(socket, 'listening');
  return {
    asked,
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** The one question of a query begins after its 12 bytes of header: labels with their lengths, a zero, type and class. */
function readQuestion(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (at < query.length && query[at] !== 0) {
    const length = query[at] as number;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 5 };
}

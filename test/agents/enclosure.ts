/**
 * A network namespace with nothing but loopback: what runs in it can reach nothing outside, whatever it tries. A test
 * file starts itself again inside it, so that its tests, the kernel, the clients and the upstream share the namespace.
 */
import { spawnSync } from 'node:child_process';

const MARK = 'MEZZ_TEST_ENCLOSED';
const RAISE_LOOPBACK = '(ip link set lo up || ifconfig lo 127.0.0.1 up) 2>/dev/null || exit 125; exec "$@"';
/** Root may make a namespace; others through a user namespace, where the system allows it. */
const WAYS = [['-n'], ['-r', '-n']];

export const isEnclosed = (): boolean => process.env[MARK] !== undefined;

function findWay(): readonly string[] | undefined {
  return WAYS.find(
    (flags) =>
      spawnSync('unshare', [...flags, 'sh', '-c', RAISE_LOOPBACK, 'sh', 'true'], { stdio: 'ignore' })
        .status === 0,
  );
}

/** Runs this very process's program again inside a namespace, its output as ours. Says why it cannot. */
export function runEnclosed(): { readonly status: number } | { readonly missing: string } {
  const flags = findWay();
  if (!flags)
    return {
      missing:
        'no network namespace: it needs unshare, ip or ifconfig, and root or user namespaces (Linux only)',
    };
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const done = spawnSync('unshare', [...flags, 'sh', '-c', RAISE_LOOPBACK, 'sh', ...program], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  return { status: done.status ?? 1 };
}

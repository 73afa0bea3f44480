/**
 * Portkey's open gateway as its users run it, pinned, installed when a benchmark asks for it into .cache/ and never a
 * dependency. Install scripts stay off (its own would fail). Two of its dependencies are held back, because with newer
 * ones it answers every stream with an error. It would listen on all interfaces: lab/loopback.cjs prevents that.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { note } from './report.ts';
import { type Subject, startSubject } from './subject.ts';

const VERSION = '1.15.2';
const HONO = { hono: '4.9.7', '@hono/node-server': '1.13.5' };
const here = dirname(fileURLToPath(import.meta.url));
const folder = join(dirname(dirname(here)), '.cache', `portkey-${VERSION}`);
const entry = join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');

/** How Node starts it, without its port; undefined, said aloud, where it cannot be installed. */
export function installedPortkey(): { node: readonly string[]; entry: string; version: string } | undefined {
  if (existsSync(entry) || install())
    return { node: ['--require', join(here, 'loopback.cjs')], entry, version: VERSION };
  note(`portkey: left out, @portkey-ai/gateway ${VERSION} could not be installed`);
  return undefined;
}

export async function startPortkey(): Promise<Subject | undefined> {
  const installed = installedPortkey();
  if (!installed) return undefined;
  const port = await freePort();
  const subject = await startSubject('portkey', {
    file: entry,
    args: ['--headless', `--port=${port}`],
    node: installed.node,
    env: { NODE_ENV: 'production' },
    ready: () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      ),
  });
  return { ...subject, said: { origin: `http://127.0.0.1:${port}` } };
}

function install(): boolean {
  mkdirSync(folder, { recursive: true });
  const dependencies = { '@portkey-ai/gateway': VERSION, ...HONO };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies, overrides: HONO }),
  );
  const done = spawnSync(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    },
  );
  return done.status === 0 && existsSync(entry);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

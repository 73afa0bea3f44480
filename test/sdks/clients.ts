/**
 * test/sdks/ owns programs that use the vendors' SDKs as their documentation does: one script a client, each run as a
 * process of its own that knows a base URL and a key from its environment and nothing else. Versions are pinned here.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Launch } from '../../src/base/control.ts';
import { genericEnvironment } from '../../src/cli/adapters/generic.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const VENV = join(HERE, '..', '..', '.cache', 'python-sdks');

export type Language = 'js' | 'py';

/** What one task of a script gave. */
export interface Line {
  readonly task: string;
  readonly model: string;
  readonly got?: unknown;
  readonly thrown?: { readonly name: string; readonly status?: number; readonly message: string };
}

/** Installs the pinned packages unless they are there; says why they cannot be had, or nothing. */
export function install(language: Language): string | undefined {
  return language === 'js' ? installNpm() : installPip();
}

function installNpm(): string | undefined {
  const lock = join(HERE, 'package-lock.json');
  const installed = join(HERE, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return undefined;
  const done = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HERE });
  return done.status === 0 ? undefined : `npm ci failed: ${tail(done)}`;
}

function installPip(): string | undefined {
  const wanted = join(HERE, 'requirements.txt');
  const stamp = join(VENV, 'installed');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(wanted).mtimeMs) return undefined;
  mkdirSync(join(VENV, '..'), { recursive: true });
  const made = spawnSync('python3', ['-m', 'venv', VENV]);
  if (made.status !== 0) return `there is no Python with venv: ${tail(made)}`;
  const done = spawnSync(join(VENV, 'bin', 'pip'), ['install', '--quiet', '-r', wanted]);
  if (done.status !== 0) return `pip install failed: ${tail(done)}`;
  writeFileSync(stamp, '');
  return undefined;
}

const tail = (done: { readonly stderr: Buffer | null; readonly error?: Error | undefined }): string =>
  (done.error?.message ?? String(done.stderr)).trim().split('\n').at(-1) ?? '';

/** Runs tasks of one script with the environment that `mezz env` prints for `launch`. */
export async function runClient(
  script: string,
  launch: Launch,
  tasks: readonly (readonly [task: string, model: string])[],
): Promise<Line[]> {
  const program = script.endsWith('.py') ? join(VENV, 'bin', 'python') : process.execPath;
  const { env } = genericEnvironment(launch, {});
  const child = spawn(program, [join(HERE, script), ...tasks.flat()], {
    env: { ...env, PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${err}`);
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

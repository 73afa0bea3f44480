/**
 * llama-server as its users run it, of the very version that the embedded engine is made of: its source travels in the
 * package node-llama-cpp as a bundle of git, and is built by cmake into .cache/ when a benchmark asks for it. Nothing is
 * downloaded. The build takes some minutes of all processors.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './portkey.ts';
import { note } from './report.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const bundle = join(root, 'node_modules', 'node-llama-cpp', 'llama', 'gitRelease.bundle');
const folder = join(root, '.cache', 'llama-server');
const binary = join(folder, 'build', 'bin', 'llama-server');

/** Everything that would be fetched, or is not the server, is left out. */
const OPTIONS = [
  'CMAKE_BUILD_TYPE=Release',
  'BUILD_SHARED_LIBS=OFF',
  ...['TESTS', 'EXAMPLES', 'APP', 'UI'].map((part) => `LLAMA_BUILD_${part}=OFF`),
  'LLAMA_USE_PREBUILT_UI=OFF',
  'LLAMA_OPENSSL=OFF',
  'GGML_OPENMP=OFF',
];

/** The program, built where it is not yet; undefined, said aloud, where it cannot be. */
export function builtLlamaServer(): string | undefined {
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const source = join(folder, 'source');
  const run = (program: string, args: readonly string[]) =>
    spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  note('llama-server: built from the source in node-llama-cpp; that takes some minutes');
  const isBuilt =
    existsSync(bundle) &&
    (existsSync(source) || run('git', ['clone', '--quiet', bundle, source])) &&
    run('cmake', ['-S', source, '-B', join(folder, 'build'), ...OPTIONS.map((one) => `-D${one}`)]) &&
    run('cmake', [
      ...['--build', join(folder, 'build'), '--target', 'llama-server'],
      ...['-j', String(availableParallelism())],
    ]);
  if (isBuilt) return binary;
  note('llama-server: left out, it could not be built (git, cmake and a C++ compiler are needed)');
  return undefined;
}

export interface LlamaServer {
  readonly origin: string;
  stop(): Promise<void>;
}

export async function startLlamaServer(program: string, model: string, slots: number): Promise<LlamaServer> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const window = 4096 * slots;
  const child: ChildProcess = spawn(
    program,
    [
      ...['--model', model, '--host', '127.0.0.1', '--port', String(port), '--parallel', String(slots)],
      ...['--ctx-size', String(window), '--threads', '1', '--offline'],
    ],
    { stdio: 'ignore' },
  );
  // A benchmark that fails leaves no server behind.
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isReady = () =>
    fetch(`${origin}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`llama-server ended early (${child.exitCode})`);
    await sleep(200);
  }
  return {
    origin,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

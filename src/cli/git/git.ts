/**
 * git/ owns the worktrees of agents: how they are made, looked at, merged and thrown away, by the system's git.
 * Invariant: no work is lost without its commit id being said; git runs with arguments (never by a shell), with the
 * user's own configuration and hooks. It must not know: what runs in a worktree, or the kernel.
 */
import { spawn } from 'node:child_process';
import type { Environment } from '../../sdk/home.ts';
import { UsageFailure } from '../exit.ts';

export interface GitResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Variables of git that say who the user is and which tools they like, not which repository is meant. */
const KEPT =
  /^GIT_(AUTHOR|COMMITTER)_|^GIT_(EDITOR|PAGER|ASKPASS|SSH|SSH_COMMAND)$|^GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)$/;

/** The environment without GIT_DIR and its like: inherited from a hook, they would point at another repository. */
export function gitEnvironment(env: Environment): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (!entry[0].startsWith('GIT_') || KEPT.test(entry[0])),
  );
  return Object.fromEntries(kept);
}

/** The system's git in one directory. */
export class Git {
  readonly directory: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(directory: string, env: Environment, more: Readonly<Record<string, string>> = {}) {
    this.directory = directory;
    // Messages are read by programs here: git speaks plain English to them.
    this.#env = { ...gitEnvironment(env), LC_ALL: 'C', ...more };
  }

  in(directory: string): Git {
    return new Git(directory, {}, this.#env);
  }

  with(more: Readonly<Record<string, string>>): Git {
    return new Git(this.directory, {}, { ...this.#env, ...more });
  }

  run(...args: readonly string[]): Promise<GitResult> {
    return new Promise((resolve, reject) => {
      const child = spawn('git', args, {
        cwd: this.directory,
        env: this.#env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const parts = { out: [] as Buffer[], err: [] as Buffer[] };
      child.stdout.on('data', (part: Buffer) => parts.out.push(part));
      child.stderr.on('data', (part: Buffer) => parts.err.push(part));
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(new UsageFailure(`git cannot be run: ${error.message}`, 'install git', 1)),
      );
      child.once('close', (code) => {
        const [out, err] = [parts.out, parts.err].map((list) => Buffer.concat(list).toString('utf8'));
        resolve({ code: code ?? 1, out: out ?? '', err: err ?? '' });
      });
    });
  }

  /** What it prints, without the last line's end; fails with git's own words and what to do about them. */
  async text(args: readonly string[], remedy?: string): Promise<string> {
    const { code, out, err } = await this.run(...args);
    if (code === 0) return out.replace(/\n$/, '');
    throw new UsageFailure(`git ${args[0]} failed: ${err.trim() || out.trim()}`, remedy, 1);
  }

  async ok(...args: readonly string[]): Promise<boolean> {
    return (await this.run(...args)).code === 0;
  }

  /** The commit a name stands for, or undefined. */
  async commit(name: string): Promise<string | undefined> {
    const { code, out } = await this.run('rev-parse', '--quiet', '--verify', `${name}^{commit}`);
    return code === 0 ? out.trim() : undefined;
  }

  /** Prints on the terminal as git itself would: with the user's pager and colours. Returns git's exit code. */
  showOnTerminal(args: readonly string[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const child = spawn('git', args, { cwd: this.directory, env: this.#env, stdio: 'inherit' });
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    });
  }
}

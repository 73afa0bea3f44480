/** kill -9 of a real kernel process at random points, under load: what was acknowledged, what is lost, what ran twice. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, seededRandom } from '../src/base/random.ts';
import { ControlClient } from '../src/sdk/client.ts';
import { configText, send } from './kernel.ts';
import { startUpstream } from './upstream/upstream.ts';

const BIN = new URL('../bin/mezz.js', import.meta.url).pathname;
/** Kills between two proofs of the whole store. */
const PROVE_EVERY = 20;
const CLIENTS = 4;
/** A kernel is killed after so many answers at most, and so many ms later: load decides, not the machine's speed. */
const MOST_ANSWERS = 30;
const LONGEST_MS = 30;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface Killed {
  readonly kills: number;
  /** Calls whose whole answer, its terminal part included, reached the client. */
  readonly acknowledged: number;
  /** Calls that were acknowledged and are not there as done, one line each. */
  readonly lost: readonly string[];
  /** Requests that the upstream got more than once though each was sent once. */
  readonly repeated: number;
  /** What audit, fsck and the list of running calls say after restarts, one line each. */
  readonly problems: readonly string[];
}

/** Starts and kills `kills` kernels on one directory, each after a random time under load. */
export async function killKernels(kills: number, seed: number): Promise<Killed> {
  const upstream = await startUpstream(() => ({ text: 'Some words to stream.', chunkBytes: 60 }));
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-kill-'));
  writeFileSync(join(stateDir, 'mezz.yaml'), configText(upstream.origin), { mode: 0o600 });
  const victim = new Victim(stateDir, seededRandom(seed));
  try {
    for (let run = 1; run <= kills; run++) {
      await victim.killOnce(run);
      // Every start recovers; the whole store is proven now and then.
      if (run % PROVE_EVERY === 0 || run === kills) await victim.prove();
    }
    const bodies = upstream.requests.map(({ body }) => body.toString());
    const { acknowledged, lost, problems } = victim;
    const repeated = bodies.length - new Set(bodies).size;
    return { kills, acknowledged: acknowledged.length, lost, repeated, problems };
  } finally {
    victim.end();
    await upstream.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

class Victim {
  readonly #kernel: KernelProcess;
  readonly #random: Random;
  readonly acknowledged: string[] = [];
  readonly lost: string[] = [];
  readonly problems: string[] = [];
  #token = '';
  #looked = 0;

  constructor(stateDir: string, random: Random) {
    this.#kernel = new KernelProcess(stateDir);
    this.#random = random;
  }

  async killOnce(run: number): Promise<void> {
    const origin = await this.#kernel.up();
    if (this.#token === '') {
      const agent = { name: 'load', client: 'generic', cwd: '/', hooks: false };
      this.#token = (await this.#kernel.control.call('agent.open', agent)).launches[0]?.token ?? '';
    }
    const load = Array.from({ length: CLIENTS }, (_, client) => this.#load(origin, `${run}.${client}`));
    await this.#answered(this.#random.unit() * MOST_ANSWERS);
    await sleep(this.#random.unit() * LONGEST_MS);
    this.end();
    await Promise.all(load);
  }

  async #answered(more: number): Promise<void> {
    const until = this.acknowledged.length + Math.floor(more);
    while (this.acknowledged.length < until) await sleep(1);
  }

  /** Sends one request after the other, none twice, until the kernel is gone. */
  async #load(origin: string, name: string): Promise<void> {
    for (let i = 0; ; i++) {
      const body = `{"model":"claude-x","max_tokens":50,"stream":${i % 2 === 0},"messages":[{"role":"user","content":"${name}.${i}"}]}`;
      const headers = { 'x-mezz-key': this.#token };
      const reply = await send(`${origin}/v1/messages`, body, headers).catch(() => undefined);
      if (!reply) return;
      const isWhole = reply.status === 200 && /message_stop|"stop_reason"/.test(reply.body.toString());
      if (isWhole) this.acknowledged.push(String(reply.headers['x-mezz-call']));
    }
  }

  /** Starts once more and looks: the log, the rows, every call that was acknowledged since the last time. */
  async prove(): Promise<void> {
    await this.#kernel.up();
    const { control } = this.#kernel;
    this.problems.push(...(await control.call('audit.verify', {})).problems);
    this.problems.push(...(await control.call('fsck', {})).problems);
    for (; this.#looked < this.acknowledged.length; this.#looked++) {
      const { call } = await control.call('trace', { call: this.acknowledged[this.#looked] as string });
      if (call.state !== 'done') this.lost.push(`${call.id} was acknowledged and is ${call.state}`);
    }
    for (const { id } of (await control.call('calls', { state: 'running' })).calls)
      this.problems.push(`${id} is still running after a restart`);
    this.end();
  }

  end(): void {
    this.#kernel.end();
  }
}

/** A kernel in a process of its own, started again and again on one directory. */
export class KernelProcess {
  readonly #stateDir: string;
  readonly control: ControlClient;
  #child: ChildProcess | undefined;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.control = new ControlClient(stateDir);
  }

  /** Its origin, once it listens. */
  async up(): Promise<string> {
    // A trial of the backend would send the same again after each start.
    const child = spawn(process.execPath, [BIN, 'up', '--foreground', '--no-try', '--port', '0'], {
      env: { ...process.env, MEZZ_HOME: this.#stateDir },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    this.#child = child;
    for (let i = 0; i < 1000; i++) {
      const status = await this.control.call('status', {}).catch(() => undefined);
      if (status !== undefined && status.pid === child.pid) return status.origin;
      await sleep(10);
    }
    throw new Error('the kernel did not start');
  }

  end(): void {
    this.#child?.kill('SIGKILL');
  }
}

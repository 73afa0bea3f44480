/**
 * kill -9 of a real kernel at random points while agents call a real tool server that counts its own effects. The agents'
 * clients do what transports do: they send what was cut once more, as it was, until somebody answers.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, seededRandom } from '../src/base/random.ts';
import { configText, send } from './kernel.ts';
import { KernelProcess } from './killing.ts';

/** What a second sending of each tool would do. */
const CLASSES = { bump: 'unsafe', put: 'idempotent', send: 'keyed', post: 'checkable' } as const;
const TOOLS = Object.keys(CLASSES) as (keyof typeof CLASSES)[];
const CLIENTS = 4;
const MOST_ANSWERS = 12;
const LONGEST_MS = 40;
/** Kernels between two looks at the whole store. */
const PROVE_EVERY = 25;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export interface KilledTools {
  readonly kills: number;
  /** Calls whose answer reached a client, and of those the ones that were told to be in doubt. */
  readonly answered: number;
  readonly doubted: number;
  /** Requests that were sent once more because the first was cut. */
  readonly resent: number;
  /** Effects that happened twice though their tool does not bear it, one line each. */
  readonly repeated: readonly string[];
  /** Calls that were answered as done and are not, one line each. */
  readonly lost: readonly string[];
  readonly problems: readonly string[];
}

interface Request {
  readonly tool: keyof typeof CLASSES;
  readonly id: string;
  readonly body: string;
}

export async function killToolKernels(kills: number, seed: number): Promise<KilledTools> {
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-killtools-'));
  const effects = join(stateDir, 'effects.txt');
  writeFileSync(effects, '');
  writeFileSync(join(stateDir, 'mezz.yaml'), settings(stateDir, effects), { mode: 0o600 });
  const load = new Load(new KernelProcess(stateDir), seededRandom(seed));
  try {
    for (let run = 1; run <= kills; run++) await load.killOnce(run);
    await load.finish();
    const done = readFileSync(effects, 'utf8').split('\n').filter(Boolean);
    return { kills, ...load.counts, ...judge(done, load.acknowledged), problems: load.problems };
  } finally {
    load.end();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** Every call has a key of its own, so that many run at once. */
function settings(stateDir: string, effects: string): string {
  const resources = [{ key: 'server:{server}/{id}', access: 'delta' }];
  const check = { tool: 'posted', input: { id: '{id}' }, done: 'has {id}' };
  const tools = {
    ...Object.fromEntries(
      TOOLS.map((name) => [name, { resources, retry: CLASSES[name], ...(name === 'post' ? { check } : {}) }]),
    ),
    posted: { resources: [], retry: 'pure' },
  };
  const manifest = join(stateDir, 'effects.manifest.yaml');
  writeFileSync(manifest, JSON.stringify({ tools }));
  const command = [process.execPath, join(import.meta.dirname, 'upstream/effects.ts'), effects];
  return configText('http://127.0.0.1:9', `tools: ${JSON.stringify({ box: { command, manifest } })}`);
}

class Load {
  readonly #kernel: KernelProcess;
  readonly #random: Random;
  readonly acknowledged: string[] = [];
  readonly problems: string[] = [];
  readonly counts = { answered: 0, doubted: 0, resent: 0 };
  /** What each client sent and never heard of. */
  readonly #cut: (Request | undefined)[] = Array.from({ length: CLIENTS }, () => undefined);
  #tokens: string[] = [];

  constructor(kernel: KernelProcess, random: Random) {
    this.#kernel = kernel;
    this.#random = random;
  }

  async killOnce(run: number): Promise<void> {
    const origin = await this.#kernel.up();
    if (run % PROVE_EVERY === 0) await this.#prove();
    while (this.#tokens.length < CLIENTS) {
      const agent = { name: `load${this.#tokens.length}`, client: 'generic', cwd: '/', hooks: false };
      const { launches } = await this.#kernel.control.call('agent.open', agent);
      this.#tokens.push(launches[0]?.token ?? '');
    }
    const clients = this.#tokens.map((_, client) => this.#client(origin, client, `${run}.${client}`));
    const until = this.counts.answered + Math.floor(this.#random.unit() * MOST_ANSWERS);
    while (this.counts.answered < until) await sleep(1);
    await sleep(this.#random.unit() * LONGEST_MS);
    this.end();
    await Promise.all(clients);
  }

  /** The last kernel lives until every client was answered. */
  async finish(): Promise<void> {
    const origin = await this.#kernel.up();
    await Promise.all(
      this.#cut.map(async (request, client) => request && this.#send(origin, client, request)),
    );
    await this.#prove();
    // One that was answered as done and is in doubt now was answered before that was durable.
    const { doubts } = await this.#kernel.control.call('inbox', {});
    if (doubts.length !== this.counts.doubted)
      this.problems.push(`${doubts.length} calls are in doubt, and ${this.counts.doubted} were told so`);
  }

  /** One request after the other until the kernel is gone; first the one that was cut. */
  async #client(origin: string, client: number, name: string): Promise<void> {
    for (let i = 0; ; i++) {
      const cut = this.#cut[client];
      if (cut) this.counts.resent++;
      const request = cut ?? this.#newRequest(`${name}.${i}`);
      this.#cut[client] = request;
      if (!(await this.#send(origin, client, request))) return;
      this.#cut[client] = undefined;
    }
  }

  /** Half of them name their use; the others rely on the ledger knowing what was never answered. */
  #newRequest(id: string): Request {
    const pick = (most: number) => Math.floor(this.#random.unit() * most);
    const tool = TOOLS[pick(TOOLS.length)] as Request['tool'];
    const meta = pick(2) === 0 ? { _meta: { idempotencyKey: id } } : {};
    const params = {
      name: `box__${tool}`,
      arguments: { id, afterMs: pick(12), beforeMs: pick(12) },
      ...meta,
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    return { tool, id, body };
  }

  async #send(origin: string, client: number, { tool, id, body }: Request): Promise<boolean> {
    const reply = await send(`${origin}/a/${this.#tokens[client]}/mcp`, body).catch(() => undefined);
    if (!reply) return false;
    const text = reply.body.toString();
    this.counts.answered++;
    if (/may or may not have taken effect/.test(text)) {
      this.counts.doubted++;
      if (tool !== 'bump') this.problems.push(`${tool} ${id} need not be in doubt: ${text}`);
    } else if (/"isError":true|"error"/.test(text)) this.problems.push(`${tool} ${id}: ${text}`);
    else this.acknowledged.push(`${tool} ${id}`);
    return true;
  }

  async #prove(): Promise<void> {
    const { control } = this.#kernel;
    this.problems.push(...(await control.call('audit.verify', {})).problems);
    this.problems.push(...(await control.call('fsck', {})).problems);
  }

  end(): void {
    this.#kernel.end();
  }
}

function judge(done: readonly string[], acknowledged: readonly string[]) {
  const times = new Map<string, number>();
  for (const line of done) {
    const name = line.split(' ', 2).join(' ');
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  // An idempotent one may be there twice: that is what the word means.
  const repeated = [...times].filter(([name, count]) => count > 1 && !name.startsWith('put '));
  return {
    repeated: repeated.map(([name]) => done.filter((line) => `${line} `.startsWith(`${name} `)).join(', ')),
    lost: acknowledged
      .filter((name) => !times.has(name))
      .map((name) => `${name} was acknowledged and is not there`),
  };
}

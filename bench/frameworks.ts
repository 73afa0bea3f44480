/**
 * Agents of four unmodified frameworks at once (LangGraph, OpenAI Agents SDK, AI SDK, Claude Code), each with one turn of
 * five model calls with a tool between them, on a backend with one slot: one that turns away what it cannot serve at
 * once, which is the baseline of the AIOS paper, and one that queues; direct and through mezz. What a framework retries
 * by itself it retries, with its own defaults; a turn that fails all the same is begun again at once, from its start. A
 * call takes what AIOS's own measurement draws (log-normal, about 0.5 s, at most 8 s), by agent and step, so it is the
 * same work in each arm. Everything is on loopback; the clients' other connections end at the backend.
 * Usage: node scripts/with-node.js bench/frameworks.ts [--agents 6] [--claudes 2] [--seed 1] [--slots 1] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../src/base/hash.ts';
import { installClients } from '../test/agents/clients.ts';
import { install } from '../test/sdks/clients.ts';
import { note, option, print } from './lab/report.ts';
import { openSlotted, type Slotted } from './lab/slotted.ts';
import { startSubject } from './lab/subject.ts';

const CALLS = 5;
const LONGEST_MS = 8000;
const SCRIPTS = {
  LangGraph: 'crowd-langgraph',
  'OpenAI Agents': 'crowd-openai-agents',
  'AI SDK': 'crowd-ai-sdk',
};
const CLAUDE = 'Claude Code';

interface Agent {
  readonly framework: string;
  readonly name: string;
  /** Where its model is, and its key there: the base URL of OpenAI's dialects ends in /v1. */
  readonly origin: string;
  readonly apiKey: string;
}
interface Done {
  readonly framework: string;
  readonly tookMs: number;
  /** Times its turn failed and was begun again. */
  readonly failed: number;
}

const seed = option('seed', 1);
/** Two numbers in [0, 1) that a text decides. */
function drawn(text: string): readonly [number, number] {
  const bytes = sha256(`${seed} ${text}`);
  return [bytes.readUInt32BE(0) / 2 ** 32, bytes.readUInt32BE(4) / 2 ** 32];
}
/** Log-normal as AIOS's measurement has it (Box and Muller 1958). */
function takesMs(agent: string, step: number): number {
  const [a, b] = drawn(`${agent} ${step}`);
  const normal = Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
  return Math.min(LONGEST_MS, 1000 * Math.exp(normal - 1.2));
}

const place = (file: string) => fileURLToPath(new URL(`../test/sdks/${file}.js`, import.meta.url));

/** A process with all agents of one SDK. It has loaded everything when this resolves, and begins when it is told. */
async function openCrowd(framework: string, script: string, agents: readonly Agent[]) {
  const told = agents.map(({ name, origin, apiKey }) => ({ name, apiKey, baseURL: `${origin}/v1` }));
  const child = spawn(
    process.execPath,
    [place(script), JSON.stringify({ agents: told, model: 'gpt-bench' })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout });
  const done: Done[] = [];
  lines.on('line', (line) => {
    const { tookMs, failed } = JSON.parse(line) as Partial<Done>;
    if (tookMs !== undefined) done.push({ framework, tookMs, failed: failed ?? 0 });
  });
  await once(lines, 'line');
  return async (): Promise<Done[]> => {
    const gone = once(child, 'close');
    child.stdin.write('go\n');
    const [code] = (await gone) as [number];
    if (code !== 0) throw new Error(`${script} ended with ${code}`);
    return done;
  };
}

/** One Claude Code a turn; it is started anew when it ends with an error. */
async function runClaude(agent: Agent, path: readonly string[], home: string): Promise<Done> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const proxy = agent.origin.replace(/\/a\/.*/, '');
  const env = {
    ...{ PATH: [...path, '/usr/bin', '/bin'].join(delimiter), HOME: home, TMPDIR: home, LANG: 'C.UTF-8' },
    ...{ ANTHROPIC_BASE_URL: agent.origin, ANTHROPIC_API_KEY: agent.apiKey, ANTHROPIC_MODEL: 'claude-bench' },
    ...{ ANTHROPIC_DEFAULT_HAIKU_MODEL: 'claude-bench', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
    ...{ HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: '127.0.0.1' },
  };
  const prompt = `I am agent ${agent.name}. Do your steps, one after the other.`;
  const begun = performance.now();
  for (let failed = 0; ; failed++) {
    const child = spawn('claude', ['-p', prompt, '--allowedTools', 'Bash'], {
      env,
      cwd: home,
      stdio: 'ignore',
    });
    if ((await exitOf(child)) === 0) return { framework: CLAUDE, tookMs: performance.now() - begun, failed };
  }
}
async function exitOf(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

interface Arm {
  readonly makespanS: number;
  readonly meanS: number;
  readonly failed: number;
  readonly rejected: number;
  /** Seconds of work that the backend did, and the part of the makespan in which it was busy. */
  readonly workS: number;
  readonly busy: number;
  readonly byFramework: Readonly<Record<string, { readonly meanS: number; readonly failed: number }>>;
}

const perFramework = option('agents', 6);
const claudes = option('claudes', 2);
const slots = option('slots', 1);

function agentsOf(origins: readonly string[], path: readonly string[] | undefined): Agent[] {
  const names = Object.keys(SCRIPTS).flatMap((framework) =>
    Array.from({ length: perFramework }, (_, n) => [framework, n] as const),
  );
  const all = path ? [...names, ...Array.from({ length: claudes }, (_, n) => [CLAUDE, n] as const)] : names;
  return all.map(([framework, n], at) => ({
    framework,
    name: `${framework.toLowerCase().replaceAll(' ', '-')}-${n}`,
    origin: origins[at % origins.length] as string,
    apiKey: 'sk-none',
  }));
}

async function play(
  backend: Slotted,
  agents: readonly Agent[],
  path: readonly string[],
  scratch: string,
): Promise<Arm> {
  const crowds: (() => Promise<Done[]>)[] = [];
  for (const [framework, script] of Object.entries(SCRIPTS))
    crowds.push(
      await openCrowd(
        framework,
        script,
        agents.filter((agent) => agent.framework === framework),
      ),
    );
  const coding = agents.filter(({ framework }) => framework === CLAUDE);
  const begun = performance.now();
  const ended = await Promise.all([
    ...crowds.map((begin) => begin()),
    ...coding.map((agent) => runClaude(agent, path, join(scratch, agent.name)).then((one) => [one])),
  ]);
  const makespanS = (performance.now() - begun) / 1000;
  const done = ended.flat();
  const mean = (some: readonly Done[]) =>
    some.reduce((sum, { tookMs }) => sum + tookMs, 0) / some.length / 1000;
  const failures = (some: readonly Done[]) => some.reduce((sum, { failed }) => sum + failed, 0);
  const groups = Map.groupBy(done, ({ framework }) => framework);
  const workS = backend.counts.busyMs / 1000;
  return {
    ...{ makespanS, meanS: mean(done), failed: failures(done), rejected: backend.counts.rejected },
    ...{ workS, busy: workS / (makespanS * slots) },
    byFramework: Object.fromEntries(
      [...groups].map(([name, some]) => [name, { meanS: mean(some), failed: failures(some) }]),
    ),
  };
}

async function arm(
  whenBusy: 'reject' | 'queue',
  kernel: boolean,
  path: readonly string[] | undefined,
): Promise<Arm> {
  const scratch = mkdtempSync(join(tmpdir(), 'mezz-frameworks-'));
  const backend = await openSlotted({ slots, whenBusy, calls: CALLS, takesMs });
  const count = agentsOf(['-'], path).length;
  const started = kernel
    ? await startSubject('mezz', {
        file: 'kernel.ts',
        args: [backend.origin, scratch, String(count), String(slots)],
      })
    : undefined;
  try {
    const origins = started
      ? (started.said.keys as string).split(' ').map((key) => `${started.said.origin}/a/${key}`)
      : [backend.origin];
    return await play(backend, agentsOf(origins, path), path ?? [], scratch);
  } finally {
    await started?.stop();
    await backend.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const missing = install('js');
if (missing) throw new Error(missing);
const clients = installClients();
const path = 'path' in clients ? clients.path : undefined;
if ('missing' in clients) note(`${CLAUDE} is left out: ${clients.missing}`);
const rows: { backend: string; direct: Arm; mezz: Arm }[] = [];
for (const whenBusy of ['reject', 'queue'] as const) {
  const mezz = await arm(whenBusy, true, path);
  note(`${whenBusy}: through mezz ${mezz.makespanS.toFixed(1)} s`);
  const direct = await arm(whenBusy, false, path);
  note(`${whenBusy}: direct ${direct.makespanS.toFixed(1)} s`);
  rows.push({ backend: whenBusy === 'reject' ? 'turns away when busy' : 'queues', direct, mezz });
}
print({ seed, slots, agents: perFramework, claudes, rows }, [
  [
    'backend',
    'arm',
    'makespan s',
    'mean turn s',
    'busy',
    'turned away',
    'turns begun again',
    'mean by framework (begun again)',
  ],
  ...rows.flatMap(({ backend, direct, mezz }) => [
    ...(['direct', 'mezz'] as const).map((name) => {
      const one = name === 'direct' ? direct : mezz;
      return [
        backend,
        name,
        one.makespanS.toFixed(1),
        one.meanS.toFixed(1),
        one.busy.toFixed(2),
        String(one.rejected),
        String(one.failed),
        Object.entries(one.byFramework)
          .map(([framework, { meanS, failed }]) => `${framework} ${meanS.toFixed(1)} (${failed})`)
          .join(', '),
      ];
    }),
    [
      '',
      'direct / mezz',
      (direct.makespanS / mezz.makespanS).toFixed(2),
      (direct.meanS / mezz.meanS).toFixed(2),
    ],
  ]),
]);

/**
 * The embedded engine through the whole kernel (an HTTP client, streamed, greedy) against the same engine alone in a
 * process of its own: tokens a second and time to the first token, with 1 and with 8 answers at once, in turns, on the
 * same prompts. The tiny model, whose tokens are cheapest, shows most of what mezz adds; --model takes a real one.
 * Usage: node scripts/with-node.js bench/engine.ts [--rounds 7] [--model FILE.gguf] [--threads 1] [--json]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import type { Asked, Measured } from './lab/engine-asked.ts';
import { formatSpread, note, option, print, type Spread, spread, text } from './lab/report.ts';
import { startSubject } from './lab/subject.ts';

const SEQUENCES = 8;
const WINDOW = 2048;
const MOST = 200;
const rounds = option('rounds', 7);
const threads = String(option('threads', 1));
const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const tiny = join(scratch, 'tiny.gguf');
writeFileSync(tiny, tinyGguf());
const model = text('model') || tiny;

const common = [String(SEQUENCES), String(WINDOW), threads];
const alone = fork(fileURLToPath(new URL('./lab/engine-alone.ts', import.meta.url)), [model, ...common]);
const full = await startSubject('full', { file: 'engine-kernel.ts', args: [model, scratch, ...common] });
await once(alone, 'message');
const pool = new Pool(full.said.origin as string, {
  connections: SEQUENCES,
  headersTimeout: 0,
  bodyTimeout: 0,
});

async function askAlone(asked: Asked): Promise<Measured> {
  alone.send(asked);
  const [measured] = await once(alone, 'message');
  return measured as Measured;
}

async function askMezz({ prompts, most }: Asked): Promise<Measured> {
  const startedAt = performance.now();
  const answers = await Promise.all(prompts.map((prompt) => stream(prompt, most, startedAt)));
  return {
    tokens: answers.reduce((sum, one) => sum + one.tokens, 0),
    ms: performance.now() - startedAt,
    firstMs: answers.map((one) => one.firstMs),
  };
}

async function stream(prompt: string, most: number, startedAt: number) {
  const body = {
    model: 'engine/bench',
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_completion_tokens: most,
    stream: true,
    stream_options: { include_usage: true },
  };
  const answer = await pool.request({
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${full.said.key}` },
    body: JSON.stringify(body),
  });
  let firstMs = 0;
  let all = '';
  for await (const chunk of answer.body) {
    all += String(chunk);
    if (firstMs === 0 && all.includes('"content":"') && /"content":"[^"]/.test(all))
      firstMs = performance.now() - startedAt;
  }
  const tokens = /"completion_tokens":(\d+)/.exec(all)?.[1];
  if (answer.statusCode !== 200 || tokens === undefined) throw new Error(all.slice(0, 400));
  return { tokens: Number(tokens), firstMs };
}

/** User and system time of a process so far, ms (/proc, so on Linux alone; elsewhere nothing). */
function cpuMs(pid: number | undefined): number {
  if (pid === undefined || process.platform !== 'linux') return Number.NaN;
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The kernel's one child is the engine. */
function enginePid(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const children = readFileSync(`/proc/${full.pid}/task/${full.pid}/children`, 'latin1');
  return Number(children.trim().split(' ')[0]) || undefined;
}

/** One question to both, with the CPU that each process took for it. */
async function compare(asked: Asked) {
  const pids = { alone: alone.pid, engine: enginePid(), kernel: full.pid };
  const read = () => Object.values(pids).map(cpuMs);
  const before = read();
  const seen = { alone: await askAlone(asked), mezz: await askMezz(asked) };
  const [aloneMs = 0, engineMs = 0, kernelMs = 0] = read().map((ms, at) => ms - (before[at] as number));
  const { tokens } = seen.mezz;
  return { ...seen, aloneCpu: aloneMs / tokens, engineCpu: engineMs / tokens, kernelCpu: kernelMs / tokens };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const result: Record<string, Readonly<Record<string, Spread>>> = {};
const rows = [['median (lowest-highest)', '1 at once', `${SEQUENCES} at once`]];
try {
  for (const at of [1, SEQUENCES]) {
    const seen: Awaited<ReturnType<typeof compare>>[] = [];
    for (let round = -1; round < rounds; round++) {
      const prompts = Array.from(
        { length: at },
        (_, i) => `${round}.${i}: tell me of ${'this and that '.repeat(24)}`,
      );
      // The first round loads the model and warms both.
      const both = await compare({ prompts, most: MOST });
      if (both.alone.tokens !== both.mezz.tokens)
        note(`${both.alone.tokens} tokens alone, ${both.mezz.tokens} through mezz`);
      if (round >= 0) seen.push(both);
    }
    const rate = ({ tokens, ms }: Measured) => (tokens * 1000) / ms;
    const figures = {
      aloneRate: spread(seen.map((one) => rate(one.alone))),
      mezzRate: spread(seen.map((one) => rate(one.mezz))),
      ratio: spread(seen.map((one) => rate(one.mezz) / rate(one.alone))),
      aloneFirstMs: spread(seen.map((one) => mean(one.alone.firstMs))),
      mezzFirstMs: spread(seen.map((one) => mean(one.mezz.firstMs))),
      aloneCpuMs: spread(seen.map((one) => one.aloneCpu)),
      engineCpuMs: spread(seen.map((one) => one.engineCpu)),
      kernelCpuMs: spread(seen.map((one) => one.kernelCpu)),
      addedMs: spread(seen.map((one) => mean(one.mezz.firstMs) - mean(one.alone.firstMs))),
    };
    result[`at${at}`] = figures;
  }
} finally {
  await pool.destroy();
  alone.disconnect();
  await full.stop();
  rmSync(scratch, { recursive: true, force: true });
}
const HEADS: Readonly<Record<string, string>> = {
  aloneRate: 'alone, tokens/s',
  mezzRate: 'through mezz, tokens/s',
  ratio: 'through mezz / alone',
  aloneFirstMs: 'alone, first token, ms',
  mezzFirstMs: 'through mezz, first token, ms',
  addedMs: 'added to the first token, ms',
  aloneCpuMs: 'CPU a token, alone, ms',
  engineCpuMs: "CPU a token, mezz's engine, ms",
  kernelCpuMs: 'CPU a token, kernel, ms',
};
for (const [name, head] of Object.entries(HEADS))
  rows.push([head, ...Object.values(result).map((figures) => formatSpread(figures[name] as Spread))]);
print(result, rows);

/**
 * Answers of the real llama-server that are broken off at random points and go on, through mezz, against the same
 * answers written whole by llama-server alone: text for text, and with the usage that the client is told. From token ids
 * and from words, at temperature 0 and 0.8 (where only the first is expected to be the same). How many tokens the server
 * read to go on is taken from its own answers, on the way. The tiny model writes one token a byte; --model takes a real one.
 * Usage: node scripts/with-node.js bench/llama-server.ts [--answers 40] [--stops 6] [--together 1] [--server FILE]
 *        [--model FILE.gguf] [--json]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as open, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord, type JsonRecord, parseJson } from '../src/base/json.ts';
import { type Random, seededRandom } from '../src/base/random.ts';
import { boot } from '../src/boot.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import { ControlClient } from '../src/sdk/client.ts';
import { SseSplitter } from '../src/wire/sse.ts';
import { builtLlamaServer, startLlamaServer } from './lab/llama-server.ts';
import { note, option, print, spread, text as textOption } from './lab/report.ts';

const MOST_TOKENS = 2500;
/** Points are in this part of an answer: a pause takes its time to come. */
const EARLY = 0.7;
const WORDS = 'a kernel is the level between what runs and what it runs on'.split(' ');
const answers = option('answers', 40);
const stops = option('stops', 6);
const together = option('together', 1);

interface Heard {
  text: string;
  usage: JsonRecord;
}

/** Asks and reads the stream; `at` is told how many characters there are. */
async function ask(url: string, body: JsonRecord, at: (length: number) => void = () => {}): Promise<Heard> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
  const heard: Heard = { text: '', usage: {} };
  const splitter = new SseSplitter();
  for await (const part of response.body)
    for (const { data } of splitter.push(part)) {
      const chunk = parseJson(data);
      if (!isRecord(chunk)) continue;
      if (isRecord(chunk.error)) throw new Error(JSON.stringify(chunk.error));
      if (isRecord(chunk.usage)) heard.usage = chunk.usage;
      const [choice] = Array.isArray(chunk.choices) ? chunk.choices : [];
      const delta = isRecord(choice) && isRecord(choice.delta) ? choice.delta.content : undefined;
      if (typeof delta === 'string') heard.text += delta;
      at(heard.text.length);
    }
  return heard;
}

/** Passes everything on and keeps how many tokens were read for each request to go on. */
async function startTap(target: string, read: number[]): Promise<{ server: Server; origin: string }> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    // A connection each: the server ends one that it has used a hundred times, whoever is about to use it again.
    const onward = open(`${target}${incoming.url}`, { method, headers, agent: false });
    outgoing.on('close', () => onward.destroy());
    onward.on('error', () => outgoing.destroy());
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      let isFirst = incoming.url === '/v1/completions';
      answer.on('data', (chunk: Buffer) => {
        const told = isFirst ? /"prompt_n":(\d+)/.exec(chunk.toString('latin1')) : null;
        if (told) read.push(Number(told[1]));
        if (told) isFirst = false;
        outgoing.write(chunk);
      });
      answer.on('end', () => outgoing.end()).on('error', () => outgoing.destroy());
    });
    incoming.pipe(onward);
  });
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const questionOf = (at: number, random: Random): string =>
  `${at}: ${Array.from({ length: 20 + Math.floor(60 * random.unit()) }, () => WORDS[Math.floor(WORDS.length * random.unit())]).join(' ')}`;

interface Row {
  readonly way: string;
  readonly temperature: number;
  readonly points: number;
  readonly same: number;
  readonly told: number;
  readonly read: readonly number[];
}

async function measure(
  way: 'tokens' | 'words',
  temperature: number,
  origin: string,
  scratch: string,
): Promise<Row> {
  const random = seededRandom(1);
  const read: number[] = [];
  const tap = await startTap(origin, read);
  const stateDir = mkdtempSync(join(scratch, 'kernel-'));
  const configPath = join(stateDir, 'mezz.yaml');
  writeFileSync(
    configPath,
    `backends:
  llama: { url: '${tap.origin}/v1', dialects: [openai-chat], credential: local, slots: ${together}, continues: ${way === 'tokens' ? 'tokens' : 'true'} }
models: { tiny: { backends: [llama], price: free } }
loop: { repeats: 100000 }
`,
    { mode: 0o600 },
  );
  const kernel = await boot({ stateDir, configPath, port: 0, logFile: join(stateDir, 'kernel.log') });
  const control = new ControlClient(stateDir);
  let [points, same, told] = [0, 0, 0];
  const one = async (at: number): Promise<void> => {
    const body = {
      model: 'tiny',
      messages: [{ role: 'user', content: questionOf(at, random) }],
      ...{ temperature, seed: at, max_tokens: MOST_TOKENS },
    };
    // Both find their prompt in the server's cache: one that is read anew is computed otherwise in its last digits.
    await ask(`${origin}/v1`, { ...body, max_tokens: 1 });
    const whole = await ask(`${origin}/v1`, body);
    const marks = Array.from({ length: stops }, () =>
      Math.floor(random.unit() * EARLY * whole.text.length),
    ).sort((a, b) => a - b);
    const name = `a${at}`;
    const { launches } = await control.call('agent.open', {
      name,
      client: 'generic',
      cwd: '/',
      hooks: false,
    });
    const signal = (what: 'pause' | 'resume') => control.call('signal', { agent: name, signal: what });
    let isStopping = false;
    let stopped = Promise.resolve();
    const stop = async () => {
      await signal('pause');
      await sleep(5 + 20 * random.unit());
      await signal('resume');
      isStopping = false;
    };
    const stopAt = (length: number): void => {
      if (isStopping || length < (marks[0] ?? Number.POSITIVE_INFINITY)) return;
      while ((marks[0] ?? Number.POSITIVE_INFINITY) <= length) marks.shift();
      isStopping = true;
      stopped = stop();
      // It is awaited with the answer: what ends that comes first.
      stopped.catch(() => {});
    };
    const heard = await ask(`${kernel.origin}/a/${launches[0]?.token}/v1`, body, stopAt);
    await stopped;
    const [call] = (await control.call('calls', { agent: name })).calls;
    const { entries } = await control.call('trace', { call: call?.id ?? '' });
    points += Number(entries[1]?.suspended ?? 0);
    if (heard.text === whole.text) same++;
    const figures = ({ prompt_tokens: input, completion_tokens: output }: JsonRecord) => `${input} ${output}`;
    if (figures(heard.usage) === figures(whole.usage)) told++;
  };
  try {
    let next = 0;
    const work = async () => {
      while (next < answers) await one(next++);
    };
    await Promise.all(Array.from({ length: together }, work));
  } finally {
    await kernel.close(0);
    await new Promise((resolve) => tap.server.close(resolve).closeAllConnections());
  }
  return { way, temperature, points, same, told, read };
}

const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const tiny = join(scratch, 'tiny.gguf');
writeFileSync(tiny, tinyGguf());
const program = textOption('server') || builtLlamaServer();
const rows: Row[] = [];
try {
  if (program) {
    const server = await startLlamaServer(program, textOption('model') || tiny, together);
    try {
      for (const temperature of [0, 0.8])
        for (const way of ['tokens', 'words'] as const) {
          rows.push(await measure(way, temperature, server.origin, scratch));
          note(`${way} at temperature ${temperature}: done`);
        }
    } finally {
      await server.stop();
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
print({ answers, stops, together, rows }, [
  [
    'goes on from',
    'temperature',
    'broken off',
    'of them from tokens',
    'same text',
    'same usage',
    'tokens read to go on',
  ],
  ...rows.map(({ way, temperature, points, same, told, read }) => {
    const { min, median, max } = spread(read);
    const tokens = read.length > 0 ? `${median} (${min}-${max})` : '-';
    return [
      way,
      String(temperature),
      String(points),
      String(read.length),
      `${same} of ${answers}`,
      `${told} of ${answers}`,
      tokens,
    ];
  }),
]);

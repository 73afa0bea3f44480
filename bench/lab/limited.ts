/**
 * The lab as a model API with a rate limit as hosted ones keep it (its own buckets), a minute of theirs in two seconds: every
 * answer takes the same time. `plain` limits requests and says so in 429s alone; `anthropic` and `openai` charge and tell
 * as these do. Says how many requests it took and turned away, and lets a second client or another size in.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/drivers/clock.ts';
import { Allowance, type Ask, type Limits } from '../../src/drivers/lab/allowance.ts';
import { LAB_DEFAULTS } from '../../src/drivers/lab/options.ts';
import type { LabReply } from '../../src/drivers/lab/script.ts';
import { openLab } from '../../src/drivers/lab/server.ts';

const FILL_MS = 2_000;
const [kind = 'plain', ...numbers] = process.argv.slice(2);
const [perSecond = 20, serviceMs = 200] = numbers.map(Number);
const size = (perSecond * FILL_MS) / 1000;
/** `bound` is what the benchmark's requests say. */
const ASK: Ask = { input: 100, cached: 0, bound: 256 };
const OUTPUT = 20;
/** What binds is requests, or tokens where those count the most that an answer may have; the rest allows a third more. */
const LIMITS: Readonly<Record<string, Limits>> = {
  plain: { requests: size },
  anthropic: { requests: size, input: 1.3 * size * ASK.input, output: 1.3 * size * OUTPUT },
  openai: { requests: 1.3 * size, tokens: size * (ASK.input + (ASK.bound ?? 0)) },
};
const limits = LIMITS[kind] as Limits;
const allowance = new Allowance(limits, Date.now(), FILL_MS);
let taken = 0;
let others = 0;
let refused = 0;

const usage = { prompt_tokens: ASK.input, completion_tokens: OUTPUT, total_tokens: ASK.input + OUTPUT };
const message = { role: 'assistant', content: 'Done.' };
const answer = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'gpt-bench',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage,
  }),
);
const limit = Buffer.from(
  '{"error":{"message":"Rate limit reached.","type":"requests","code":"rate_limit_exceeded"}}',
);
const headers = (): Record<string, string> =>
  kind === 'anthropic' || kind === 'openai' ? Object.fromEntries(allowance.headers(kind, Date.now())) : {};

function reply(): LabReply {
  const waitMs = allowance.admit(ASK, Date.now());
  if (waitMs > 0) {
    refused++;
    const retry = kind === 'openai' ? { 'retry-after-ms': String(waitMs) } : {};
    const after = { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))), ...retry };
    return {
      status: 429,
      headers: { ...after, ...headers() },
      raw: { body: limit, type: 'application/json' },
    };
  }
  taken++;
  return {
    headers: { ...headers(), 'content-length': String(answer.length) },
    raw: { body: answer, type: 'application/json' },
    hold: sleep(serviceMs).then(() => allowance.wrote(OUTPUT, ASK, Date.now())),
  };
}

process.on('message', (asked) => {
  if (asked === 'counts') {
    process.send?.({ counts: { taken, refused, others } });
    [taken, refused, others] = [0, 0, 0];
  } else if (asked === 'half' || asked === 'whole')
    for (const [dimension, whole] of Object.entries(limits))
      allowance.resize(dimension as keyof Limits, asked === 'half' ? whole / 2 : whole, Date.now());
  // Another client of the account, that goes at a third of the rate by itself.
  else if (asked === 'other')
    setInterval(() => allowance.admit(ASK, Date.now()) === 0 && others++, 3000 / perSecond).unref();
});
const lab = await openLab(LAB_DEFAULTS, systemClock, reply);
process.send?.({ origin: lab.origin });

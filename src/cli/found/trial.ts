/**
 * Tries whether a backend goes on with an answer that was broken off: three short answers, asked through mezz as any agent
 * asks, in a dialect that it speaks. One is written whole, one is broken off after a few words, and one is asked to go on
 * from there: in Chat by a flag that engines know, in Messages by a last message of the assistant.
 */
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { BackendTrial } from '../../base/models.ts';
import { LIMITS } from '../limits.ts';

const QUESTION = 'Count from one to forty in words, one after another.';

interface Heard {
  readonly status: number;
  readonly text: string;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
}

/** `url`: the base URL of an agent of mezz. Throws what keeps mezz itself from answering. */
export async function tryBackend(url: string, model: string, dialect: TriedDialect): Promise<BackendTrial> {
  const user = { role: 'user', content: QUESTION };
  const { path, asked, goOn } = DIALECTS[dialect];
  const ask = (messages: readonly JsonRecord[], tokens: number, more: JsonRecord = {}, pieces?: number) =>
    listen(
      url + path,
      { model, messages: [...messages], max_tokens: tokens, temperature: 0, stream: true, ...asked, ...more },
      pieces,
    );
  const most = LIMITS.triedTokens.value;
  const whole = await ask([user], most);
  const begun = await ask([user], most, {}, LIMITS.triedPieces.value);
  if (begun.text === '' || begun.text.length >= whole.text.length)
    return { outcome: 'no-answer', ...UNKNOWN };
  const partial = { role: 'assistant', content: begun.text };
  // Fewer tokens than were broken off: one that begins anew cannot come so far.
  const few = Math.floor(LIMITS.triedPieces.value / 2);
  const rest = await ask([user, partial], few, goOn);
  if (rest.status !== 200) return { outcome: 'refused', ...UNKNOWN };
  // Some engines say first what they were given.
  const said = rest.text.startsWith(begun.text) ? rest.text.slice(begun.text.length) : rest.text;
  const all = begun.text + said;
  const { promptTokens, cachedTokens } = rest;
  const wentOn = said !== '' && (whole.text.startsWith(all) || all.startsWith(whole.text));
  return { outcome: wentOn ? 'went-on' : 'other-words', promptTokens, cachedTokens };
}

const UNKNOWN = { promptTokens: null, cachedTokens: null };

export type TriedDialect = 'openai-chat' | 'anthropic';
interface Asking {
  readonly path: string;
  readonly asked: JsonRecord;
  /** How it is asked to go on with the last message. */
  readonly goOn: JsonRecord;
}
const DIALECTS: Readonly<Record<TriedDialect, Asking>> = {
  'openai-chat': {
    path: '/v1/chat/completions',
    asked: { seed: 1, stream_options: { include_usage: true } },
    goOn: { continue_final_message: true, add_generation_prompt: false },
  },
  anthropic: { path: '/v1/messages', asked: {}, goOn: {} },
};

/** Reads a streamed answer to its end, or breaks it off after so many pieces of text. */
async function listen(url: string, body: JsonRecord, pieces = Number.POSITIVE_INFINITY): Promise<Heard> {
  const leave = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.any([leave.signal, AbortSignal.timeout(LIMITS.triedMs.value)]),
  });
  const { status } = response;
  let text = '';
  let usage: JsonRecord = {};
  if (status !== 200) return { status, text, promptTokens: null, cachedTokens: null };
  let left = pieces;
  let held = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    held += chunk;
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const event of lines.map(eventOf)) {
      const piece = pieceOf(event);
      if (piece !== '' && left-- > 0) text += piece;
      usage = { ...usage, ...usageIn(event) };
    }
    if (left <= 0) break;
  }
  leave.abort();
  return { status, text, ...tokensOf(usage) };
}

/** Messages tells what it read when it begins. */
function usageIn(event: Json | undefined): JsonRecord {
  const { usage, message } = isRecord(event) ? event : {};
  if (isRecord(usage)) return usage;
  return isRecord(message) && isRecord(message.usage) ? message.usage : {};
}

function tokensOf(usage: JsonRecord): Pick<Heard, 'promptTokens' | 'cachedTokens'> {
  const details = isRecord(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const cached = numberOf(details.cached_tokens) ?? numberOf(usage.cache_read_input_tokens);
  const read = numberOf(usage.input_tokens);
  return {
    promptTokens: numberOf(usage.prompt_tokens) ?? (read === null ? null : read + (cached ?? 0)),
    cachedTokens: cached,
  };
}

const eventOf = (line: string): Json | undefined =>
  line.startsWith('data:') ? parseJson(line.slice('data:'.length).trim()) : undefined;

function pieceOf(event: Json | undefined): string {
  const [choice = event] = isRecord(event) && Array.isArray(event.choices) ? event.choices : [];
  const { content, text } = isRecord(choice) && isRecord(choice.delta) ? choice.delta : {};
  const piece = content ?? text;
  return typeof piece === 'string' ? piece : '';
}

const numberOf = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null);

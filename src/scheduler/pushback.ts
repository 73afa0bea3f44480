/**
 * What a provider's answer says about its rate limits: that one is reached, and when to try again. Anthropic and OpenAI
 * as documented in 2026; other servers speak one of the two.
 */
import { dateMs, durationMs } from './times.ts';

/** A limit is reached. */
export interface Pushback {
  /** Wall time in ms; null: not said. */
  readonly untilMs: number | null;
  /** Trying again helps nobody: the money is gone, or the provider says so. */
  readonly isFinal: boolean;
  /** It is about calls at once: how many may be open, or null where it does not say; absent: about something else. */
  readonly streams?: number | null;
}

/** `headers` is flat: name, value, ...; undefined where the answer is about something else. */
export function readPushback(
  status: number,
  headers: readonly string[],
  body: Uint8Array,
  now: number,
): Pushback | undefined {
  if (status !== 429 && status !== 529 && status !== 503 && status !== 403) return undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const streams = streamsIn(text);
  // Some refuse more calls at once than they allow as if nobody may call at all.
  if (status === 403 && streams === undefined) return undefined;
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2)
    values.set((headers[i] as string).toLowerCase(), (headers[i + 1] as string).trim());
  const soonMs = readUntil(values, now);
  const windows = [...readWindows(values, now)];
  // Whatever else it says, a plan that is used up stays so.
  const untilMs = windows.length > 0 ? Math.max(soonMs ?? 0, ...windows) : soonMs;
  if (status === 503 && untilMs === null) return undefined;
  const isDenied = values.get('x-should-retry') === 'false' && windows.length === 0;
  const isFinal = isDenied || NO_MONEY.test(text);
  return { untilMs, isFinal, ...(streams === undefined ? {} : { streams }) };
}

const NO_MONEY = /"insufficient_quota"|enforced_spend_limit_reached/;
/** Documented or seen of Anthropic, DeepSeek and Moonshot: a refusal for calls at once says so in words alone. */
const AT_ONCE = /concurren(t|cy)/i;
/** "reached max organization concurrency: 3" (Moonshot). */
const AT_ONCE_MOST = /concurrency(?: limit)?(?: of| is|:) ?(\d{1,6})\b/i;

/** How many calls may be open at once: null where a refusal is about that and does not say, undefined where it is not. */
function streamsIn(text: string): number | null | undefined {
  if (!AT_ONCE.test(text)) return undefined;
  const most = Number(AT_ONCE_MOST.exec(text)?.[1]);
  return most >= 1 ? most : null;
}

type Values = ReadonlyMap<string, string>;

function readUntil(values: Values, now: number): number | null {
  const ms = Number(values.get('retry-after-ms') || Number.NaN);
  if (ms >= 0) return now + ms;
  const after = values.get('retry-after');
  if (after) {
    const at = /^\d+(\.\d+)?$/.test(after) ? now + Number(after) * 1000 : dateMs(after);
    if (Number.isFinite(at)) return at;
  }
  const resets = [...readResets(values, now)];
  return resets.length > 0 ? Math.max(...resets) : null;
}

/** When the windows of a subscription that are used up begin anew. */
function* readWindows(values: Values, now: number): Iterable<number> {
  if (values.get('anthropic-ratelimit-unified-status') === 'rejected') {
    const at = 1000 * Number(values.get('anthropic-ratelimit-unified-reset') || Number.NaN);
    if (at > now) yield at;
  }
  for (const which of ['primary', 'secondary']) {
    if (!(Number(values.get(`x-codex-${which}-used-percent`)) >= 100)) continue;
    const at = 1000 * Number(values.get(`x-codex-${which}-reset-at`) || Number.NaN);
    const after = 1000 * Number(values.get(`x-codex-${which}-reset-after-seconds`) || Number.NaN);
    if (at > now) yield at;
    else if (after > 0) yield now + after;
  }
}

/** When each dimension that is used up begins anew. */
function* readResets(values: Values, now: number): Iterable<number> {
  for (const [name, value] of values) {
    const [, what] = /^anthropic-ratelimit-([a-z-]+)-reset$/.exec(name) ?? [];
    const [, which] = /^x-ratelimit-reset-([a-z-]+)$/.exec(name) ?? [];
    const remaining = what
      ? values.get(`anthropic-ratelimit-${what}-remaining`)
      : which && values.get(`x-ratelimit-remaining-${which}`);
    if (remaining === undefined || Number(remaining) > 0) continue;
    const at = what ? dateMs(value) : now + durationMs(value);
    if (Number.isFinite(at)) yield at;
  }
}

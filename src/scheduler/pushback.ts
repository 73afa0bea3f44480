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
}

/** `headers` is flat: name, value, ...; undefined where the answer is about something else. */
export function readPushback(
  status: number,
  headers: readonly string[],
  body: Uint8Array,
  now: number,
): Pushback | undefined {
  if (status !== 429 && status !== 529 && status !== 503) return undefined;
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2)
    values.set((headers[i] as string).toLowerCase(), (headers[i + 1] as string).trim());
  const soonMs = readUntil(values, now);
  const windows = [...readWindows(values, now)];
  // Whatever else it says, a plan that is used up stays so.
  const untilMs = windows.length > 0 ? Math.max(soonMs ?? 0, ...windows) : soonMs;
  if (status === 503 && untilMs === null) return undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const isDenied = values.get('x-should-retry') === 'false' && windows.length === 0;
  return { untilMs, isFinal: isDenied || text.includes(NO_MONEY) };
}

const NO_MONEY = '"insufficient_quota"';

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

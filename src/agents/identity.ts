/**
 * What the headers of unmodified clients say about who is calling. They only subdivide a key's authority: a header
 * can name a session or a sub-agent below the key's agent, never another key's. Header facts: Claude Code 2.1.330 and
 * Codex 0.169.0, captured.
 */
import { isRecord, parseJson } from '../base/json.ts';
import { readOnce } from '../base/once.ts';

export interface Identity {
  readonly client: string;
  /** The client's own session, or undefined where it sends none. */
  readonly session?: string;
  /** The client's own id for a sub-agent; undefined for its main agent. */
  readonly sub?: string;
  /** The sub-agent's parent where the client names one that is itself a sub-agent. */
  readonly subParent?: string;
  /** A human name for the sub-agent, where the client gives one. */
  readonly subName?: string;
  /** The client's own timeout for this request, ms. */
  readonly timeoutMs?: number;
  /** How often the client's SDK has tried this request before. */
  readonly retries: number;
}

const MAX_ID = 128;
const clean = (value: string | undefined): string | undefined =>
  value !== undefined && value.length > 0 && value.length <= MAX_ID && /^[\w./:@-]+$/.test(value)
    ? value
    : undefined;

/** The value of a header in a flat raw list; names compare without case; the first one counts. */
export function header(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

export const readIdentity = readOnce((headers: readonly string[]): Identity => {
  const retries = Number(header(headers, 'x-stainless-retry-count') ?? 0);
  const timeout = Number(header(headers, 'x-stainless-timeout'));
  const common = {
    retries: Number.isSafeInteger(retries) && retries > 0 ? retries : 0,
    ...(timeout > 0 && timeout < 86_400 ? { timeoutMs: timeout * 1000 } : {}),
  };
  return { ...readClaude(headers), ...readCodex(headers), ...common } as Identity;
});

function readClaude(headers: readonly string[]): Partial<Identity> {
  const session = clean(header(headers, 'x-claude-code-session-id'));
  const agent = header(headers, 'user-agent') ?? '';
  if (session === undefined) return { client: clientOf(agent) };
  const sub = clean(header(headers, 'x-claude-code-agent-id'));
  const subParent = clean(header(headers, 'x-claude-code-parent-agent-id'));
  return {
    client: 'claude-code',
    session,
    ...(sub !== undefined ? { sub } : {}),
    ...(subParent !== undefined ? { subParent } : {}),
  };
}

/** `x-codex-turn-metadata` is JSON: `agent_name` "/root" for the main thread, "/root/x" below; `parent_thread_id` for spawned ones. */
function readCodex(headers: readonly string[]): Partial<Identity> {
  const text = header(headers, 'x-codex-turn-metadata');
  const thread = clean(header(headers, 'thread-id') ?? header(headers, 'conversation_id'));
  const named = clean(header(headers, 'session-id') ?? header(headers, 'session_id')) ?? thread;
  if (text === undefined && header(headers, 'x-codex-window-id') === undefined) return {};
  const metadata = text === undefined ? undefined : parseJson(text);
  const field = (name: string) => {
    const value = isRecord(metadata) ? metadata[name] : undefined;
    return typeof value === 'string' ? clean(value) : undefined;
  };
  const parent = field('parent_thread_id') ?? clean(header(headers, 'x-codex-parent-thread-id'));
  const name = field('agent_name');
  const isSub = parent !== undefined || (name !== undefined && name !== '/root');
  const sub = isSub ? (thread ?? name) : undefined;
  // The session is the thread of the main agent.
  const session = parent !== undefined && named === thread ? parent : named;
  const subParent = parent === session ? undefined : parent;
  return {
    client: 'codex',
    ...(session !== undefined ? { session } : {}),
    ...(sub !== undefined ? { sub } : {}),
    ...(sub !== undefined && subParent !== undefined ? { subParent } : {}),
    ...(name !== undefined && isSub ? { subName: name.split('/').at(-1) || 'agent' } : {}),
  };
}

function clientOf(userAgent: string): string {
  const product = /^([A-Za-z][\w.-]{0,40})/.exec(userAgent)?.[1]?.toLowerCase();
  return product === undefined || product === 'mozilla' ? 'unknown' : product;
}

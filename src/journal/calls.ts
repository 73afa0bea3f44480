/** The entries of a call and the state row that is their fold: one function both live and in fsck. */
import type { Refusal } from '../base/errors.ts';
import type { Json, JsonRecord } from '../base/json.ts';
import { NO_USAGE, type Usage } from '../base/usage.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
import type { EntryDraft } from './journal.ts';
import { LIMITS } from './limits.ts';

export interface CallStart {
  readonly call: string;
  readonly agent: number;
  readonly owner: string;
  readonly kind: string;
  readonly target: string;
  readonly key: string;
  readonly turn: string | null;
  readonly arrivedAt: number;
  readonly attempt: number;
  readonly backend: string | null;
  /** The name under which its use is booked: the backend's own for the model, or the tool. */
  readonly model: string;
  readonly account: string | null;
  /** The accounts above it, nearest first: who paid then, whatever the tree is later. */
  readonly above: readonly string[];
  /** Types of the provider-hosted tools that the request declares. */
  readonly hosted: readonly string[];
  readonly toolUseId: string | null;
  readonly rules: readonly string[];
  readonly approval: string | null;
  readonly reservedUsd: number;
  readonly reservedTokens: number;
  /** Part of `reservedTokens`. */
  readonly reservedOutput: number;
  /** The day it was booked on, where that is after `at`. */
  readonly bookedOn?: number;
  /** Salted commitment to the exact arguments. */
  readonly args: string;
  /** Exact chain id of the request's last message, or null. */
  readonly head: string | null;
  /** Labels the call may raise. */
  readonly labels: readonly string[];
  /** The named transforms applied to the bytes that left. */
  readonly transforms: readonly string[];
  /** Paths of request members that a translation could not carry over. */
  readonly losses: readonly string[];
  /** The call whose refused answer this one goes on from, or null. */
  readonly continues: string | null;
  /** Of a tool call that mezz makes: what a second sending would do; absent where that is nothing. */
  readonly retry?: string;
  /** Why it was granted when it was, if it had to wait: the policy, and its reasons. */
  readonly order?: string;
}

export interface CallEnd {
  readonly call: string;
  readonly agent: number;
  /** `ok`, or the error code. */
  readonly code: string;
  readonly status: number;
  readonly usage: Usage;
  readonly cost: number;
  readonly stop: string;
  readonly answer: string | null;
  readonly bytesOut: number;
  readonly intents: number;
  readonly firstByteMs: number | null;
  readonly waitedMs: number;
  /** The outcome was not known at first: who told it. */
  readonly resolved?: 'check' | 'done' | 'abandon' | 'rule';
  /** How often it was stopped between two tokens and went on, and how long it stood still all together. */
  readonly suspended?: number;
  readonly suspendedMs?: number;
  /** The day its use was booked on, where that is after `at`. */
  readonly bookedOn?: number;
}

/** The end of a call that brought no answer. */
export const NO_ANSWER = {
  status: 0,
  usage: NO_USAGE,
  cost: 0,
  stop: '',
  answer: null,
  bytesOut: 0,
  intents: 0,
  firstByteMs: null,
} as const;

export interface CallRefusal {
  readonly call: string;
  readonly agent: number;
  readonly owner: string;
  readonly kind: string;
  readonly target: string;
  readonly turn: string | null;
  readonly arrivedAt: number;
  readonly toolUseId: string | null;
  readonly args: string;
  readonly continues: string | null;
  readonly refusal: Refusal;
}

/** The body of an entry, member by member: it is made for every call, and copying with exceptions costs several times as much. */
type Body = Record<string, Json>;

/** A draft of one of a call's entries; its row takes the same instant. */
export type CallDraft = EntryDraft & { readonly at: number };

export function startEntry(at: number, start: CallStart): CallDraft {
  const { above, hosted, losses, order } = start;
  const body: Body = {
    owner: start.owner,
    kind: start.kind,
    target: nameOf(start.target),
    key: start.key,
    turn: start.turn,
    arrivedAt: start.arrivedAt,
    attempt: start.attempt,
    backend: start.backend,
    model: start.model,
    account: start.account,
    toolUseId: start.toolUseId === null ? null : nameOf(start.toolUseId),
    approval: start.approval,
    reservedUsd: start.reservedUsd,
    reservedTokens: start.reservedTokens,
    reservedOutput: start.reservedOutput,
    args: start.args,
    head: start.head,
    continues: start.continues,
    rules: start.rules.slice(0, 8).map((rule) => clip(rule, LIMITS.ruleText.value)),
    labels: [...start.labels],
    transforms: [...start.transforms],
  };
  if (start.bookedOn !== undefined) body.bookedOn = start.bookedOn;
  if (start.retry !== undefined) body.retry = start.retry;
  if (above.length > 0) body.above = [...above];
  if (hosted.length > 0) body.hosted = clip([...new Set(hosted)].join(', '), LIMITS.hostedText.value);
  if (order !== undefined) body.order = clip(order, LIMITS.orderText.value);
  if (losses.length > 0) body.losses = clip(losses.join(', '), LIMITS.lossText.value);
  return { at, kind: 'call.start', agent: start.agent, call: start.call, body };
}

export function endEntry(at: number, end: CallEnd): CallDraft {
  const { usage, resolved, suspended, suspendedMs, bookedOn } = end;
  const body: Body = {
    code: end.code,
    status: end.status,
    cost: end.cost,
    stop: end.stop,
    answer: end.answer,
    bytesOut: end.bytesOut,
    intents: end.intents,
    firstByteMs: end.firstByteMs,
    waitedMs: end.waitedMs,
    input: usage.input,
    cacheRead: usage.cacheRead,
    cacheWrite: usage.cacheWrite,
    output: usage.output,
    reasoning: usage.reasoning,
  };
  if (resolved !== undefined) body.resolved = resolved;
  if (suspended !== undefined) body.suspended = suspended;
  if (suspendedMs !== undefined) body.suspendedMs = suspendedMs;
  if (bookedOn !== undefined) body.bookedOn = bookedOn;
  return { at, kind: 'call.end', agent: end.agent, call: end.call, body };
}

export function refuseEntry(at: number, refuse: CallRefusal): CallDraft {
  const { call, agent, refusal, target, toolUseId, ...body } = refuse;
  const named = { target: nameOf(target), toolUseId: toolUseId === null ? null : nameOf(toolUseId) };
  const why = {
    code: refusal.code,
    message: clip(refusal.message, LIMITS.refusalText.value),
    ...(refusal.rule ? { rule: clip(refusal.rule, LIMITS.nameText.value) } : {}),
    ...(refusal.approval ? { approval: refusal.approval } : {}),
  };
  return { at, kind: 'call.refuse', agent, call, body: { ...body, ...named, ...why } };
}

/** What agents name by themselves, within its bound: whatever they send, the entry of it can be written. */
export const nameOf = (text: string): string => clip(text, LIMITS.nameText.value);

/** The beginning of a text that takes at most so many bytes as JSON. */
function clip(text: string, bytes: number): string {
  // No character takes more than six bytes as JSON.
  if (text.length * 6 <= bytes) return text;
  let cut = text.slice(0, bytes);
  while (Buffer.byteLength(JSON.stringify(cut)) > bytes + 2) cut = cut.slice(0, Math.floor(cut.length * 0.8));
  return cut;
}

interface Event {
  readonly kind: string;
  readonly agent: number;
  readonly call?: string | null;
  readonly at: number;
  readonly body: JsonRecord;
}

/** The row after one more entry of its call; entries of other kinds leave it as it is. */
export function applyEntry(row: CallRow | undefined, event: Event): CallRow | undefined {
  const { body } = event;
  if (event.kind === 'call.start') {
    return {
      ...(row ?? blankRow(event)),
      ...NO_TOKENS,
      state: 'running',
      startedAt: event.at,
      attempt: number(body, 'attempt'),
      backend: textOrNull(body, 'backend'),
      account: textOrNull(body, 'account'),
      reservedUsd: number(body, 'reservedUsd'),
      reservedTokens: number(body, 'reservedTokens'),
    };
  }
  if (event.kind === 'call.refuse')
    return {
      ...(row ?? blankRow(event)),
      // That it is not sent again says nothing of what was sent.
      state: row?.state === 'in_doubt' ? 'in_doubt' : 'refused',
      code: textOrNull(body, 'code'),
      endedAt: event.at,
    };
  if (event.kind !== 'call.end' || !row) return row;
  const code = String(body.code);
  return {
    ...row,
    state: code === 'ok' ? 'done' : code === 'in_doubt' ? 'in_doubt' : 'failed',
    code: code === 'ok' ? null : code,
    endedAt: event.at,
    input: number(body, 'input'),
    cacheRead: number(body, 'cacheRead'),
    cacheWrite: number(body, 'cacheWrite'),
    output: number(body, 'output'),
    reasoning: number(body, 'reasoning'),
    cost: number(body, 'cost'),
  };
}

const NO_TOKENS = { ...NO_USAGE, cost: 0 };

function blankRow(event: Event): CallRow {
  const { body } = event;
  return {
    id: event.call ?? '',
    agent: event.agent,
    owner: String(body.owner),
    kind: String(body.kind),
    target: String(body.target),
    state: 'waiting',
    code: null,
    turn: textOrNull(body, 'turn'),
    backend: null,
    account: null,
    toolUseId: textOrNull(body, 'toolUseId'),
    attempt: 0,
    arrivedAt: number(body, 'arrivedAt'),
    startedAt: null,
    endedAt: null,
    ...NO_TOKENS,
    reservedUsd: 0,
    reservedTokens: 0,
  };
}

const number = (body: JsonRecord, name: string): number =>
  typeof body[name] === 'number' ? (body[name] as number) : 0;
const textOrNull = (body: JsonRecord, name: string): string | null =>
  typeof body[name] === 'string' ? (body[name] as string) : null;

export const callPut = (row: CallRow) => ({ table: CALL, row });

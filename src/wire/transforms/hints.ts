/**
 * The named transform `hints`: priority and session identity for engines that understand them. Members are put behind
 * the body's first brace, headers behind the others; what the client says itself is never changed, and no other byte is.
 *
 * `priority`: vLLM's member, smaller first as a nice value. `dynamo`: NVIDIA Dynamo's session and priority headers, larger
 * first. `llm-d`: its fairness id, one for each session. `prompt-cache-key`: OpenAI's. `cache-1h`: Anthropic's lifetime of
 * cached prefixes, where the client marks some and chose none.
 */
import { isRecord, parseJson } from '../../base/json.ts';
import type { DialectName, HintName } from '../../base/model.ts';
import { scanBody } from '../scan.ts';

export interface Hinted {
  readonly dialect: DialectName;
  readonly body: Uint8Array;
  /** Flat: name, value, ... */
  readonly headers: readonly string[];
}
/** Who makes the call. */
export interface Caller {
  /** -20 (first) to 19 (last). */
  readonly nice: number;
  /** The same for all calls of one conversation, and of nothing that tells who it is. */
  readonly session: string;
}

/** The call with what of `names` its dialect has and its client left open; undefined where nothing is to be said. */
export function addHints(call: Hinted, names: readonly HintName[], caller: Caller): Hinted | undefined {
  const scan = names.length > 0 ? scanBody(call.body, []) : undefined;
  if (!scan || 'problem' in scan) return undefined;
  const has = (member: string) => scan.members.has(member);
  const members = membersOf(call.dialect, names, caller).filter(([name]) => !has(name));
  const known = new Set(call.headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
  const more = headersOf(names, caller, has('nvext')).filter(([name]) => !known.has(name));
  const long = names.includes('cache-1h') && call.dialect === 'anthropic' ? keepLonger(call.body) : undefined;
  if (members.length + more.length === 0 && !long) return undefined;
  const body = long ?? call.body;
  return {
    ...call,
    body: members.length > 0 ? withMembers(body, members, scan.members.size === 0) : body,
    headers: [...call.headers, ...more.flat()],
  };
}

type Pair = readonly [name: string, value: string];

function membersOf(dialect: DialectName, names: readonly HintName[], { nice, session }: Caller): Pair[] {
  const isOpenAi = dialect === 'openai-chat' || dialect === 'openai-responses';
  return [
    // 0 is what the engine takes where nothing is said.
    ...(names.includes('priority') && dialect !== 'anthropic' && nice !== 0
      ? [['priority', String(nice)] as const]
      : []),
    ...(names.includes('prompt-cache-key') && isOpenAi
      ? [['prompt_cache_key', JSON.stringify(session)] as const]
      : []),
  ];
}

/** Dynamo's headers go before its member `nvext`: a client that sends that one has spoken. */
function headersOf(names: readonly HintName[], { nice, session }: Caller, hasOwn: boolean): Pair[] {
  const isDynamo = names.includes('dynamo');
  return [
    ...(isDynamo ? [['x-dynamo-session-id', session] as const] : []),
    ...(isDynamo && nice !== 0 && !hasOwn ? [['x-dynamo-request-priority', String(-nice)] as const] : []),
    ...(names.includes('llm-d') ? [['x-llm-d-inference-fairness-id', session] as const] : []),
  ];
}

function withMembers(body: Uint8Array, members: readonly Pair[], isEmpty: boolean): Buffer {
  const brace = body.indexOf(0x7b) + 1;
  const text = members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',');
  return Buffer.concat([
    body.subarray(0, brace),
    Buffer.from(isEmpty ? text : `${text},`),
    body.subarray(brace),
  ]);
}

const TTL = ',"ttl":"1h"';

/** Every mark of a cached prefix, kept for an hour; undefined where there is none or the client chose a time for one. */
function keepLonger(body: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.includes('"cache_control"')) return undefined;
  const ends: number[] = [];
  for (const end of marksIn(bytes, 0, ['tools', 'system', 'messages'])) {
    if (end === undefined) return undefined;
    ends.push(end);
  }
  if (ends.length === 0) return undefined;
  const parts: Buffer[] = [];
  let from = 0;
  for (const end of ends.sort((a, b) => a - b)) {
    parts.push(bytes.subarray(from, end), Buffer.from(TTL));
    from = end;
  }
  return Buffer.concat([...parts, bytes.subarray(from)]);
}

/** Where the closing brace of each mark is; undefined for one that has a time. Arguments of tools are not looked into. */
function* marksIn(bytes: Buffer, base: number, lists: readonly string[]): Generator<number | undefined> {
  const scan = scanBody(bytes, []);
  if ('problem' in scan) return;
  const mark = scan.members.get('cache_control');
  if (mark) {
    const value = parseJson(bytes.toString('utf8', mark.start, mark.end));
    if (isRecord(value) && value.type === 'ephemeral')
      yield value.ttl === undefined ? base + mark.end - 1 : undefined;
  }
  for (const list of lists) {
    if (!scan.members.has(list)) continue;
    const inner = scanBody(bytes, [list]);
    if ('problem' in inner) continue;
    for (const { start, end } of inner.elements)
      yield* marksIn(bytes.subarray(start, end), base + start, ['content']);
  }
}

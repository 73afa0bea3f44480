/**
 * drivers/lab/ owns the lab: a model server on loopback that is no model. Invariant: it is deterministic (the same
 * requests in the same order get the same answers at the same virtual times), costs nothing, and every text it writes
 * says that it is the lab. It must not know the gate; the kernel reaches it by HTTP as any other backend.
 */
import { sha256 } from '../../base/hash.ts';
import { isRecord, parseJson } from '../../base/json.ts';
import type { NeutralMessage, NeutralPart, NeutralRequest, Stop } from '../../wire/neutral.ts';

const WORDS =
  'a agent answers and asks before call comes each every first gate goes holds in is it kernel lab last less level line model more nothing of one order other page queue reads rule says slot still task that the then this tool turn two under until waits what when with word works'.split(
    ' ',
  );
const SHORTEST_WORDS = 12;
const LONGEST_WORDS = 40;
const MOST_WORDS = 100_000;

export interface Said {
  readonly parts: readonly NeutralPart[];
  readonly stop: Stop;
}

/** A token is four bytes of text, rounded up: what every count and rate of the lab means. */
export const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

/**
 * What the model says to a request. A line `@lab call <tool> <JSON>` in the last user message makes it call that tool,
 * `@lab say <n>` makes its answer n words long; a tool's result is acknowledged; an answer that was broken off goes on.
 */
export function sayTo(request: NeutralRequest): Said {
  const begun = begunIn(request);
  if (begun !== undefined) return goOn(request, begun);
  const last = request.messages.findLast((message) => message.role === 'user');
  const result = last?.parts.find((part) => part.kind === 'result');
  if (result) return cutAt(`[lab] The tool answered: ${plainText(result.parts).slice(0, 80)}`, request);
  const asked = last ? plainText(last.parts) : '';
  const call = /^@lab call (\S+) (.*)$/m.exec(asked);
  if (call) return callOf(call[1] as string, call[2] as string, request);
  const words = /^@lab say (\d+)$/m.exec(asked)?.[1];
  return cutAt(sentence(asked, words === undefined ? undefined : Number(words)), request);
}

/** What it is to go on from: the last message is its own, as Messages says it, or Chat by a flag that engines know. */
function begunIn({ from, messages, extras }: NeutralRequest): string | undefined {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return undefined;
  return from === 'anthropic' || extras.continue_final_message === true ? plainText(last.parts) : undefined;
}

function goOn(request: NeutralRequest, begun: string): Said {
  const whole = sayTo({ ...request, messages: request.messages.slice(0, -1), maxOutput: undefined });
  const text = plainText(whole.parts);
  return text.startsWith(begun) ? cutAt(text.slice(begun.length), request) : whole;
}

function callOf(name: string, text: string, request: NeutralRequest): Said {
  const tool = request.tools.find((offered) => offered.kind !== 'other' && offered.name === name);
  const args = parseJson(text);
  if (!tool) return cutAt(`[lab] There is no tool ${name} in this request.`, request);
  const custom = tool.kind === 'custom';
  if (!custom && !isRecord(args)) return cutAt('[lab] The arguments are not a JSON object.', request);
  const id = `call_${sha256(JSON.stringify(request.messages)).toString('hex').slice(0, 16)}`;
  const said: NeutralPart = { kind: 'text', text: `[lab] I call ${name}.`, extras: {} };
  return { parts: [said, { kind: 'call', id, name, input: text, custom, extras: {} }], stop: 'calls' };
}

/** Words chosen by the bytes of what was asked. */
function sentence(asked: string, count: number | undefined): string {
  const seed = sha256(asked);
  const spread = LONGEST_WORDS - SHORTEST_WORDS;
  const wanted = count ?? SHORTEST_WORDS + ((seed[0] as number) % spread);
  const words: string[] = ['[lab]'];
  for (let i = 1; i < Math.min(wanted, MOST_WORDS); i++)
    words.push(WORDS[((seed[i % 32] as number) * 7 + i * 13) % WORDS.length] as string);
  return words.join(' ');
}

function cutAt(text: string, { maxOutput }: NeutralRequest): Said {
  const whole = maxOutput === undefined || tokensOf(text) <= maxOutput;
  const kept = whole
    ? text
    : Buffer.from(text)
        .subarray(0, maxOutput * 4)
        .toString('utf8');
  return { parts: [{ kind: 'text', text: kept, extras: {} }], stop: whole ? 'end' : 'length' };
}

/** The readable text of parts, in order. */
export function plainText(parts: readonly NeutralPart[]): string {
  return parts
    .map((part) =>
      part.kind === 'result'
        ? plainText(part.parts)
        : 'text' in part
          ? part.text
          : part.kind === 'call'
            ? part.input
            : '',
    )
    .join('');
}

/** One text per message: what the prefix cache compares. */
export const messageText = (message: NeutralMessage): string => JSON.stringify([message.role, message.parts]);

/** What of a tool server's answer its agent is shown, and what is kept of the rest with END. */
import type { ToolAnswer } from '../base/ports.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import type { Kept } from '../tools/results.ts';
import { OWN, shorten } from '../tools/shorten.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

type Called = Extract<ToolAnswer, { kind: 'called' }>;

/** The answer within its server's bound; what it does not show is the flight's, until END. */
export function showResult({ servers }: Parts, flight: Flight, answer: Called): Called {
  const { payload, id } = flight.call;
  // What reads on is bounded by itself; what is no tool's result is a program's, which wants it whole.
  if (!('server' in payload) || payload.server === OWN || isOther(payload.request?.method)) return answer;
  const most = servers.get(payload.server)?.spec.resultCharacters ?? TOOL_LIMITS.shownCharacters.value;
  const whole = withContent(answer, payload.server);
  const { result, parts } = shorten(whole.result, id, most);
  if (parts.length === 0) return whole;
  flight.rest = parts;
  return { ...whole, result };
}

/** Every client expects content of a tool's result; a question and a task are none, and an error says itself what it is. */
function withContent(answer: Called, server: string): Called {
  const { result, error } = answer;
  const { resultType = 'complete', structuredContent } = result;
  if (error || resultType !== 'complete' || Array.isArray(result.content)) return answer;
  const isData = structuredContent !== undefined;
  const text = isData
    ? JSON.stringify(structuredContent)
    : `${server} answered, and its answer is no result of a tool: what it did is not known. Look what is there before doing it again.`;
  const content = [{ type: 'text', text }];
  if (isData) return { ...answer, result: { ...result, content } };
  return { ...answer, isError: true, result: { ...result, content, isError: true } };
}

const isOther = (method: string | undefined): boolean => method !== undefined && method !== 'tools/call';

/** For END. */
export function keepRest({ results, context, settings }: Parts, flight: Flight, now: number): Kept {
  const { rest, call, agent } = flight;
  const maker = { call: call.id, agent: agent.pid, owner: agent.owner };
  if (settings.bodies !== 'keep') {
    results.hold(maker, rest);
    return { puts: [], blobs: [] };
  }
  const { puts, blobs } = results.keep(maker, rest, now);
  return { puts, blobs: blobs.flatMap((blob) => context.keepBlob(blob)) };
}

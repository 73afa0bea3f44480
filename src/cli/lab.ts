/** The one door from the command line to the lab: a model server on loopback that is no model and no part of a kernel. */
import { systemClock } from '../drivers/clock.ts';
import { plainText, sayTo, tokensOf } from '../drivers/lab/model.ts';
import { LAB_DEFAULTS } from '../drivers/lab/options.ts';
import type { LabReply, LabRequest } from '../drivers/lab/script.ts';
import { type Lab, openLab } from '../drivers/lab/server.ts';

export type { Lab, LabReply, LabRequest };

export const openScripted = (script: (request: LabRequest) => LabReply | undefined): Promise<Lab> =>
  openLab(LAB_DEFAULTS, systemClock, script);

/** The last thing that a user said in a request. */
export function lastWords(request: LabRequest): string {
  const last = request.asked()?.messages.findLast(({ role }) => role === 'user');
  return last ? plainText(last.parts) : '';
}

/** What the lab's own model says to it. */
export function labAnswer(request: LabRequest, id: string): LabReply {
  const asked = request.asked();
  if (!asked) return { status: 400, message: 'No JSON object.' };
  const said = sayTo(asked);
  const usage = { input: tokensOf(lastWords(request)), cacheRead: 0, cacheWrite: 0, reasoning: 0 };
  return { answer: { id, ...said, usage: { ...usage, output: tokensOf(plainText(said.parts)) } } };
}

type Asked = NonNullable<ReturnType<LabRequest['asked']>>;

/** What users said in a request, all of it, and what each tool call came to, in order. */
export function partsOf({ messages }: Asked): {
  readonly words: string;
  readonly results: readonly string[];
} {
  const parts = messages.flatMap((message) => message.parts);
  const results = parts.flatMap((part) => (part.kind === 'result' ? plainText(part.parts) : []));
  const words = messages.flatMap(({ role, parts: own }) => (role === 'user' ? plainText(own) : []));
  return { words: words.join('\n'), results };
}

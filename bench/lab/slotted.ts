/**
 * A backend with slots whose agents have turns of a few calls: a tool is called until the turn's last answer. How long a
 * call takes depends on the agent's name and its place in the turn alone, so every arm meets the same work. One more call
 * than there are slots waits its turn, or is turned away with 503, as servers do that are busy.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/drivers/clock.ts';
import { plainText } from '../../src/drivers/lab/model.ts';
import { LAB_DEFAULTS } from '../../src/drivers/lab/options.ts';
import type { LabReply, LabRequest } from '../../src/drivers/lab/script.ts';
import { openLab } from '../../src/drivers/lab/server.ts';

export interface SlottedOptions {
  readonly slots: number;
  readonly whenBusy: 'queue' | 'reject';
  /** Calls of a turn. */
  readonly calls: number;
  takesMs(agent: string, step: number): number;
}
export interface Slotted {
  readonly origin: string;
  /** Since it was opened: calls answered, calls turned away, and the sum of what the answered ones took. */
  readonly counts: { answered: number; rejected: number; busyMs: number };
  close(): Promise<void>;
}

const USAGE = { input: 100, cacheRead: 0, cacheWrite: 0, output: 50, reasoning: 0 };
const AGENT = /I am agent ([\w-]+)\./;

export async function openSlotted({ slots, whenBusy, calls, takesMs }: SlottedOptions): Promise<Slotted> {
  const counts = { answered: 0, rejected: 0, busyMs: 0 };
  const queue: (() => void)[] = [];
  let running = 0;
  const take = (): Promise<void> | undefined => {
    if (running >= slots) return new Promise((resolve) => queue.push(resolve));
    running++;
    return undefined;
  };
  const give = (): void => {
    const next = queue.shift();
    if (next) next();
    else running--;
  };
  const serve = async (ms: number): Promise<void> => {
    await take();
    await sleep(ms);
    counts.answered++;
    counts.busyMs += ms;
    give();
  };
  const lab = await openLab(LAB_DEFAULTS, systemClock, (request) => {
    const asked = request.dialect && !request.path.endsWith('/count_tokens') ? request.asked() : undefined;
    if (!asked) return undefined;
    if (whenBusy === 'reject' && running >= slots) {
      counts.rejected++;
      return { status: 503, message: 'The server is busy.' };
    }
    const parts = asked.messages.flatMap((message) => message.parts);
    const step = parts.filter(({ kind }) => kind === 'result').length;
    const agent = AGENT.exec(plainText(parts))?.[1] ?? 'nobody';
    return { answer: answerTo(request, step, calls), hold: serve(takesMs(agent, step)) };
  });
  return { origin: lab.origin, counts, close: () => lab.close() };
}

/** The tool of the programs that the benchmark runs, or a coding agent's shell. */
function answerTo(request: LabRequest, step: number, calls: number): NonNullable<LabReply['answer']> {
  const tools = (request.asked()?.tools ?? []).flatMap((tool) => (tool.kind === 'other' ? [] : [tool]));
  const tool = tools.find(({ name }) => name === 'step' || name === 'Bash');
  const id = `call_${step}`;
  if (!tool || step >= calls - 1)
    return { id, parts: [{ kind: 'text', text: '[lab] Done.', extras: {} }], stop: 'end', usage: USAGE };
  const args = tool.name === 'Bash' ? { command: `echo step ${step}`, description: 'A step' } : { n: step };
  const call = { kind: 'call', id, name: tool.name, custom: false, extras: {} } as const;
  return { id, parts: [{ ...call, input: JSON.stringify(args) }], stop: 'calls', usage: USAGE };
}

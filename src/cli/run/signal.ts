/** Signals to agents: the kernel's verb and, for a kill, the end of what the program left running. */
import type { VerbRequest } from '../../base/control.ts';
import type { Answer, ControlClient } from '../../sdk/client.ts';
import { readMark, reapLeftovers } from './leftovers.ts';

export async function sendSignal(
  control: ControlClient,
  request: VerbRequest<'signal'>,
): Promise<Answer<'signal'>> {
  const mark = request.signal === 'kill' ? await markOf(control, request.agent) : undefined;
  const answer = await control.call('signal', request);
  if (mark !== undefined) await reapLeftovers(mark);
  return answer;
}

/** What every process of the agent's program carries; undefined when none runs, or the system does not show it. */
async function markOf(control: ControlClient, selector: string): Promise<string | undefined> {
  const { agent } = await control.call('agent.show', { agent: selector });
  const mark = agent.osPid === null || agent.state === 'exited' ? undefined : readMark(agent.osPid);
  return mark?.startsWith(`${agent.pid}-`) ? mark : undefined;
}

/** The kernel, tap and scripted upstream that every SDK meets; what the upstream does is told by the model's name. */
import type { Launch } from '../../src/base/control.ts';
import { startKernel, type TestKernel } from '../kernel.ts';
import { startTap, type Tap } from '../upstream/tap.ts';
import type { Reply, SeenRequest } from '../upstream/upstream.ts';

export const TEXT = 'Grüße from the other side.';
export const ANSWER = 'The sum is 5.';
/** Retries need no long waits: both vendors' SDKs obey this header. */
const SOON = { 'retry-after-ms': '20' };
const HAS_RESULT = /"tool_result"|"function_call_output"|"role":\s*"tool"/;

export interface World {
  readonly kernel: TestKernel;
  readonly tap: Tap;
  /** An agent whose calls go through the tap. */
  agent(name: string): Promise<Launch>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const kernel = await startKernel(behave, 'rateLimit: { on: fail }\n');
  const tap = await startTap(kernel.running.origin);
  const { text } = await kernel.control.call('policy', {});
  await kernel.control.call('policy.apply', {
    text: `${text}\n@id("no-denied") @reason("the test says so")\nforbid(principal, action, resource is Model) when { resource in [Model::"gpt-4o-denied", Model::"claude-sonnet-4-5-denied"] };
@id("no-tools") @reason("the test says so")
forbid(principal, action, resource is Tool) when { principal.name == "graph-denied" };`,
  });
  return {
    kernel,
    tap,
    agent: async (name) => {
      seenOnce.clear();
      return { ...(await kernel.agent(name)), origin: tap.origin };
    },
    close: async () => {
      await tap.close();
      await kernel.close();
    },
  };
}

const seenOnce = new Set<string>();

function behave(request: SeenRequest): Reply {
  const model = String(request.json.model ?? '');
  const [what, once] = /-(429|500|529|cut|dead|tools)(once)?/.exec(model)?.slice(1) ?? [];
  if (what === 'tools')
    return HAS_RESULT.test(request.body.toString())
      ? { text: ANSWER }
      : { tools: [{ name: 'add', args: { a: 2, b: 3 } }] };
  if (once && seenOnce.has(model)) {
    seenOnce.delete(model);
    return { text: TEXT };
  }
  if (once) seenOnce.add(model);
  if (what === 'cut') return { text: TEXT, cut: 'mid_event' };
  if (what === 'dead') return { cut: 'before_headers' };
  return what === undefined ? { text: TEXT } : { status: Number(what), headers: SOON };
}

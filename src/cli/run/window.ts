/** Before an agent starts: can the model it will use hold what such an agent is known to send? */
import { homedir } from 'node:os';
import type { WindowFit } from '../../base/sheets.ts';
import type { ClientAdapter } from '../adapters/adapter.ts';
import { UsageFailure } from '../exit.ts';
import { readTextIfThere } from '../files.ts';
import type { Engine, FoundModel } from '../found/engines.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { shellWord } from '../shell.ts';

interface Sends {
  readonly tokens: number;
  readonly source: string;
}
interface Live {
  readonly engine: Engine;
  readonly model: FoundModel;
}

/**
 * Throws a UsageFailure (exit 6) with the numbers and three ways out where the window is known to be too small. Where
 * the model, its window or what the client sends is unknown, nothing is said.
 */
export async function checkWindow(
  session: Session,
  adapter: ClientAdapter,
  command: readonly string[],
): Promise<void> {
  const context = {
    env: session.env,
    home: homedir(),
    readText: (path: string) => readTextIfThere(session.cwd, path),
  };
  const name = adapter.model?.(command.slice(1), context);
  if (name === undefined) return;
  const fit = await session.control.call('window', { model: name, client: adapter.client });
  const sends = sendsOf(fit, adapter);
  if (fit.model === null || !sends) return;
  const live = await askLive(fit);
  // What the engine serves it with now counts; a setting may have been written before.
  const window = live?.model.window ?? fit.window;
  const needed = sends.tokens + LIMITS.windowRoomTokens.value;
  if (window === null || window >= needed) return;
  const ways = [
    ['another model', await otherModels(session, needed)],
    ['a larger window', largerWindow(fit, live, needed)],
    ['all the same', `mezz run --anyway -- ${command.map(shellWord).join(' ')}`],
  ] as const;
  throw new UsageFailure(
    `${name} takes ${about(live)}${tokens(window)}; ${adapter.client} sends about ${tokens(sends.tokens)} with its first request (${sends.source}), and needs ${tokens(LIMITS.windowRoomTokens.value)} more to answer and go on`,
    ['one of', ...ways.map(([what, how]) => `  ${what.padEnd(17)}${how}`)].join('\n'),
    6,
  );
}

const tokens = (count: number): string => `${count.toLocaleString('en')} tokens`;
const about = (live: Live | undefined): string => (live?.model.assumed ? 'about ' : '');

/** What agents of this client sent here, else what was measured elsewhere. */
function sendsOf({ seen }: WindowFit, { sends }: ClientAdapter): Sends | undefined {
  if (!seen) return sends;
  return { tokens: seen.tokens, source: `the middle one of the last ${seen.agents} here` };
}

/** The model as its engine serves it at this moment, where that is on this machine. */
async function askLive({ url, model }: WindowFit): Promise<Live | undefined> {
  const address = url === null ? null : URL.parse(url);
  if (!address || !['127.0.0.1', 'localhost'].includes(address.hostname)) return undefined;
  const { inspectEngine } = await import('../found/engines.ts');
  const engine = await inspectEngine(Number(address.port));
  const found = engine?.models.find((one) => one.name === model);
  return engine && found && { engine, model: found };
}

async function otherModels(session: Session, needed: number): Promise<string> {
  const { models } = await session.control.call('models', {});
  const wide = models.filter(({ name, window }) => !name.includes('*') && (window ?? 0) >= needed);
  const names = wide.slice(0, 3).map(({ name }) => name);
  return names.length > 0
    ? `--model ${names.join(', or --model ')}`
    : 'none of those in mezz.yaml is known to be wide enough (mezz model ls)';
}

/** The exact line for the engine that serves it: half as much again as is needed, as a power of two. */
function largerWindow({ model, url }: WindowFit, live: Live | undefined, needed: number): string {
  const size = 2 ** Math.ceil(Math.log2(needed * 1.5));
  const most = live?.model.most ?? null;
  if (most !== null && most < needed) return `none: it was made for ${tokens(most)}`;
  const window = most === null ? size : Math.min(size, most);
  const name = shellWord(model ?? '');
  switch (live?.engine.kind) {
    case 'ollama':
      return `OLLAMA_CONTEXT_LENGTH=${window} ollama serve`;
    case 'lm-studio':
      return `lms load ${name} --context-length ${window}`;
    case 'llama-server':
      return `llama-server -m ${shellWord(live.model.file ?? 'FILE')} -c ${window * live.engine.slots} -np ${live.engine.slots}`;
    case 'vllm':
      return `vllm serve ${name} --max-model-len ${window}`;
    case 'sglang':
      return `python -m sglang.launch_server --model-path ${name} --context-length ${window}`;
    default:
      return url === 'engine:'
        ? `backends: { engine: { engine: { window: ${window} } } } in mezz.yaml`
        : `give it one of ${window} tokens, and say so in mezz.yaml: window: ${window}`;
  }
}

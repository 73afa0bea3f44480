/** A turn: from a question to its answer, through as many tool calls as the model wants. */
import type { Fields, Kernel, ToolCall } from './kernel.ts';
import { cut, describe, readInput, type Tool } from './tools.ts';

export interface Conversation {
  readonly kernel: Kernel;
  readonly tools: Readonly<Record<string, Tool>>;
  model: string;
  /** As Chat has them, the system's first. All are sent with each request: the model itself remembers nothing. */
  messages: Fields[];
}

/** What the person is shown while a turn runs: the answer as it comes, and lines beside it. */
export interface Watcher {
  text(text: string): void;
  note(style: 'cyan' | 'dim' | 'red' | 'yellow', line: string): void;
}

/** Where a model that only ever asks for more tools is stopped; the kernel's brakes are budgets and the loop guard. */
const MOST_STEPS = 50;
const PATIENCE_MS = 1500;

/** Gives the answer. A turn that breaks off throws and leaves no trace: the conversation goes on as before it. */
export async function turn(talk: Conversation, question: string, watcher: Watcher, signal: AbortSignal) {
  const { kernel, model } = talk;
  const messages = [...talk.messages, { role: 'user', content: question }];
  const tools = Object.entries(talk.tools).map(describe);
  for (let step = 0; step < MOST_STEPS; step++) {
    const { text, calls } = await kernel.ask({ model, messages, tools }, watcher.text, signal);
    messages.push({ role: 'assistant', content: text, ...(calls[0] ? { tool_calls: calls } : {}) });
    if (calls.length === 0) {
      talk.messages = messages;
      return text;
    }
    if (text !== '') watcher.text('\n');
    for (const call of calls) {
      const content = cut(await use(talk, call, watcher, signal));
      messages.push({ role: 'tool', tool_call_id: call.id, content });
    }
  }
  throw new Error(`no answer after ${MOST_STEPS} model calls`);
}

/** Every way out of here is a result for the model, unless the person stops it or no kernel answers. */
async function use({ kernel, tools }: Conversation, call: ToolCall, { note }: Watcher, signal: AbortSignal) {
  const { name } = call.function;
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
  if (!tool) return `There is no tool ${name}.`;
  let input: ReturnType<typeof readInput>;
  try {
    input = readInput(tool, call.function.arguments);
  } catch (error) {
    return `Not done: ${textOf(error)}`;
  }
  note('cyan', `${name}  ${Object.values(input)[0]}`);
  // No answer yet: this agent is paused, or a person is asked.
  const patience = () => note('yellow', '  waits at the gate; in another terminal: mezz inbox, mezz ps');
  const timer = setTimeout(patience, PATIENCE_MS);
  const why = await kernel.whyNot(call, input, signal).finally(() => clearTimeout(timer));
  if (why !== undefined) {
    note('red', `  refused: ${why}`);
    return `Refused, and not done: ${why}`;
  }
  try {
    const result = await tool.use(input, signal);
    await kernel.tell('PostToolUse', call);
    note('dim', `  ${result}`);
    return result;
  } catch (error) {
    await kernel.tell('PostToolUseFailure', call);
    if (signal.aborted) throw error;
    note('red', `  failed: ${textOf(error)}`);
    return `Failed: ${textOf(error)}`;
  }
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

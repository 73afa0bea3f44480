/** What tells one use of a tool from its repetition: the name its client gave it, and whether its answer has left. */
import type { ServerResponse } from 'node:http';
import type { CallId } from '../base/ids.ts';
import { isRecord, type Json } from '../base/json.ts';
import type { Kernel } from './kernel.ts';
import { LIMITS } from './limits.ts';

/** Members of `_meta` that name a use: any client's own, and the model's tool-use id as Claude Code passes it on. */
const NAMES = ['idempotencyKey', 'claudecode/toolUseId'];

export function namedUse(meta: Json | undefined): string | undefined {
  if (!isRecord(meta)) return undefined;
  const name = NAMES.map((key) => meta[key]).find((value) => typeof value === 'string' && value !== '');
  return typeof name === 'string' ? name.slice(0, LIMITS.useCharacters.value) : undefined;
}

/** Tells the kernel whether the answer of a call left whole. */
export function tellOf(kernel: Kernel, response: ServerResponse): (call: CallId) => void {
  return (call) => {
    const tell = () => kernel.told(call, response.writableFinished);
    if (response.closed) tell();
    else response.once('close', tell);
  };
}

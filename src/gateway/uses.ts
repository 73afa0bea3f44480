/** What tells one use of a tool from its repetition: the name that its client gave it. */
import { isRecord, type Json } from '../base/json.ts';
import { LIMITS } from './limits.ts';

/** Members of `_meta` that name a use: any client's own, and the model's tool-use id as Claude Code passes it on. */
const NAMES = ['idempotencyKey', 'claudecode/toolUseId'];

export function namedUse(meta: Json | undefined): string | undefined {
  if (!isRecord(meta)) return undefined;
  const name = NAMES.map((key) => meta[key]).find((value) => typeof value === 'string' && value !== '');
  return typeof name === 'string' ? name.slice(0, LIMITS.useCharacters.value) : undefined;
}

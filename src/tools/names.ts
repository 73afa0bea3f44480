/** Names that every client and every model API takes: letters, digits, `_` and `-`, at most 64 of them. */
import { sha256Hex } from '../base/hash.ts';
import { LIMITS } from './limits.ts';

const HASH = 8;

/**
 * `server__tool`. What does not fit, and a second tool that would get the name of a first, ends in a hash of its own
 * name: the same for as long as the tool is called that.
 */
export function publicName(server: string, tool: string, taken: Set<string> = new Set()): string {
  const whole = `${server}__${tool}`;
  const plain = whole.replace(/[^A-Za-z0-9_-]/g, '_');
  const most = LIMITS.nameCharacters.value;
  const isFit = plain.length <= most && !taken.has(plain);
  const name = isFit ? plain : `${plain.slice(0, most - HASH - 1)}_${sha256Hex(whole).slice(0, HASH)}`;
  taken.add(name);
  return name;
}

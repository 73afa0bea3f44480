/**
 * The named transform `unseal`: thoughts that a provider of another dialect has sealed (seal.ts) leave a request that
 * stays in its own dialect, whose provider would refuse them: a client changed its model in the middle of a
 * conversation. No other byte changes.
 */
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { scanBody } from '../scan.ts';
import { isSeal, SEAL_MARK } from '../seal.ts';

const MARK = Buffer.from(SEAL_MARK);

/** The body without them; undefined where there are none. */
export function unseal(body: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.includes(MARK)) return undefined;
  const plain = keepElements(bytes, ['messages', 'input'], (item) => {
    if (!item.includes(MARK)) return item;
    return isSealed(item) ? undefined : keepElements(item, ['content'], keepBlock);
  });
  return plain && plain.length < bytes.length ? plain : undefined;
}

const keepBlock = (block: Buffer): Buffer | undefined => (isSealed(block) ? undefined : block);

function isSealed(bytes: Buffer): boolean {
  const value = bytes.includes(MARK) ? parseJson(bytes.toString('utf8')) : undefined;
  if (!isRecord(value)) return false;
  const { type, signature, encrypted_content: encrypted } = value as JsonRecord;
  const seal = type === 'thinking' ? signature : type === 'reasoning' ? encrypted : undefined;
  return typeof seal === 'string' && isSeal(seal);
}

/** An object with those elements of its array that `keep` gives back; undefined when none of them is left. */
function keepElements(
  bytes: Buffer,
  arrays: readonly string[],
  keep: (element: Buffer) => Buffer | undefined,
): Buffer | undefined {
  const scan = scanBody(bytes, arrays);
  if ('problem' in scan) return bytes;
  const [first, last] = [scan.elements[0], scan.elements.at(-1)];
  if (!first || !last) return bytes;
  const kept: Buffer[] = [];
  for (const [at, { start, end }] of scan.elements.entries()) {
    const element = keep(bytes.subarray(start, end));
    if (!element) continue;
    const before = kept.length === 0 ? undefined : scan.elements[at - 1];
    if (before) kept.push(bytes.subarray(before.end, start));
    kept.push(element);
  }
  if (kept.length === 0) return undefined;
  return Buffer.concat([bytes.subarray(0, first.start), ...kept, bytes.subarray(last.end)]);
}

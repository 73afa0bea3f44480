/** The named transform `held`: elements behind the last of `messages` or `input`, and no other byte. */
import { assert } from '../../base/assert.ts';
import { scanBody } from '../scan.ts';

const QUOTE = 0x22;

/** `elements` are JSON texts. A string `input` becomes the list of one user message that it stands for. */
export function appendElements(
  body: Uint8Array,
  member: 'messages' | 'input',
  elements: readonly string[],
): Buffer {
  const scan = scanBody(body, [member]);
  assert(!('problem' in scan), 'only a body that was read before is transformed');
  const list = scan.members.get(member);
  const more = elements.join(',');
  if (!list) {
    const brace = body.indexOf(0x7b) + 1;
    const comma = scan.members.size > 0 ? ',' : '';
    return Buffer.concat([
      body.subarray(0, brace),
      Buffer.from(`${JSON.stringify(member)}:[${more}]${comma}`),
      body.subarray(brace),
    ]);
  }
  if (body[list.start] === QUOTE) {
    return Buffer.concat([
      body.subarray(0, list.start),
      Buffer.from('[{"role":"user","content":'),
      body.subarray(list.start, list.end),
      Buffer.from(`},${more}]`),
      body.subarray(list.end),
    ]);
  }
  const comma = scan.elements.length > 0 ? ',' : '';
  return Buffer.concat([
    body.subarray(0, list.end - 1),
    Buffer.from(comma + more),
    body.subarray(list.end - 1),
  ]);
}

/** The named transform `alias`: replaces the value of the one member `model`, and no other byte. */
import { assert } from '../../base/assert.ts';
import { scanBody } from '../scan.ts';

export function aliasModel(body: Uint8Array, model: string): Buffer {
  const scan = scanBody(body, []);
  assert(!('problem' in scan), 'only a body that was read before is transformed');
  const range = scan.members.get('model');
  assert(range, 'only a body with a model is transformed');
  return Buffer.concat([
    body.subarray(0, range.start),
    Buffer.from(JSON.stringify(model)),
    body.subarray(range.end),
  ]);
}

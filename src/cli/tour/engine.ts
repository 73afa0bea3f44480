import type { Evidence } from '../checklist/condition.ts';
import { shows } from '../checklist/condition.ts';
import type { Room } from '../checklist/room.ts';

const ASKED = { model: 'engine/tiny', max_tokens: 12, temperature: 0 };

/** The engine for real, on a model of random weights that is made on the spot: it needs no key and no download. */
export async function tryEngine(room: Room): Promise<Evidence> {
  const { installed } = await room.control.call('engine', {});
  if (!installed)
    return {
      verdict: 'cannot tell',
      saw: 'its library is not here yet: mezz model engine install',
      calls: [],
    };
  await room.control.call('model.add', {});
  const agent = await room.agent('local');
  const first = await room.ask(agent, 'hello', ASKED);
  const again = await room.ask(agent, 'hello', ASKED);
  const { files } = await room.control.call('models', {});
  const osPid = files[0]?.osPid ?? null;
  const same = JSON.stringify(first.json.content) === JSON.stringify(again.json.content);
  return shows(
    first.status === 200 && again.status === 200 && same && osPid !== null,
    `asked twice, it wrote ${same ? 'the same tokens' : 'different tokens'} in ${osPid === null ? 'no process' : 'a process of its own'}; they mean nothing, its weights are random: this is the mechanism`,
    first.call,
    again.call,
  );
}

import type { Evidence } from '../checklist/condition.ts';
import { shows } from '../checklist/condition.ts';
import { send } from '../checklist/http.ts';
import type { Room } from '../checklist/room.ts';

const ASKED = {
  ...{ model: 'engine/tiny', max_tokens: 12, temperature: 0 },
  messages: [{ role: 'user', content: 'hello' }],
};

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
  const url = await room.url(agent, '/v1/messages');
  const ask = () => send({ url, headers: {}, body: JSON.stringify(ASKED) });
  const first = await ask();
  const again = await ask();
  const { files } = await room.control.call('models', {});
  const osPid = files[0]?.osPid ?? null;
  const same = JSON.stringify(first.json.content) === JSON.stringify(again.json.content);
  return shows(
    first.status === 200 && again.status === 200 && same && osPid !== null,
    `asked twice, it wrote ${same ? 'the same tokens' : 'different tokens'} in ${osPid === null ? 'no process' : 'a process of its own'}; they mean nothing, its weights are random: this is the mechanism`,
    String(first.headers['x-mezz-call']),
    String(again.headers['x-mezz-call']),
  );
}

/** The whole kernel with its embedded engine and one model. Says its origin and a key. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boot } from '../../src/boot.ts';
import { ControlClient } from '../../src/sdk/client.ts';

const [path = '', stateDir = '', sequences = '8', window = '2048', threads = '1'] = process.argv.slice(2);
const configPath = join(stateDir, 'mezz.yaml');
const engine = `{ threads: ${threads}, sequences: ${sequences}, window: ${window} }`;
writeFileSync(configPath, `backends: { engine: { engine: ${engine} } }\n`, { mode: 0o600 });
const kernel = await boot({ stateDir, configPath, port: 0 });
const control = new ControlClient(stateDir);
await control.call('model.add', { path, name: 'bench' });
const { launches } = await control.call('agent.open', {
  name: 'bench',
  client: 'generic',
  cwd: '/',
  hooks: false,
});
process.once('disconnect', () => void kernel.close(1000).then(() => process.exit(0)));
process.send?.({ origin: kernel.origin, key: launches[0]?.token ?? '' });

/** The whole kernel with settings and agents that its parent names, for benchmarks in scaled time. Says its origin and keys. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boot } from '../../src/boot.ts';
import { ControlClient } from '../../src/sdk/client.ts';

interface Hired {
  readonly name: string;
  readonly nice: number;
  readonly owner: string;
}

const [stateDir = '', config = '', hired = '[]'] = process.argv.slice(2);
const configPath = join(stateDir, 'mezz.yaml');
writeFileSync(configPath, config, { mode: 0o600 });
const kernel = await boot({ stateDir, configPath, port: 0, logFile: join(stateDir, 'kernel.log') });
const control = new ControlClient(stateDir);
const keys: string[] = [];
for (const { name, nice, owner } of JSON.parse(hired) as Hired[]) {
  const { launches } = await control.call('agent.open', {
    ...{ name, nice, owner, client: 'generic', cwd: '/', hooks: false },
  });
  keys.push(...launches.map(({ token }) => token));
}
process.once('disconnect', () => void kernel.close(1000).then(() => process.exit(0)));
process.send?.({ origin: kernel.origin, keys: keys.join(' ') });

/** The whole kernel as `mezz up` runs it: SQLite, journal with bodies, access policies, budgets. Says its origin and keys. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from '../../src/base/control.ts';
import { boot } from '../../src/boot.ts';
import { ControlClient } from '../../src/sdk/client.ts';

// `tools`: the address of a tool server, or all of them as JSON.
const [upstream = '', stateDir = '', agents = '8', slots, tools] = process.argv.slice(2);
// With slots of its own it is asked without a bound on output, which no strict limit would let pass.
const strict = slots === undefined;
const configPath = join(stateDir, 'mezz.yaml');
writeFileSync(
  configPath,
  `backends:
  bench: { url: '${upstream}/v1', dialects: [openai-chat, openai-responses, anthropic], credential: local, slots: ${slots ?? 256} }
models:
  gpt-bench: { backends: [bench], price: { input: 1, output: 2 } }
  claude-bench: { backends: [bench], price: { input: 1, output: 2 } }
limits:
  - { scope: 'owner:me', dimension: tokens, period: month, cap: 9000000000000, strict: ${strict} }
  - { scope: 'owner:me', dimension: usd, period: day, cap: 1000000usd }
${tools === undefined ? '' : `tools: ${tools.startsWith('{') ? tools : `{ bench: { url: '${tools}', trusted: true } }`}`}
`,
  { mode: 0o600 },
);
const kernel = await boot({ stateDir, configPath, port: 0 });
const control = new ControlClient(stateDir);
const { launches } = await control.call('agent.open', {
  name: 'bench',
  client: 'generic',
  count: Number(agents),
  cwd: '/',
  hooks: false,
  budget: 1e15,
});
process.once('disconnect', () => void kernel.close(1000).then(() => process.exit(0)));
process.send?.({
  origin: kernel.origin,
  keys: (launches as Launch[]).map((launch) => launch.token).join(' '),
});

/** A kernel that is tried as a product of somebody's: its upstream has one slot. Usage: node mezz.ts <upstream> <port> <directory> */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { boot } from '../../src/boot.ts';

const [upstream = '', port = '', directory = ''] = process.argv.slice(2);
const packaged = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-filesystem/package.json',
);
const server = [process.execPath, join(dirname(packaged), 'dist', 'index.js'), directory];
const stateDir = join(directory, 'state');
mkdirSync(stateDir, { recursive: true, mode: 0o700 });
const configPath = join(stateDir, 'mezz.yaml');
writeFileSync(
  configPath,
  `backends:
  upstream: { url: '${upstream}/v1', dialects: [anthropic], credential: local, slots: 1 }
models:
  lab: { backends: [upstream], price: free }
scheduling: { policy: fifo }
tools:
  filesystem: ${JSON.stringify({ command: server, cwd: directory })}
`,
  { mode: 0o600 },
);
await boot({ stateDir, configPath, port: Number(port), logFile: join(stateDir, 'kernel.log') });

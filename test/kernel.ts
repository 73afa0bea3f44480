/** A real kernel for tests: its own state directory, a free port, backends that point at a scripted upstream. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Launch } from '../src/base/control.ts';
import { type BootOptions, boot, type Running } from '../src/boot.ts';
import { ControlClient } from '../src/sdk/client.ts';
import { type Script, startUpstream, type Upstream } from './upstream/upstream.ts';

export interface TestKernel {
  readonly upstream: Upstream;
  readonly control: ControlClient;
  readonly stateDir: string;
  running: Running;
  /** Opens an agent with a key of its own. */
  agent(name?: string): Promise<Launch>;
  /** Ends the kernel and leaves its directory, so that a test can look into the store. */
  stop(): Promise<void>;
  /** Closes this kernel and opens another on the same directory; `between` runs while there is none. */
  restart(between?: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export async function startKernel(
  script?: Script,
  more = '',
  options: Partial<BootOptions> = {},
): Promise<TestKernel> {
  const upstream = await startUpstream(script);
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-kernel-'));
  const configPath = join(stateDir, 'mezz.yaml');
  writeFileSync(configPath, configText(upstream.origin, more), { mode: 0o600 });
  const open = () =>
    boot({ stateDir, configPath, port: 0, logFile: join(stateDir, 'kernel.log'), ...options });
  const control = new ControlClient(stateDir);
  let stopped = false;
  const kernel: TestKernel = {
    upstream,
    control,
    stateDir,
    running: await open().catch(async (error: unknown) => {
      await upstream.close();
      throw error;
    }),
    async agent(name = 'tester') {
      const { launches } = await control.call('agent.open', {
        name,
        client: 'generic',
        cwd: '/',
        hooks: false,
      });
      return launches[0] as Launch;
    },
    async stop() {
      stopped = true;
      await kernel.running.close(0);
    },
    async restart(between) {
      await kernel.running.close(0);
      await between?.();
      kernel.running = await open();
    },
    async close() {
      if (!stopped) await kernel.running.close(0);
      await upstream.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  return kernel;
}

export const configText = (origin: string, more = ''): string => `
backends:
  scripted: { url: '${origin}/v1', dialects: [anthropic, openai-responses, openai-chat, openai-embeddings], credential: local, slots: 4 }
  messages-only: { url: '${origin}/v1', dialects: [anthropic], credential: local }
  chat-only: { url: '${origin}/v1', dialects: [openai-chat], credential: local }
  responses-only: { url: '${origin}/v1', dialects: [openai-responses], credential: local }
models:
  'via-messages': { backends: [messages-only], alias: claude-real, price: free }
  'via-chat': { backends: [chat-only], alias: chat-real, price: free }
  'via-responses': { backends: [responses-only], alias: gpt-real, price: free }
  'claude-*': { backends: [scripted], price: { input: 3, output: 15 } }
  'gpt-*': { backends: [scripted], price: { input: 1, output: 2 } }
  'house-model': { backends: [scripted], alias: gpt-real, price: free }
  'text-embedding-*': { backends: [scripted], price: free }
${more}`;

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** One HTTP request, bytes in and bytes out. */
export function send(
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method, headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

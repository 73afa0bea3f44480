/** Lists of more tools than one page holds, as the official client of both eras walks through them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { LIMITS } from '../src/gateway/limits.ts';
import { startKernel } from './kernel.ts';
import { earlierClient, modernClient } from './mcp/client.ts';

const PAGE = LIMITS.pageItems.value;
const nameOf = (n: number) => `tool-${String(n).padStart(5, '0')}`;

/** A kernel with one server of this many tools, and the address of an agent there that sees it alone. */
async function withTools(count: number, work: (url: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-pages-'));
  const offers = join(directory, 'offers.json');
  const tools = Array.from({ length: count }, (_, n) => ({
    name: nameOf(n),
    inputSchema: { type: 'object' },
  }));
  writeFileSync(offers, JSON.stringify(tools));
  const server = join(import.meta.dirname, 'upstream/toolserver.ts');
  const command = [process.execPath, server, offers, join(directory, 'done.txt')];
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ many: { command } })}`);
  try {
    const agent = await kernel.agent();
    await work(`${agent.origin}/a/${agent.token}/mcp/many`);
  } finally {
    await kernel.close();
    rmSync(directory, { recursive: true });
  }
}

test('a list of many pages shows each tool once, in one order, to clients of both eras; another cursor is refused', () =>
  withTools(2 * PAGE + 1, async (url) => {
    const all = Array.from({ length: 2 * PAGE + 1 }, (_, n) => nameOf(n));
    for (const mode of ['legacy', { pin: '2026-07-28' }] as const) {
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(url)));
      const { tools } = await client.listTools();
      assert.deepEqual(
        tools.map(({ name }) => name),
        all,
      );
      await client.close();
    }
    for (const client of [await earlierClient(url), modernClient(url)]) {
      const sizes: number[] = [];
      let cursor: unknown;
      do {
        const { result } = await client.ask('tools/list', cursor === undefined ? {} : { cursor });
        sizes.push(Array.isArray(result?.tools) ? result.tools.length : 0);
        cursor = result?.nextCursor;
      } while (cursor !== undefined);
      assert.deepEqual(sizes, [PAGE, PAGE, 1]);
      for (const wrong of ['', 'at-', 'at--1', 'at-1x', 'other', 1000, null])
        assert.equal((await client.ask('tools/list', { cursor: wrong })).error?.code, -32602);
    }
  }));

/** The fixture's tool server behind a real kernel, and where an agent finds it: the suite's server leg runs against that. */
import { join } from 'node:path';
import { startKernel } from '../kernel.ts';
import { startHttpFixture } from './fixture/http.ts';

/** How mezz reaches the fixture: as a program, or at an address that speaks one era. */
export const UPSTREAMS = ['stdio', 'http 2025-11-25', 'http 2026-07-28'] as const;
export type UpstreamKind = (typeof UPSTREAMS)[number];

export interface Through {
  readonly url: string;
  close(): Promise<void>;
}

export async function openThrough(upstream: UpstreamKind): Promise<Through> {
  const fixture =
    upstream === 'stdio'
      ? undefined
      : await startHttpFixture([upstream === 'http 2026-07-28' ? 'modern' : 'earlier']);
  const command = [process.execPath, join(import.meta.dirname, 'fixture/stdio.ts')];
  const tools = { fixture: fixture ? { url: fixture.url } : { command } };
  const more = `tools: ${JSON.stringify(tools)}\nloop: { repeats: 100000 }`;
  const kernel = await startKernel(undefined, more);
  const agent = await kernel.agent('conformance');
  return {
    url: `${agent.origin}/a/${agent.token}/mcp/fixture`,
    async close() {
      await kernel.close();
      await fixture?.close();
    },
  };
}

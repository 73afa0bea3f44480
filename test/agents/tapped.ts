/** A real client whose model calls pass a tap on their way to the kernel; its hooks and everything else go straight. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTap, type Tap, type TapTurns } from '../upstream/tap.ts';
import type { Client } from './cases.ts';
import type { World } from './world.ts';

export interface TappedClient {
  readonly tap: Tap;
  /** The client's command, its program replaced by a wrapper that starts it with the tap's address. */
  command(prompt: string, skip: boolean): string[];
}

export async function tapClient(world: World, client: Client, turns: TapTurns = {}): Promise<TappedClient> {
  const tap = await startTap(world.origin, turns);
  const folder = join(world.folder, 'tapped');
  mkdirSync(folder);
  const wrapper = join(folder, client.program);
  const script = [
    '#!/bin/bash',
    `from=${world.origin} to=${tap.origin} args=()`,
    `for arg in "$@"; do args+=("\${arg/"$from"/"$to"}"); done`,
    `[ -n "$ANTHROPIC_BASE_URL" ] && export ANTHROPIC_BASE_URL="\${ANTHROPIC_BASE_URL/"$from"/"$to"}"`,
    `exec ${client.program} "\${args[@]}"`,
    '',
  ];
  writeFileSync(wrapper, script.join('\n'), { mode: 0o755 });
  return { tap, command: (prompt, skip) => [wrapper, ...client.command(prompt, skip).slice(1)] };
}

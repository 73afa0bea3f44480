import { basename } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { ClientAdapter } from './adapter.ts';
import { claude } from './claude.ts';
import { codex } from './codex.ts';
import { gemini, generic, opencode } from './generic.ts';

const ADAPTERS: readonly ClientAdapter[] = [claude, codex, gemini, opencode, generic];

/** The adapter for a program, by its file name or by the name the user gave; any program has one. */
export function findAdapter(program: string, client?: string): ClientAdapter {
  if (client !== undefined) {
    const named = ADAPTERS.find((adapter) => adapter.client === client);
    if (named) return named;
    const known = ADAPTERS.map((adapter) => adapter.client).join(', ');
    throw new UsageFailure(`mezz knows no client "${client}"`, `one of: ${known}`);
  }
  return ADAPTERS.find((adapter) => adapter.program === basename(program)) ?? generic;
}

import { basename } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { ClientAdapter } from './adapter.ts';
import { claude } from './claude.ts';
import { codex } from './codex.ts';
import { gemini } from './gemini.ts';
import { generic } from './generic.ts';
import { opencode } from './opencode.ts';
import { shell } from './shell.ts';

const ADAPTERS: readonly ClientAdapter[] = [claude, codex, gemini, opencode, shell, generic];

function findNamed(program: string, client: string | undefined): ClientAdapter {
  if (client === undefined)
    return ADAPTERS.find((adapter) => adapter.program === basename(program)) ?? generic;
  const named = ADAPTERS.find((adapter) => adapter.client === client);
  if (named) return named;
  const known = ADAPTERS.map((adapter) => adapter.client).join(', ');
  throw new UsageFailure(`mezz knows no client "${client}"`, `one of: ${known}`);
}

/** The adapter for a program, by its file name or by the name the user gave; any program has one. */
export function findAdapter(program: string, client?: string): ClientAdapter {
  const found = findNamed(program, client);
  if (found.unserved) throw new UsageFailure(found.unserved.message, found.unserved.remedy, 1);
  return found;
}

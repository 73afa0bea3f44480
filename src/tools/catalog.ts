/** From a tool call to what it touches: the manifest of its tool, its arguments, and where the paths really lead. */
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';
import type { Workspace } from '../base/ports.ts';
import type { RetryClass, ToolCall } from '../base/syscall.ts';
import { type Effect, type GitPart, mergeEffects, type Touch } from './effects.ts';
import { LIMITS } from './limits.ts';
import { CLAUDE_CODE } from './manifests/claude-code.ts';
import { CODEX } from './manifests/codex.ts';
import { FILESYSTEM } from './manifests/filesystem.ts';
import type { Manifest, Manifests } from './manifests/manifest.ts';
import { MEMORY } from './manifests/memory.ts';
import { MEZZ_SH } from './manifests/mezz-sh.ts';
import { readPatch } from './patch.ts';
import { readShell } from './shell/shell.ts';

/** By the name that a tool server gives itself. */
const BY_SOFTWARE: Readonly<Record<string, Manifests>> = {
  'secure-filesystem-server': FILESYSTEM,
  'memory-server': MEMORY,
};

const SHIPPED: Readonly<Record<string, Manifests>> = {
  'claude-code': CLAUDE_CODE,
  codex: CODEX,
  'mezz-sh': MEZZ_SH,
};

/** A tool of a tool server that the client started itself, as Claude Code and Codex name it. */
const FOREIGN = /^mcp__(.+?)__/;

/** What the call touches, canonical; empty where nothing of another agent's. Reads links and checkouts, nothing else. */
export async function effectsOf(call: ToolCall, cwd: string, workspace: Workspace): Promise<Effect[]> {
  const touches = touchesOf(call, cwd);
  const resolved = await Promise.all(
    touches.slice(0, LIMITS.effects.value).map((touch) => resolve(touch, cwd, workspace)),
  );
  const rest: Touch = { on: 'tree', dir: cwd, access: 'delta', guessed: true };
  const more = touches.length > LIMITS.effects.value ? await resolve(rest, cwd, workspace) : [];
  return mergeEffects([...resolved.flat(), ...more]);
}

/** The manifest of a call: by what software its server is, or by its client; undefined where nobody described it. */
export function manifestOf({ server, tool, software, how }: ToolCall): Manifest | undefined {
  return how === 'brokered' ? BY_SOFTWARE[software ?? '']?.[tool] : SHIPPED[server]?.[tool];
}

/** What is not described may do its effect twice. */
export const retryOf = (call: ToolCall): RetryClass => manifestOf(call)?.retry ?? 'unsafe';

function touchesOf(call: ToolCall, cwd: string): readonly Touch[] {
  const { server, tool, input, how } = call;
  const manifest = manifestOf(call);
  if (how === 'brokered') {
    // Of a server that nobody described, any tool may write anything.
    return manifest
      ? apply(manifest, { ...input, server }, cwd)
      : [{ on: 'server', name: server, access: 'delta' }];
  }
  const foreign = FOREIGN.exec(tool)?.[1];
  // What goes through mezz itself is locked there, by what it touches.
  if (foreign === 'mezz') return [];
  if (foreign !== undefined) return [{ on: 'server', name: foreign, access: 'delta', guessed: true }];
  return manifest ? apply(manifest, input, cwd) : [];
}

function apply({ resources = [], shell, patch }: Manifest, input: JsonRecord, cwd: string): Touch[] {
  const guess: Touch = { on: 'tree', dir: cwd, access: 'delta', guessed: true };
  const touches = resources.flatMap(({ key, access }): Touch[] => {
    const [, on, template = ''] = /^(file|server):(.*)$/.exec(key) ?? [];
    const filled = fill(template, input);
    if (filled === undefined) return [guess];
    return filled.map((one) =>
      on === 'server' ? { on, name: one, access } : { on: 'file', path: one, access },
    );
  });
  if (shell !== undefined) {
    const command = textOf(input[shell]);
    const dir = textOf(input.workdir) ?? cwd;
    touches.push(...(command === undefined ? [guess] : readShell(command, dir)));
  }
  if (patch) {
    const text = patch.map((name) => textOf(input[name])).find((value) => value !== undefined);
    const files = text === undefined ? [] : readPatch(text);
    touches.push(
      ...files.map((file) => ({ on: 'file', ...file }) as const),
      ...(files.length === 0 ? [guess] : []),
    );
  }
  return touches;
}

/** A program with its arguments is read like its command line; `bash -lc` holds one. */
function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (isRecord(value)) return textOf(value.command);
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string')) return undefined;
  return value
    .map((part) => (/^[\w./:=@-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** One key, or one for each element of a list; undefined when an argument that the key needs is missing. */
function fill(template: string, input: JsonRecord): readonly string[] | undefined {
  const name = /\{(\w+)\}/.exec(template)?.[1];
  if (name === undefined) return [template];
  const values = [input[name]].flat();
  if (!values.every((value) => typeof value === 'string' && value !== '')) return undefined;
  return values.map((value) => template.replace(`{${name}}`, () => String(value)));
}

async function resolve(touch: Touch, cwd: string, workspace: Workspace): Promise<Effect[]> {
  switch (touch.on) {
    case 'file': {
      const path = await workspace.canonical(touch.path, cwd);
      const more = touch.discards ? { discards: touch.discards } : {};
      return [{ key: `file:${path}`, access: touch.access, path, ...more }];
    }
    case 'tree': {
      const { on: _on, dir, ...rest } = touch;
      const path = await workspace.canonical(dir, cwd);
      const root = (await workspace.checkout(path))?.root ?? path;
      return [{ key: `file:${root}`, ...rest }];
    }
    case 'git':
      return resolveGit(touch, await workspace.canonical(touch.dir, cwd), workspace);
    case 'port':
      return [{ key: `port:${touch.port}`, access: 'replace' }];
    case 'package':
      return [{ key: `pkg:${await workspace.canonical(touch.dir, cwd)}`, access: 'delta' }];
    case 'server':
      return [
        { key: `server:${touch.name}`, access: touch.access, ...(touch.guessed ? { guessed: true } : {}) },
      ];
  }
}

type GitTouch = Extract<Touch, { on: 'git' }>;

/** Index and HEAD belong to one worktree, branches to all of a repository. */
async function resolveGit({ part, access }: GitTouch, dir: string, workspace: Workspace): Promise<Effect[]> {
  const checkout = await workspace.checkout(dir);
  if (!checkout) return [];
  const { gitDir, commonDir, branch } = checkout;
  const places: { readonly [P in GitPart]: Omit<Effect, 'access'> | undefined } = {
    index: { key: `git:${gitDir}/index` },
    head: { key: `git:${gitDir}/HEAD`, path: `${gitDir}/HEAD` },
    refs: { key: `git:${commonDir}/shared` },
    tip:
      branch === undefined
        ? undefined
        : { key: `git:${commonDir}/${branch}`, path: `${commonDir}/${branch}` },
  };
  const place = places[part];
  return place ? [{ ...place, access }] : [];
}

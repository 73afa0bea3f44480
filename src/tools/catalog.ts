/** From a tool call to what it touches: the manifest of its tool, its arguments, and where the paths really lead. */
import { resolve as resolvePath } from 'node:path/posix';
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';
import type { Access, Manifest, RetryClass } from '../base/manifest.ts';
import type { Workspace } from '../base/ports.ts';
import type { ToolCall } from '../base/syscall.ts';
import { type Effect, type GitPart, mergeEffects, type Touch } from './effects.ts';
import { LIMITS } from './limits.ts';
import { BY_CLIENT } from './manifests/shipped.ts';
import { toolIn } from './manifests/sources.ts';
import { fillCommand, fillKey, fillValue, quoteWord } from './manifests/template.ts';
import { readPatch } from './patch.ts';
import { readShell } from './shell/shell.ts';

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

/** What is known of the tool; undefined where nobody described it. */
export const manifestOf = ({ server, tool, manifest, how }: ToolCall): Manifest | undefined =>
  how === 'brokered' ? manifest : toolIn(BY_CLIENT.get(server), tool);

/** How a server is asked whether a call took effect, templates filled in; undefined where it cannot be. */
export function checkOf(
  call: ToolCall,
): { readonly tool: string; readonly input: JsonRecord; readonly done: string } | undefined {
  const check = manifestOf(call)?.check;
  if (!check) return undefined;
  const input = fillValue(check.input, call.input);
  const done = fillKey(check.done, call.input)?.[0];
  return isRecord(input) && done !== undefined ? { tool: check.tool, input, done } : undefined;
}

/** What is not described may do its effect twice. */
export const retryOf = (call: ToolCall): RetryClass =>
  asksOnly(call) ? 'pure' : (manifestOf(call)?.retry ?? 'unsafe');

/** A resource read, a prompt, a completion: by the protocol they change nothing. */
const asksOnly = ({ request }: ToolCall): boolean => request !== undefined && request.method !== 'tools/call';

function touchesOf(call: ToolCall, cwd: string): readonly Touch[] {
  const { server, tool, input, how } = call;
  const manifest = manifestOf(call);
  if (how === 'brokered') {
    if (asksOnly(call)) return [{ on: 'server', name: server, access: 'read' }];
    // Of a server that nobody described, and where an argument is missing, any tool may write anything.
    const guess: Touch = { on: 'server', name: server, access: 'delta' };
    return manifest ? apply(manifest, { ...input, server }, cwd, guess) : [guess];
  }
  const foreign = FOREIGN.exec(tool)?.[1];
  // What goes through mezz itself is locked there, by what it touches.
  if (foreign === 'mezz') return [];
  if (foreign !== undefined) return [{ on: 'server', name: foreign, access: 'delta', guessed: true }];
  const guess: Touch = { on: 'tree', dir: cwd, access: 'delta', guessed: true };
  return manifest ? apply(manifest, input, cwd, guess) : [];
}

function apply(manifest: Manifest, input: JsonRecord, cwd: string, guess: Touch): Touch[] {
  const { resources = [], shell, patch, dir } = manifest;
  const touches = resources.flatMap(({ key, access }): Touch[] => {
    const filled = fillKey(key, input);
    return filled ? filled.map((one) => touchOf(one, access) ?? guess) : [guess];
  });
  if (shell !== undefined) {
    const command = commandOf(shell, input);
    const at = dir === undefined ? undefined : textOf(input[dir]);
    touches.push(...(command === undefined ? [guess] : readShell(command, resolvePath(cwd, at ?? '.'))));
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

const KEY = /^(file|tree|git:(?:index|head|tip|refs)|port|pkg|server|url):(.+)$/s;

/** What a key names, before paths are resolved; undefined where it names nothing. */
function touchOf(key: string, access: Access): Touch | undefined {
  const [, kind = '', at = ''] = KEY.exec(key) ?? [];
  switch (kind) {
    case 'file':
      return { on: 'file', path: at, access };
    case 'tree':
      return { on: 'tree', dir: at, access };
    case 'server':
      return { on: 'server', name: at, access };
    case 'url':
      return { on: 'url', url: at, access };
    case 'pkg':
      return { on: 'package', dir: at };
    case 'port':
      return /^\d{1,5}$/.test(at) ? { on: 'port', port: Number(at) } : undefined;
    case '':
      return undefined;
    default:
      return { on: 'git', part: kind.slice('git:'.length) as GitPart, dir: at, access };
  }
}

/** A command line that is one argument may be a program with its arguments, too: it is read like one. */
function commandOf(template: string, input: JsonRecord): string | undefined {
  const whole = /^\{(\w+)\}$/.exec(template)?.[1];
  return whole === undefined ? fillCommand(template, input) : textOf(input[whole]);
}

/** A program with its arguments is read like its command line; `bash -lc` holds one. */
function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (isRecord(value)) return textOf(value.command);
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string')) return undefined;
  return value.map(quoteWord).join(' ');
}

/** Two spellings of one address are one key; a query belongs to its path. */
function addressOf(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
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
    case 'processes':
      return (await workspace.portsOf(touch.of)).map((port) => ({ key: `port:${port}`, access: 'replace' }));
    case 'package':
      return [{ key: `pkg:${await workspace.canonical(touch.dir, cwd)}`, access: 'delta' }];
    case 'url':
      return [{ key: `url:${addressOf(touch.url)}`, access: touch.access }];
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
    stash: { key: `git:${commonDir}/refs/stash`, path: `${commonDir}/refs/stash` },
    tip:
      branch === undefined
        ? undefined
        : { key: `git:${commonDir}/${branch}`, path: `${commonDir}/${branch}` },
  };
  const place = places[part];
  return place ? [{ ...place, access }] : [];
}

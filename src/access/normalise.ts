/**
 * What a tool call is about, as three strings that access policies match: the command, the path, the URL. Heuristic
 * by nature (a shell can hide anything): quotes and doubled spaces must not evade a rule, so they are taken out.
 */
import type { Json, JsonRecord } from '../base/json.ts';

export interface Target {
  readonly command: string;
  readonly path: string;
  readonly url: string;
}

const NONE: Target = { command: '', path: '', url: '' };

const COMMAND_TOOLS: ReadonlySet<string> = new Set([
  'Bash',
  'bash',
  'shell',
  'shell_command',
  'exec',
  'exec_command',
  'local_shell',
  'run',
]);
const PATH_TOOLS: ReadonlySet<string> = new Set([
  'Read',
  'Edit',
  'Write',
  'MultiEdit',
  'NotebookEdit',
  'Grep',
  'Glob',
  'view_image',
  'read',
  'write',
]);

/** `tool` is the resource id, `server/name`. Fields that the tool does not have are empty strings. */
export function normaliseTarget(tool: string, args: JsonRecord): Target {
  const name = tool.slice(tool.lastIndexOf('/') + 1);
  if (COMMAND_TOOLS.has(name))
    return { ...NONE, command: normaliseCommand(args.command ?? args.cmd ?? null) };
  if (PATH_TOOLS.has(name)) {
    return { ...NONE, path: normalisePath(firstText(args.file_path, args.notebook_path, args.path)) };
  }
  if (name === 'WebFetch') return { ...NONE, url: normaliseUrl(firstText(args.url)) };
  // Codex's hook gives the patch as a command.
  if (name === 'apply_patch')
    return { ...NONE, path: patchedPaths(firstText(args.command, args.input, args.patch)) };
  return NONE;
}

/** One line: words of an array joined, quotes and backslashes removed, blanks single, separators standing alone. */
export function normaliseCommand(command: Json): string {
  const words = Array.isArray(command) ? command.filter((word) => typeof word === 'string') : [command];
  const line = words.filter((word) => typeof word === 'string').join(' ');
  return line
    .replace(/\\\r?\n/g, ' ')
    .replace(/['"\\]/g, '')
    .replace(/[\r\n]+/g, ' ; ')
    .replace(/&&|\|\||[;|&()`]/g, ' $& ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Resolves `.`, `..` and doubled slashes by the text alone; links are not followed. */
export function normalisePath(path: string): string {
  if (path === '') return '';
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    const last = kept.at(-1);
    if (part === '..' && last !== undefined && last !== '..') kept.pop();
    else kept.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + kept.join('/');
}

function normaliseUrl(url: string): string {
  return URL.parse(url)?.href ?? url;
}

/** Every file a patch names, one a line. */
function patchedPaths(patch: string): string {
  const files = patch.matchAll(/^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$/gm);
  return [...files].map((file) => normalisePath((file[1] as string).trim())).join('\n');
}

function firstText(...values: readonly (Json | undefined)[]): string {
  return values.find((value) => typeof value === 'string') ?? '';
}

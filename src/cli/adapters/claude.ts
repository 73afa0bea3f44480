import { join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import { UsageFailure } from '../exit.ts';
import { LIMITS } from '../limits.ts';
import {
  agentUrl,
  bypassProxy,
  type ClientAdapter,
  type LaunchContext,
  optionValue,
  replacedNotes,
} from './adapter.ts';

/** Before the act: without an answer of the gate it does not happen. */
const GATED = ['PreToolUse'] as const;
/** Told afterwards or beside: the client goes on without an answer. */
const TOLD = ['PostToolUse', 'PostToolUseFailure', 'Notification', 'Stop', 'UserPromptSubmit'] as const;
/** Only tool events have a matcher. */
const MATCHED: ReadonlySet<string> = new Set(['PreToolUse', 'PostToolUse', 'PostToolUseFailure']);

function hookEntry(event: string, url: string, gated: boolean): JsonRecord {
  const hook: JsonRecord = {
    type: 'http',
    url,
    ...(gated ? { onFailure: 'block' } : {}),
    timeout: LIMITS.hookSeconds.value,
  };
  return { ...(MATCHED.has(event) ? { matcher: '*' } : {}), hooks: [hook] };
}

/** Hooks that ask the gate, as Claude Code's settings spell them. */
export function claudeHooks(url: string): JsonRecord {
  return Object.fromEntries([
    ...GATED.map((event) => [event, [hookEntry(event, url, true)]]),
    ...TOLD.map((event) => [event, [hookEntry(event, url, false)]]),
  ]);
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** The user's settings with the gate's hooks before their own. */
export function mergeSettings(own: JsonRecord, hooks: JsonRecord): JsonRecord {
  const ownHooks = isRecord(own.hooks) ? own.hooks : {};
  const merged = Object.keys(hooks).map((event) => [
    event,
    [...listOf(hooks[event]), ...listOf(ownHooks[event])],
  ]);
  return { ...own, hooks: { ...ownHooks, ...Object.fromEntries(merged) } };
}

/** Takes `--settings` out of the arguments (those before `--`): what it says, and the arguments without it. */
function takeSettings(args: readonly string[], context: LaunchContext): { own: JsonRecord; rest: string[] } {
  const rest = [...args];
  const end = rest.indexOf('--');
  const at = rest.findIndex(
    (arg, index) => (end === -1 || index < end) && (arg === '--settings' || arg.startsWith('--settings=')),
  );
  if (at === -1) return { own: {}, rest };
  const joined = rest[at] !== '--settings';
  const value = joined ? (rest[at] ?? '').slice('--settings='.length) : rest[at + 1];
  if (value === undefined) return { own: {}, rest };
  rest.splice(at, joined ? 1 : 2);
  const text = value.trimStart().startsWith('{') ? value : context.readText(value);
  const own = text === undefined ? undefined : parseJson(text);
  if (!isRecord(own))
    throw new UsageFailure(`--settings ${value} is neither a JSON object nor a file with one`);
  return { own, rest };
}

/** The model of the nearest settings file that names one, as Claude Code looks for it. */
function modelInSettings({ env, home, readText }: Pick<LaunchContext, 'env' | 'home' | 'readText'>) {
  const own = env.CLAUDE_CONFIG_DIR || join(home, '.claude');
  const files = ['.claude/settings.local.json', '.claude/settings.json', join(own, 'settings.json')];
  return files
    .map((file) => parseJson(readText(file) ?? ''))
    .map((settings) => (isRecord(settings) ? settings.model : undefined))
    .find((model) => typeof model === 'string');
}

/** The tools that mezz offers, beside the servers of the user's own. Joined: the option takes every word behind it. */
function mcpConfig(launch: Launch, { directory }: LaunchContext) {
  if (!launch.tools) return { args: [], files: [] };
  const path = join(directory, 'mcp.json');
  const server = { type: 'http', url: `${agentUrl(launch)}/mcp` };
  return {
    args: [`--mcp-config=${path}`],
    files: [{ path, text: JSON.stringify({ mcpServers: { mezz: server } }) }],
  };
}

/** Claude Code: its own login travels in Authorization untouched; setting a key here would switch it off. */
export const claude: ClientAdapter = {
  client: 'claude',
  program: 'claude',
  hooks: true,
  // System prompt and tools alone; github.com/callanjfox/kv-cache-tester at 94f6046d (Apache-2.0).
  sends: { tokens: 15_045, source: 'the middle one of 506 real sessions' },
  model: (args, context) =>
    optionValue(args, ['--model']) ?? (context.env.ANTHROPIC_MODEL || modelInSettings(context)),
  prepare(launch, [program = 'claude', ...args], context) {
    const common = {
      env: { ANTHROPIC_BASE_URL: agentUrl(launch), ...bypassProxy(context.env) },
      notes: replacedNotes(context.env, ['ANTHROPIC_BASE_URL']),
    };
    const offered = mcpConfig(launch, context);
    if (!launch.hooks)
      return { ...common, command: [program, ...offered.args, ...args], files: offered.files };
    const { own, rest } = takeSettings(args, context);
    const path = join(context.directory, 'settings.json');
    const settings = mergeSettings(own, claudeHooks(`${agentUrl(launch)}/hooks/claude`));
    return {
      ...common,
      command: [program, ...offered.args, '--settings', path, ...rest],
      files: [{ path, text: JSON.stringify(settings) }, ...offered.files],
    };
  },
};

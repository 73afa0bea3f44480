/**
 * The clients' own hooks. Claude Code posts its hook JSON itself; Codex runs `mezz hook codex`, which posts it; an agent
 * written for mezz posts the same words under a name of its own and reads `{"decision":"go"}`, or `deny` with a reason.
 * To Claude Code `go` answers nothing, so that its own permission prompts stay in place: mezz only ever adds a no.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isRecord, type JsonRecord, parseJson, tableOf } from '../base/json.ts';
import { errorText } from '../wire/errors.ts';
import type { Bodies } from './body.ts';
import type { Caller, HookAnswer, HookEvent, Kernel } from './kernel.ts';
import { LIMITS } from './limits.ts';

const EVENTS = tableOf<HookEvent['event']>({
  PreToolUse: 'before',
  PostToolUse: 'after',
  PostToolUseFailure: 'after',
  Notification: 'waiting',
  PermissionRequest: 'waiting',
  Stop: 'waiting',
  UserPromptSubmit: 'going',
});

export async function serveHook(
  { kernel, bodies }: { readonly kernel: Kernel; readonly bodies: Bodies },
  caller: Caller,
  client: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const held = bodies.hold();
  const body = await held.collect(request, LIMITS.hookBytes.value).finally(() => held.release());
  const message = 'code' in body ? undefined : parseJson(body.toString('utf8'));
  const event = isRecord(message) ? readHook(client, message) : undefined;
  if (!event) {
    kernel.refusedAtDoor('bad_request');
    return send(response, 400, { error: 'not a hook message' });
  }
  const left = new AbortController();
  response.on('close', () => left.abort());
  const answer = await kernel.hook(caller, event, left.signal);
  send(response, 200, client === 'claude' ? claudeAnswer(event, answer) : plainAnswer(answer));
}

function readHook(client: string, message: JsonRecord): HookEvent | undefined {
  const name = textOf(message, 'hook_event_name') ?? '';
  const event = EVENTS[name];
  if (event === undefined) return undefined;
  const tool = textOf(message, 'tool_name') ?? '';
  if ((event === 'before' || event === 'after') && tool === '') return undefined;
  const named = textOf(message, 'tool_use_id') ?? textOf(message, 'call_id');
  return {
    client: client === 'claude' ? 'claude-code' : client,
    event,
    session: textOf(message, 'session_id'),
    sub: textOf(message, 'agent_id'),
    tool,
    toolUseId: named ?? `${textOf(message, 'turn_id') ?? ''}/${tool}`,
    isUnnamed: named === undefined,
    input: isRecord(message.tool_input) ? message.tool_input : { value: message.tool_input ?? null },
    cwd: textOf(message, 'cwd'),
    isError: name === 'PostToolUseFailure',
  };
}

const textOf = (record: JsonRecord, name: string): string | undefined => {
  const value = record[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

function claudeAnswer(event: HookEvent, answer: HookAnswer): JsonRecord {
  if (answer.decision === 'go' || event.event !== 'before') return {};
  return {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: 'deny',
      permissionDecisionReason: errorText(answer.refusal),
    },
  };
}

function plainAnswer(answer: HookAnswer): JsonRecord {
  return answer.decision === 'go'
    ? { decision: 'go' }
    : { decision: 'deny', reason: errorText(answer.refusal) };
}

function send(response: ServerResponse, status: number, value: JsonRecord): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

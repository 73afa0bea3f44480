/**
 * The names of a client's tools at a backend. Codex groups its tools in namespaces that no other dialect has, and names
 * may be longer than the APIs take: such a tool gets a name that all take, the same one for the same tools, and a call
 * of it comes back under its own.
 */
import { sha256Hex } from '../base/hash.ts';
import type { ClientTool } from '../base/model.ts';
import type { NeutralMessage, NeutralRequest, NeutralTool, OpenPart, ToolUse } from './neutral.ts';

/** What Chat and Responses take; Messages takes a little more. */
const TAKEN = /^[\w-]{1,64}$/;
const LONGEST = 64;
const DIGITS = 8;

type Named = Pick<ToolUse, 'name' | 'namespace'>;

export interface NamedRequest {
  readonly request: NeutralRequest;
  readonly tools: ReadonlyMap<string, ClientTool>;
}

/** The request with names that every backend takes. */
export function nameTools(request: NeutralRequest): NamedRequest {
  const tools = new Map<string, ClientTool>();
  const names = new Map<string, string>();
  const plain = new Set(
    request.tools.flatMap((tool) => (tool.kind !== 'other' && isFlat(tool) ? [tool.name] : [])),
  );
  for (const tool of request.tools) {
    if (tool.kind === 'other') continue;
    const name = isFlat(tool) ? tool.name : flatName(tool, plain);
    names.set(keyOf(tool), name);
    const custom = tool.kind === 'custom';
    if (custom || !isFlat(tool)) tools.set(name, { name: tool.name, namespace: tool.namespace, custom });
  }
  if (tools.size === 0) return { request, tools };
  const named = <T extends Named>(tool: T): T => {
    const name = names.get(keyOf(tool)) ?? (isFlat(tool) ? tool.name : flatName(tool, plain));
    return { ...tool, name, namespace: undefined };
  };
  return {
    tools,
    request: {
      ...request,
      tools: request.tools.map((tool) => (tool.kind === 'other' ? tool : named(tool))),
      messages: request.messages.map((message) => inMessage(message, named)),
      choice:
        typeof request.choice === 'object' ? chosen(request.choice, request.tools, names) : request.choice,
    },
  };
}

const isFlat = ({ name, namespace }: Named): boolean => namespace === undefined && TAKEN.test(name);
const keyOf = ({ name, namespace }: Named): string => JSON.stringify([namespace ?? null, name]);

function flatName(tool: Named, plain: ReadonlySet<string>): string {
  const { namespace = '', name } = tool;
  const joint = namespace === '' || namespace.endsWith('__') ? '' : '__';
  const whole = `${namespace}${joint}${name}`;
  if (TAKEN.test(whole) && !plain.has(whole)) return whole;
  const digits = sha256Hex(keyOf(tool)).slice(0, DIGITS);
  return `${whole.replace(/[^\w-]/g, '_').slice(0, LONGEST - DIGITS - 1)}_${digits}`;
}

function inMessage(message: NeutralMessage, named: (call: ToolUse) => ToolUse): NeutralMessage {
  const parts = message.parts.map((part) => (part.kind === 'call' ? named(part) : part));
  return { ...message, parts };
}

/** A client may choose a tool without saying its group. */
function chosen<T extends { readonly name: string }>(
  choice: T,
  tools: readonly NeutralTool[],
  names: ReadonlyMap<string, string>,
): T {
  const tool = tools.find((offered) => offered.kind !== 'other' && offered.name === choice.name);
  return tool && tool.kind !== 'other' ? { ...choice, name: names.get(keyOf(tool)) ?? choice.name } : choice;
}

/** A backend's call as its client knows the tool, its input apart. */
export function clientCall<T extends ToolUse | Extract<OpenPart, { kind: 'call' }>>(
  call: T,
  tools: ReadonlyMap<string, ClientTool>,
): T {
  const own = tools.get(call.name);
  return own ? { ...call, name: own.name, namespace: own.namespace, custom: own.custom } : call;
}

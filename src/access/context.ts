/** A request as the engine takes it: two entities and one flat context with every field in it, always. */
import type { CedarValueJson, Context, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Json, JsonRecord } from '../base/json.ts';
import { LIMITS } from './limits.ts';
import { normaliseTarget } from './normalise.ts';
import { PARENT_TYPE } from './policies.ts';
import type { AccessRequest, Principal } from './request.ts';

const TARGET_FIELDS = ['command', 'path', 'url'] as const;

/**
 * The context without `approved`, or the name of the field that is larger than a policy may read. Fields that no
 * policy of the slice reads stay empty: they cost time to hand over, and a decision does not depend on them.
 */
export function buildContext(
  request: AccessRequest,
  reads: ReadonlySet<string>,
): { context: Context } | { tooLarge: string } {
  const all = reads.has('*');
  const needsTarget = all || TARGET_FIELDS.some((field) => reads.has(field));
  const target =
    needsTarget && request.resource.type === 'Tool'
      ? normaliseTarget(request.resource.id, request.args)
      : { command: '', path: '', url: '' };
  for (const field of TARGET_FIELDS) {
    if (target[field].length > LIMITS.fieldText.value) return { tooLarge: field };
  }
  const room = { members: LIMITS.argsMembers.value, text: LIMITS.argsText.value };
  const args = all || reads.has('args') ? recordOf(request.args, room, 0) : {};
  if (args === undefined) return { tooLarge: 'args' };
  const { facts } = request;
  return {
    context: {
      args,
      command: target.command.toWellFormed(),
      path: target.path.toWellFormed(),
      url: target.url.toWellFormed(),
      labels: [...request.labels],
      hostedTools: [...facts.hostedTools],
      permittedHostedTools: [...facts.permittedHostedTools],
      backend: facts.backend ?? '',
      account: facts.account ?? '',
      level: facts.level,
      localHour: all || reads.has('localHour') ? facts.localHour : 0,
    },
  };
}

interface Room {
  members: number;
  text: number;
}

/** Undefined where the bounds are passed. Members the engine would read as entities or functions are renamed. */
function recordOf(record: JsonRecord, room: Room, depth: number): Record<string, CedarValueJson> | undefined {
  const members: [string, CedarValueJson][] = [];
  for (const [key, value] of Object.entries(record)) {
    if (value === null) continue;
    const converted = convert(value, room, depth + 1);
    room.text -= key.length;
    if (converted === undefined) return undefined;
    const name = key.toWellFormed();
    members.push([name.startsWith('__') ? `arg:${name}` : name, converted]);
  }
  return Object.fromEntries(members);
}

function convert(value: Exclude<Json, null>, room: Room, depth: number): CedarValueJson | undefined {
  room.members -= 1;
  if (typeof value === 'string') room.text -= value.length;
  if (room.members < 0 || room.text < 0 || depth > LIMITS.argsDepth.value) return undefined;
  // The engine takes Unicode only: half a surrogate pair becomes the replacement character, which no rule can name.
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value);
  if (!Array.isArray(value)) return recordOf(value as JsonRecord, room, depth);
  const items: CedarValueJson[] = [];
  for (const item of value as readonly Json[]) {
    if (item === null) continue;
    const converted = convert(item, room, depth + 1);
    if (converted === undefined) return undefined;
    items.push(converted);
  }
  return items;
}

export const principalId = (principal: Principal) => ({ type: 'Agent', id: String(principal.pid) });

/** Exactly two: the agent with its groups, the resource with its parents. */
export function buildEntities(principal: Principal, request: AccessRequest): EntityJson[] {
  const { type, id, parents } = request.resource;
  const { pid, name, owner, client, depth } = principal;
  return [
    {
      uid: principalId(principal),
      attrs: { pid, name, owner, client, depth },
      parents: principal.groups.map((group) => ({ type: 'Group', id: group })),
    },
    {
      uid: { type, id },
      attrs: {},
      parents: parents.map((parent) => ({ type: PARENT_TYPE[type] as string, id: parent })),
    },
  ];
}

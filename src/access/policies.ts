/**
 * One text of access policies, parsed, and its slices: a resource is decided by the policies whose scope admits it and
 * its action, because the engine copies the whole set on every call. Sound by the engine's own theorem (a policy whose scope
 * is false neither decides nor errs: cedar-spec, Cedar/Thm/Slicing.lean).
 */
import type * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { assert } from '../base/assert.ts';
import type { Finding } from '../base/control.ts';
import { sha256Hex } from '../base/hash.ts';
import { Recent } from '../base/recent.ts';
import { analyse } from './analysis.ts';
import { ENGINE_VERSION, engine } from './engine.ts';
import { LIMITS } from './limits.ts';

export interface Policy {
  readonly id: string;
  readonly text: string;
  readonly json: cedar.PolicyJson;
  /** The members of `context` that the conditions read; `*` for all of them. */
  readonly reads: ReadonlySet<string>;
}

/** What a request needs to find its slice. */
export interface Scope {
  readonly action: string;
  readonly type: string;
  readonly id: string;
  readonly parents: readonly string[];
}

export interface Slice {
  /** The name under which the engine holds the parsed set. */
  readonly name: string;
  readonly reads: ReadonlySet<string>;
}

/** The type of a resource's parents: the server of a tool, the dialect of a model. */
export const PARENT_TYPE: Readonly<Record<string, string>> = { Tool: 'Server', Model: 'Dialect' };

const fail = (id: string, text: string, remedy: string | null = null): Finding => ({
  id,
  level: 'fail',
  text,
  remedy,
});

interface Parsed {
  readonly policies: readonly Policy[];
  readonly findings: readonly Finding[];
}

/** A policy as it was written, and as the engine reads it. */
export interface Written {
  readonly text: string;
  readonly json: cedar.PolicyJson;
}

/** Remembers, also across starts, what the engine reads in texts that it found to be without a mistake. */
export interface Validated {
  get(digest: string): readonly Written[] | undefined;
  set(digest: string, policies: readonly Written[]): void;
}

/** A text is asked about more than once: when it is checked, and again when it comes into force. */
const parsed = new Recent<string, Parsed>(LIMITS.parsedTexts.value);

/** Parses and validates a text against the schema. Findings of level `fail` mean that it must not be used. */
export function parsePolicies(schema: string, text: string, validated?: Validated): Parsed {
  const key = JSON.stringify([schema, text]);
  const known = parsed.get(key);
  if (known) return known;
  const answer = parse(schema, text, validated);
  parsed.set(key, answer);
  return answer;
}

function parse(schema: string, text: string, validated: Validated | undefined): Parsed {
  // What the engine says of a text depends on nothing else.
  const digest = sha256Hex(JSON.stringify([ENGINE_VERSION, schema, text]));
  const known = validated?.get(digest);
  const findings: Finding[] = [];
  const written = known ?? read(text, findings);
  const policies = written.map((one, index) => namePolicy(one, index, findings));
  const ids = new Set<string>();
  for (const { id } of policies) {
    if (ids.has(id))
      findings.push(fail('policy.id', `Two policies have the id ${id}.`, 'Give each its own @id.'));
    ids.add(id);
  }
  if (findings.some(({ level }) => level === 'fail')) return { policies, findings };
  const found = known ? [] : validate(schema, policies);
  if (!known && found.length === 0) validated?.set(digest, written);
  return { policies, findings: [...findings, ...found, ...analyse(policies)] };
}

/** The policies of a text as the engine reads them; what it cannot read is a finding. */
function read(text: string, findings: Finding[]): readonly Written[] {
  const parts = engine().policySetTextToParts(text);
  if (parts.type === 'failure') {
    findings.push(...parts.errors.map((error) => fail('policy.syntax', where(error, text))));
    return [];
  }
  if (parts.policies.length > LIMITS.policies.value) {
    findings.push(fail('policy.count', `More than ${LIMITS.policies.value} policies.`));
    return [];
  }
  if (parts.policy_templates.length > 0)
    findings.push(fail('policy.template', 'Templates are not supported.'));
  return parts.policies.flatMap((part) => {
    const answer = engine().policyToJson(part);
    if (answer.type === 'success') return { text: part, json: answer.json };
    findings.push(fail('policy.syntax', answer.errors.map(({ message }) => message).join('; ')));
    return [];
  });
}

function namePolicy({ text, json }: Written, index: number, findings: Finding[]): Policy {
  const id = `policy${index}`;
  const named = json.annotations?.id;
  if (!named) {
    findings.push({
      id: 'policy.id',
      level: 'warn',
      text: `Policy number ${index + 1} has no @id: refusals will call it ${id}.`,
      remedy: 'Write @id("a-name") before it.',
    });
  }
  const reads = new Set<string>();
  collectReads(json.conditions, reads);
  return { id: named || id, text, json, reads };
}

function validate(schema: string, policies: readonly Policy[]): Finding[] {
  const answer = engine().validate({ schema, policies: { staticPolicies: byId(policies) } });
  if (answer.type === 'failure') return answer.errors.map(({ message }) => fail('policy.schema', message));
  // The schema cannot know every tool's arguments: to the validator `context.args has x` is always false.
  const readsArgs = new Set(policies.filter(({ reads }) => reads.has('args')).map(({ id }) => id));
  const warnings = answer.validationWarnings.filter(
    ({ policyId, error }) => !(readsArgs.has(policyId) && /policy is impossible/.test(error.message)),
  );
  return [
    ...answer.validationErrors.map(({ error }) => fail('policy.type', error.message, error.help)),
    ...warnings.map(
      ({ error }): Finding => ({ id: 'policy.type', level: 'warn', text: error.message, remedy: error.help }),
    ),
  ];
}

function where(error: cedar.DetailedError, text: string): string {
  const start = error.sourceLocations?.[0]?.start;
  const label = error.sourceLocations?.[0]?.label;
  const said = label ? `${error.message} (${label})` : error.message;
  return start === undefined ? said : `line ${text.slice(0, start).split('\n').length}: ${said}`;
}

const byId = (policies: readonly Policy[]) => Object.fromEntries(policies.map(({ id, text }) => [id, text]));

/** Which members of `context` an expression reads. Any use of `context` as a whole counts as reading everything. */
function collectReads(node: unknown, reads: Set<string>): void {
  if (Array.isArray(node)) {
    for (const item of node) collectReads(item, reads);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    const access =
      key === '.' || key === 'has' ? (value as { left?: { Var?: string }; attr?: unknown }) : undefined;
    if (access?.left?.Var === 'context') {
      const attr = Array.isArray(access.attr) ? access.attr[0] : access.attr;
      reads.add(typeof attr === 'string' ? attr : '*');
    } else if (key === 'Var' && value === 'context') reads.add('*');
    else collectReads(value, reads);
  }
}

/**
 * What no argument, no hour and no approval can permit, these do not permit either, and they read nothing of a call: permits
 * say yes whatever they ask of the context, and a forbid that asks something of it is left out.
 */
export function relax(policies: readonly Policy[]): Policy[] {
  return policies.flatMap((policy) => {
    if (policy.reads.size === 0) return policy;
    if (policy.json.effect === 'forbid') return [];
    const json = { ...policy.json, conditions: [] };
    const answer = engine().policyToText(json);
    return answer.type === 'success' ? { ...policy, json, text: answer.text, reads: new Set<string>() } : [];
  });
}

/** Does the scope of this policy admit the request? May say yes too often, never no too often. */
function admits(policy: Policy, scope: Scope): boolean {
  const { action, resource } = policy.json;
  if ('entity' in action && idOf(action.entity).id !== scope.action) return false;
  if ('entities' in action && !action.entities.some((entity) => idOf(entity).id === scope.action))
    return false;
  switch (resource.op) {
    case '==':
      return 'entity' in resource ? isSelf(idOf(resource.entity), scope) : true;
    case 'in':
      return 'entity' in resource ? isInside(idOf(resource.entity), scope) : true;
    case 'is': {
      if (resource.entity_type !== scope.type) return false;
      const inside = resource.in;
      return inside && 'entity' in inside ? isInside(idOf(inside.entity), scope) : true;
    }
    default:
      return true;
  }
}

const idOf = (entity: cedar.EntityUidJson) => ('__entity' in entity ? entity.__entity : entity);
const isSelf = (entity: cedar.TypeAndId, scope: Scope) =>
  entity.type === scope.type && entity.id === scope.id;
const isInside = (entity: cedar.TypeAndId, scope: Scope) =>
  isSelf(entity, scope) || (entity.type === PARENT_TYPE[scope.type] && scope.parents.includes(entity.id));

/**
 * The slices of one text. The engine's cache has no delete, so names are numbers that every later text uses again; equal slices
 * share one.
 */
export class Slices {
  readonly #policies: readonly Policy[];
  readonly #prefix: string;
  readonly #bySet = new Map<string, Slice>();
  readonly #byScope = new Map<string, Slice>();

  /** `prefix` keeps the names of different holders apart. */
  constructor(policies: readonly Policy[], prefix: string) {
    this.#policies = policies;
    this.#prefix = prefix;
  }

  find(scope: Scope): Slice {
    const name = JSON.stringify([scope.action, scope.type, scope.id, scope.parents]);
    const known = this.#byScope.get(name);
    if (known) return known;
    const slice = this.#build(scope);
    if (this.#byScope.size >= LIMITS.sliceNames.value) this.#byScope.clear();
    this.#byScope.set(name, slice);
    return slice;
  }

  #build(scope: Scope): Slice {
    const full = this.#bySet.size >= LIMITS.slices.value;
    const chosen = [...this.#policies.keys()].filter(
      (index) => full || admits(this.#policies[index]!, scope),
    );
    const set = chosen.join(',');
    const known = this.#bySet.get(set);
    if (known) return known;
    const policies = chosen.map((index) => this.#policies[index] as Policy);
    const slice = { name: `${this.#prefix}/${this.#bySet.size}`, reads: new Set<string>() };
    for (const { reads } of policies) for (const read of reads) slice.reads.add(read);
    const answer = engine().preparsePolicySet(slice.name, { staticPolicies: byId(policies) });
    assert(answer.type === 'success', `slice ${set} of a text that parsed does not parse`);
    this.#bySet.set(set, slice);
    return slice;
  }
}

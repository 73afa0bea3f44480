/**
 * access/ owns who may do what: access policies, approvals, keys, freezes, the loop guard, what a client's login is.
 * Invariant: nothing is permitted unless a policy permits it to the agent and to every ancestor; any doubt (an
 * evaluation error, arguments too large to read) is a refusal. It must not know the gate, time, files or the network.
 */
import type * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Finding } from '../base/control.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { Recent } from '../base/recent.ts';
import { buildContext, buildEntities, principalId } from './context.ts';
import { engine } from './engine.ts';
import { LIMITS } from './limits.ts';
import { type Policy, parsePolicies, relax, type Slice, Slices } from './policies.ts';
import type { AccessRequest, Principal } from './request.ts';

export type { AccessRequest, Principal };

/** `memo`: answered from memory. `observed`: what would have been refused, were the profile not `observe`. */
export type Decision =
  | {
      readonly effect: 'permit';
      readonly rules: readonly string[];
      readonly memo: boolean;
      readonly observed?: Refusal;
    }
  | {
      readonly effect: 'forbid';
      readonly rules: readonly string[];
      readonly memo: boolean;
      readonly refusal: Refusal;
    }
  | {
      readonly effect: 'ask';
      readonly rules: readonly string[];
      readonly memo: boolean;
      readonly reason: string;
    };

export type Profile = 'default' | 'observe';

export interface Trial {
  decide(request: AccessRequest): Decision;
  close(): void;
}

/** The text handed to the constructor cannot be used. */
export class PolicyError extends Error {
  override name = 'PolicyError';
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    super(findings.map(({ text }) => text).join('\n'));
    this.findings = findings;
  }
}

/** One evaluation for one agent. */
interface Verdict {
  readonly allowed: boolean;
  readonly rules: readonly string[];
  readonly error?: string;
}

const NOTHING_KNOWN: Omit<AccessRequest, 'chain' | 'action' | 'resource'> = {
  args: {},
  labels: [],
  facts: { hostedTools: [], permittedHostedTools: [], level: 'seen', localHour: 0 },
  approved: true,
};

const NOBODY: Principal = { pid: 0, name: '', owner: '', client: '', depth: 0, groups: [] };

const isUsable = (findings: readonly Finding[]) => findings.every(({ level }) => level !== 'fail');
let holders = 0;

export class Access {
  readonly #schema: string;
  readonly #prefix: string;
  readonly #trials: string[] = [];
  readonly #memo = new Recent<string, Decision>(LIMITS.memo.value);
  #text = '';
  #profile: Profile = 'default';
  #policies: ReadonlyMap<string, Policy> = new Map();
  #slices: Slices;
  #epoch = 0;
  /** Made when first asked about, for the text in force. */
  #relaxed: Slices | undefined;
  readonly #never = new Recent<string, boolean>(LIMITS.memo.value);

  /** Throws PolicyError when the text has findings of level `fail`: without policies nothing may run. */
  constructor(options: {
    readonly schema: string;
    readonly policies: string;
    readonly profile: Profile;
    /** Names this holder's sets in the engine; its own by default. */
    readonly prefix?: string;
  }) {
    this.#prefix = options.prefix ?? `mezz${holders++}`;
    this.#slices = new Slices([], this.#prefix);
    this.#schema = options.schema;
    const findings = this.apply(options.policies, options.profile);
    if (!isUsable(findings)) throw new PolicyError(findings);
  }

  /** Counts the changes; compared again just before dispatch. */
  get epoch(): number {
    return this.#epoch;
  }

  get profile(): Profile {
    return this.#profile;
  }

  text(): string {
    return this.#text;
  }

  /** Findings about a text, without using it. */
  check(text: string): readonly Finding[] {
    return parsePolicies(this.#schema, text).findings;
  }

  /**
   * Another text to compare decisions with, or its findings when it cannot be used. `close` gives its names in the
   * engine back for the next trial: the engine itself never forgets one.
   */
  trial(text: string): Trial | readonly Finding[] {
    const findings = this.check(text);
    if (!isUsable(findings)) return findings;
    const prefix = this.#trials.pop() ?? `mezz${holders++}`;
    const access = new Access({ schema: this.#schema, policies: text, profile: this.#profile, prefix });
    return {
      decide: (request) => access.decide(request),
      close: () => this.#trials.push(prefix),
    };
  }

  /** Replaces text and profile at once; a text with a finding of level `fail` changes nothing. */
  apply(text: string, profile: Profile): readonly Finding[] {
    const { policies, findings } = parsePolicies(this.#schema, text);
    if (!isUsable(findings)) return findings;
    this.#text = text;
    this.#profile = profile;
    this.#policies = new Map(policies.map((policy) => [policy.id, policy]));
    this.#slices = new Slices(policies, this.#prefix);
    this.#memo.clear();
    this.#relaxed = undefined;
    this.#never.clear();
    this.#epoch += 1;
    return findings;
  }

  decide(request: AccessRequest): Decision {
    const { action, resource } = request;
    const slice = this.#slices.find({ action, ...resource });
    const built = buildContext(request, slice.reads);
    if ('tooLarge' in built) return this.#observe(this.#tooLarge(request, built.tooLarge));
    const key = memoKey(request, slice, built.context);
    const known = key === undefined ? undefined : this.#memo.get(key);
    if (known) return { ...known, memo: true };
    const decision = this.#observe(this.#evaluate(request, slice, built.context));
    if (key !== undefined) this.#memo.set(key, decision);
    return decision;
  }

  /** Is this refused to one of the chain whatever its arguments, the hour or a person say? May say no too often. */
  never({ chain, action, resource }: Pick<AccessRequest, 'chain' | 'action' | 'resource'>): boolean {
    if (this.#profile === 'observe') return false;
    const key = JSON.stringify([chain, action, resource]);
    const known = this.#never.get(key);
    if (known !== undefined) return known;
    this.#relaxed ??= new Slices(relax([...this.#policies.values()]), `${this.#prefix}~`);
    const slice = this.#relaxed.find({ action, ...resource });
    const request = { ...NOTHING_KNOWN, chain, action, resource };
    const { type, id } = resource;
    const isNever = chain.some((principal) => {
      const verdict = evaluateOnce({
        principal: principalId(principal),
        action: { type: 'Action', id: action },
        resource: { type, id },
        context: { approved: true },
        preparsedPolicySetId: slice.name,
        entities: buildEntities(principal, request),
      });
      return !verdict.allowed && verdict.error === undefined;
    });
    this.#never.set(key, isNever);
    return isNever;
  }

  /** Loads the engine and lets it decide once, so that no call has to wait for that; nothing follows from what it says. */
  warm(): void {
    const request: AccessRequest = {
      ...NOTHING_KNOWN,
      chain: [],
      action: 'model.generate',
      resource: { type: 'Model', id: '', parents: [] },
    };
    const slice = this.#slices.find({ action: request.action, ...request.resource });
    const built = buildContext(request, slice.reads);
    if ('context' in built) this.#decideOne(request, NOBODY, slice, built.context);
  }

  #observe(decision: Decision): Decision {
    if (this.#profile !== 'observe' || decision.effect === 'permit') return decision;
    const observed =
      decision.effect === 'forbid' ? decision.refusal : refusal('awaiting_approval', decision.reason);
    return { effect: 'permit', rules: decision.rules, memo: decision.memo, observed };
  }

  /** The strictest answer of the chain: forbid before ask before permit. */
  #evaluate(request: AccessRequest, slice: Slice, context: cedar.Context): Decision {
    const rules = new Set<string>();
    let ask: Decision | undefined;
    for (const principal of request.chain) {
      const decision = this.#decideOne(request, principal, slice, context);
      if (decision.effect === 'forbid') return decision;
      if (decision.effect === 'ask') ask ??= decision;
      for (const rule of decision.rules) rules.add(rule);
    }
    if (ask) return ask;
    if (request.chain.length === 0) return this.#forbid(request, undefined, { allowed: false, rules: [] });
    return { effect: 'permit', rules: [...rules], memo: false };
  }

  #decideOne(request: AccessRequest, principal: Principal, slice: Slice, context: cedar.Context): Decision {
    const entities = buildEntities(principal, request);
    const { type, id } = request.resource;
    const evaluate = (approved: boolean): Verdict =>
      evaluateOnce({
        principal: principalId(principal),
        action: { type: 'Action', id: request.action },
        resource: { type, id },
        context: { ...context, approved },
        preparsedPolicySetId: slice.name,
        entities,
      });
    const verdict = evaluate(request.approved);
    if (verdict.allowed) return { effect: 'permit', rules: verdict.rules, memo: false };
    if (request.approved || verdict.error !== undefined) return this.#forbid(request, principal, verdict);
    const approved = evaluate(true);
    if (!approved.allowed) return this.#forbid(request, principal, approved);
    // Who asks is the forbid that an approval lifts, or else the permit that needs one.
    const rules = verdict.rules.length > 0 ? verdict.rules : approved.rules;
    const rule = rules[0] ?? '';
    return { effect: 'ask', rules, memo: false, reason: `${this.#reason(rule, request)} (rule ${rule})` };
  }

  #forbid(request: AccessRequest, principal: Principal | undefined, verdict: Verdict): Decision {
    const what = `${request.action} on ${request.resource.id}`;
    const who = principal ? `${principal.name} (${principal.pid})` : 'nobody';
    const rule = verdict.rules[0];
    const remedy = rule === undefined ? undefined : this.#policies.get(rule)?.json.annotations?.remedy;
    const message =
      verdict.error !== undefined
        ? `${what} is refused: rule ${rule ?? 'unknown'} could not be evaluated (${verdict.error}).`
        : rule === undefined
          ? `${what} is refused: no access policy permits it to ${who}.`
          : `${what} is refused to ${who}: ${this.#reason(rule, request)} (rule ${rule}).`;
    return {
      effect: 'forbid',
      rules: verdict.rules,
      memo: false,
      refusal: refusal('denied', message, {
        rule: rule ?? 'default-deny',
        remedy: remedy || 'mezz policy shows the access policies in force',
      }),
    };
  }

  #tooLarge(request: AccessRequest, field: string): Decision {
    const rule = `bound:${field}`;
    const message = `${request.action} on ${request.resource.id} is refused: its ${field} is larger than an access policy may read.`;
    return {
      effect: 'forbid',
      rules: [rule],
      memo: false,
      refusal: refusal('denied', message, { rule, remedy: 'Split the call into smaller ones.' }),
    };
  }

  #reason(rule: string, request: AccessRequest): string {
    return (
      this.#policies.get(rule)?.json.annotations?.reason || `${request.action} on ${request.resource.id}`
    );
  }
}

/** The engine throws on text that is not Unicode (half a surrogate pair in a name): nobody can permit that. */
function evaluateOnce(call: cedar.StatefulAuthorizationCall): Verdict {
  try {
    return readAnswer(engine().statefulIsAuthorized(call));
  } catch (error) {
    return { allowed: false, rules: [], error: error instanceof Error ? error.message : String(error) };
  }
}

/** Any error makes the answer a refusal: the engine skips a rule that errs, even one that forbids. */
function readAnswer(answer: cedar.AuthorizationAnswer): Verdict {
  if (answer.type === 'failure') {
    return { allowed: false, rules: [], error: answer.errors.map(({ message }) => message).join('; ') };
  }
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) {
    return {
      allowed: false,
      rules: diagnostics.errors.map(({ policyId }) => policyId),
      error: diagnostics.errors.map(({ error }) => error.message).join('; '),
    };
  }
  return { allowed: decision === 'allow', rules: [...diagnostics.reason].sort() };
}

/**
 * All that the engine is given, and so all that a decision depends on; undefined where it is not remembered: a rule reads
 * the arguments, which are rarely the same twice, or what it reads is too long to keep.
 */
function memoKey(request: AccessRequest, slice: Slice, context: cedar.Context): string | undefined {
  if (slice.reads.has('args') || slice.reads.has('*')) return undefined;
  const { chain, action, resource, approved } = request;
  const { type, id, parents } = resource;
  const who = chain.map(({ pid, name, owner, client, depth, groups }) => [
    ...[pid, name, owner, client, depth],
    groups,
  ]);
  const key = JSON.stringify([who, action, [type, id, parents], context, approved]);
  return key.length > LIMITS.memoText.value ? undefined : key;
}

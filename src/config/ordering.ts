/**
 * The order in force: what mezz.yaml says of scheduling, and what operators set since. Theirs is kept across restarts
 * until mezz.yaml itself says something else of it. A policy may be a file of the operator's own: it runs in this
 * process, and is held to its contract by the scheduler.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { type Refusal, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { isRecord, parseJson } from '../base/json.ts';
import type { OrderView, SchedChange } from '../base/order.ts';
import { META } from '../db/schema/meta.ts';
import type { Changeable } from '../gate/open.ts';
import type { Parts } from '../gate/parts.ts';
import { POLICIES } from '../scheduler/policies/all.ts';
import type { Policy, Tuning } from '../scheduler/policy.ts';
import { PLAIN } from '../scheduler/scheduler.ts';
import type { Config } from './config.ts';
import { LIMITS } from './limits.ts';

/** What operators set, as it is stored. */
interface Kept {
  /** A name, or the absolute path of a file. */
  readonly policy: string;
  readonly tuning: Tuning;
  readonly maxWaitMs: number;
  /** What mezz.yaml said then, as JSON. */
  readonly over: string;
}

const ROW = 'scheduling';
type Scheduling = Config['scheduling'];

export class Ordering {
  #scheduling: Scheduling;
  #parts: Parts | undefined;
  #kept: Kept | undefined;
  /** Why what operators set is not in force, if it is not. */
  problem: string | undefined;

  constructor(scheduling: Scheduling) {
    this.#scheduling = scheduling;
  }

  /** What the kernel is opened with. */
  get opening(): NonNullable<Changeable['scheduling']> & { policy: Policy<unknown> } {
    const { policy, maxWaitMs, queue, weights } = this.#scheduling;
    // The schema admits no other name.
    return {
      policy: POLICIES.get(policy) as Policy<unknown>,
      maxWaitMs,
      queue,
      tuning: { ...PLAIN, weights },
    };
  }

  /** Puts back in force what operators set before. */
  async enter(parts: Parts): Promise<void> {
    this.#parts = parts;
    const kept = readKept((await parts.store.get(META, [ROW]))?.v);
    if (kept?.over !== JSON.stringify(this.#scheduling)) return;
    const policy = await findPolicy(kept.policy);
    if ('code' in policy) this.problem = `scheduling: ${policy.message} ${policy.remedy ?? ''}`;
    else this.#force(kept, policy);
  }

  /** mezz.yaml was read again: what changes, if it says something else of scheduling now. */
  follow(scheduling: Scheduling): Changeable['scheduling'] {
    if (JSON.stringify(scheduling) === JSON.stringify(this.#scheduling)) return undefined;
    this.#scheduling = scheduling;
    this.#kept = undefined;
    this.problem = undefined;
    return this.opening;
  }

  /** Sets what is named and leaves the rest, live; with `reset` all is as mezz.yaml says. */
  async set(change: SchedChange): Promise<OrderView | Refusal> {
    const parts = this.#parts as Parts;
    const next = change.reset ? this.#written() : this.#changed(parts, change);
    if ('code' in next) return next;
    const policy = await findPolicy(next.policy);
    if ('code' in policy) return policy;
    this.#force(next, policy);
    if (change.reset) this.#kept = undefined;
    const { policy: name, tuning, maxWaitMs } = next;
    const body = {
      policy: name.slice(-LIMITS.policyPath.value),
      digest: policy.digest,
      reload: tuning.reload,
      maxWaitMs,
    };
    const weights = change.weights ?? {};
    await parts.journal.append({
      entries: [{ kind: 'config', agent: 0, body: { scheduling: { ...body, weights } } }],
      ...(change.reset
        ? { deletes: [{ table: META, key: [ROW] }] }
        : { puts: [{ table: META, row: { k: ROW, v: JSON.stringify(next) } }] }),
    });
    return this.view();
  }

  /** A policy by its name or the path of its file, without putting it in force. */
  async find(name: string): Promise<Policy<unknown> | Refusal> {
    const found = await findPolicy(name);
    return 'code' in found ? found : found.policy;
  }

  view(): OrderView {
    const { scheduler } = this.#parts as Parts;
    const set = this.#kept?.policy ?? this.#scheduling.policy;
    return {
      policy: scheduler.policy,
      text: scheduler.inForce.text,
      file: POLICIES.has(set) ? null : set,
      source: this.#kept ? 'operator' : 'config',
      fault: scheduler.fault ?? this.problem ?? null,
      weights: scheduler.tuning.weights,
      reload: scheduler.tuning.reload,
      ...scheduler.bounds,
    };
  }

  #written(): Kept {
    const { policy, maxWaitMs, weights } = this.#scheduling;
    return { policy, maxWaitMs, tuning: { ...PLAIN, weights }, over: JSON.stringify(this.#scheduling) };
  }

  #changed({ scheduler }: Parts, change: SchedChange): Kept | Refusal {
    const { weights = {}, reload = scheduler.tuning.reload } = change;
    const wrong = mistakeIn(weights, reload, change.maxWaitMs);
    if (wrong !== undefined) return refusal('bad_request', wrong, { remedy: 'mezz sched set --help' });
    return {
      policy: change.policy ?? this.#kept?.policy ?? this.#scheduling.policy,
      tuning: { reload, weights: { ...scheduler.tuning.weights, ...weights } },
      maxWaitMs: change.maxWaitMs ?? scheduler.bounds.maxWaitMs,
      over: JSON.stringify(this.#scheduling),
    };
  }

  #force(kept: Kept, policy: Found): void {
    const { scheduler } = this.#parts as Parts;
    const { queue } = this.#scheduling;
    const isOther = policy.policy !== POLICIES.get(scheduler.policy) || scheduler.fault !== undefined;
    scheduler.tune({ maxWaitMs: kept.maxWaitMs, queue }, kept.tuning);
    if (isOther) scheduler.setPolicy(policy.policy);
    this.#kept = kept;
    this.problem = undefined;
  }
}

function mistakeIn(
  weights: Readonly<Record<string, number>>,
  reload: number,
  maxWaitMs: number | undefined,
): string | undefined {
  const names = Object.keys(weights);
  if (names.length > LIMITS.weightsAtOnce.value)
    return `At most ${LIMITS.weightsAtOnce.value} weights may be set at once.`;
  const odd = names.find((name) => !(Number(weights[name]) > 0 && name.length <= 64));
  if (odd !== undefined) return `The weight of "${odd}" is no number above 0.`;
  if (!(reload >= 0 && reload <= 1_000)) return 'reload is no number from 0 to 1000.';
  if (maxWaitMs !== undefined && !(maxWaitMs >= 0)) return 'The maximum wait is no duration.';
  return undefined;
}

interface Found {
  readonly policy: Policy<unknown>;
  /** Of the file's text; empty for one that comes with mezz. */
  readonly digest: string;
}

async function findPolicy(name: string): Promise<Found | Refusal> {
  const shipped = POLICIES.get(name);
  if (shipped) return { policy: shipped, digest: '' };
  if (!name.startsWith('/'))
    return refusal('not_found', `There is no scheduling policy "${name}".`, {
      remedy: 'mezz sched policies lists them; a file of your own is named by its path',
    });
  try {
    const digest = sha256Hex(readFileSync(name));
    // Another text is another module: what was loaded before stays as it was.
    const module: { default?: unknown } = await import(`${pathToFileURL(name).href}?${digest}`);
    const { default: policy } = module;
    if (isPolicy(policy)) return { policy, digest };
    return refusal('bad_request', `${name} has no default export that is a policy.`, { remedy: SHAPE });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return refusal('bad_request', `${name} cannot be loaded: ${why}`, { remedy: SHAPE });
  }
}

const SHAPE = 'export default { name, text, start, event, key, reasons }, as in src/scheduler/policy.ts';

function isPolicy(value: unknown): value is Policy<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const policy = value as Partial<Record<keyof Policy<unknown>, unknown>>;
  const asks = [policy.start, policy.event, policy.key, policy.reasons];
  const isNamed = typeof policy.name === 'string' && !POLICIES.has(policy.name);
  const { shared } = policy as { shared?: Policy<unknown>['shared'] };
  const shares = shared === undefined || (['owner', 'agent'].includes(shared.by) && shared.parts > 0);
  return (
    isNamed && typeof policy.text === 'string' && shares && asks.every((ask) => typeof ask === 'function')
  );
}

function readKept(text: string | undefined): Kept | undefined {
  const kept = text === undefined ? undefined : parseJson(text);
  return isRecord(kept) ? (kept as unknown as Kept) : undefined;
}

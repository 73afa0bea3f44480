/**
 * The caches of prefixes of all backends, as the scheduler sees them: what each should hold, and whether its last slots
 * are for calls that fit it. A backend's size is set, learned (admission.ts), or nobody's matter.
 */
import { Admission } from './admission.ts';
import { CacheModel } from './cache.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall, Used } from './policy.ts';
import type { Resource } from './resource.ts';

interface Cache {
  readonly told: Resource['terms']['cacheTokens'];
  readonly model: CacheModel;
  readonly admission: Admission | undefined;
}

/** What is known of a backend's cache, for people. */
export interface Admitted {
  /** Tokens of active turns that it should hold; null: without bound. */
  readonly windowTokens: number | null;
  readonly learned: boolean;
  readonly turns: number;
  readonly tokens: number;
  /** Which share of the prefixes was found lately; null: none was reported. */
  readonly found: number | null;
}

export class Caches {
  readonly #caches = new Map<string, Cache>();

  /** A call was granted the backend: the conversations whose prefix made room for it. */
  started(call: PolicyCall, resource: Resource, now: number): PolicyCall[] {
    const { model, admission } = this.#of(resource);
    admission?.started(call);
    return model.started(call, now);
  }

  /** It ended: the conversations that the backend should have no more. */
  ended(call: PolicyCall, resource: Resource, now: number, used: Used | undefined): PolicyCall[] {
    const { model, admission } = this.#of(resource);
    admission?.ended(call, used);
    const gone = admission ? model.resize(admission.window) : [];
    const length = used && used.input + used.cached + used.output;
    return [...gone, ...model.ended(call, now, length, used?.endsTurn === true)];
  }

  /**
   * May only calls that fit the cache have the next slot? `first`: they go first, and where none waits anybody does: what
   * was learned may be wrong.
   */
  keeps(resource: Resource): 'nothing' | 'first' | 'only' {
    const { busy, size } = resource;
    if (busy < size - Math.floor(size / LIMITS.warmShare.value)) return 'nothing';
    const { model, admission } = this.#of(resource);
    if (model.size === undefined) return 'nothing';
    return admission ? 'first' : 'only';
  }

  fits(call: PolicyCall, resource: Resource, now: number): boolean {
    return this.#of(resource).model.fits(call, now);
  }

  /** After settings changed: where a size was set that is another one now, all begins anew. */
  retune(resources: ReadonlyMap<string, Resource>): void {
    for (const [name, { told }] of this.#caches)
      if (resources.get(name)?.terms.cacheTokens !== told) this.#caches.delete(name);
  }

  /** Why a call waits for one of the last slots though others get it, for people. */
  reason(call: PolicyCall, resource: Resource, now: number): string | undefined {
    if (this.keeps(resource) === 'nothing' || this.fits(call, resource, now)) return undefined;
    const { turns, tokens, windowTokens } = this.view(resource) as Admitted;
    return `admission: ${turns} turns want ${tokens} tokens of the ${windowTokens} that ${resource.name} keeps cached; its last slots are for those that fit`;
  }

  /** undefined where nobody set the size, and nothing is learned of it. */
  view(resource: Resource): Admitted | undefined {
    const { model, admission, told } = this.#of(resource);
    if (told === undefined) return undefined;
    const window = admission?.window ?? model.size;
    return {
      windowTokens: Number.isFinite(window) ? Math.round(window as number) : null,
      learned: admission !== undefined,
      ...(admission?.active ?? model.held),
      found: admission?.found ?? null,
    };
  }

  #of({ name, terms: { cacheTokens: told } }: Resource): Cache {
    const known = this.#caches.get(name);
    if (known) return known;
    const isLearned = told === 'learned';
    const cache = {
      told,
      model: new CacheModel(isLearned ? undefined : told),
      admission: isLearned ? new Admission() : undefined,
    };
    this.#caches.set(name, cache);
    return cache;
  }
}

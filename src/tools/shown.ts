/**
 * Which definitions each client was shown last. Invariant: a call is checked by the definition that its client has seen;
 * where that is not the one in force any more, the client is told so, once, and sees the new one with it.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';
import type { Offer } from './servers.ts';

type Defined = Partial<Pick<Offer, 'digest' | 'definition'>> & Pick<Offer, 'name'>;

export class Shown {
  /** By client, the digests of definitions by the names of their tools. */
  readonly #lists = new Recent<string, Map<string, string>>(LIMITS.shownLists.value);

  listed(client: string, offers: readonly Offer[]): void {
    this.#lists.set(client, new Map(offers.map(({ name, digest }) => [name, digest])));
  }

  /** Why a call is not what its client meant: the tool is defined otherwise than it was shown. */
  changed(client: string, { name, digest, definition }: Defined): Refusal | undefined {
    const list = this.#lists.get(client);
    const seen = list?.get(name);
    if (!list || digest === undefined || seen === undefined || seen === digest) return undefined;
    list.set(name, digest);
    const text = JSON.stringify(definition).slice(0, LIMITS.schemaCharacters.value);
    const why = refusal('stale', `The definition of ${name} is not the one that you were shown any more.`, {
      rule: 'tools:shown',
      remedy: 'look at what it takes now, then call it again',
    });
    return { ...why, detail: `It is now:\n${text}` };
  }
}

/**
 * The model table: which backends serve a model name, under which name there, at what price, with whose login.
 * Invariant: a client's own login goes to the provider it belongs to or nowhere, and a subscription is never replaced
 * by a key that is billed per token.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import type { AccountId, BackendId } from '../base/ids.ts';
import type { DialectName } from '../base/model.ts';
import type { BackendSpec, CredentialKind } from '../base/ports.ts';
import { listedWindow } from '../budget/listed.ts';

/** What a client brought by itself, as far as its headers name it. Never the secret. */
export interface Login {
  readonly provider: string;
  readonly kind: 'subscription' | 'key';
  /** `client:<provider>:<digest>` */
  readonly account: AccountId;
}

export interface ModelRoute {
  /** A name, or a glob with `*`. The longest pattern that fits decides. */
  readonly pattern: string;
  readonly backends: readonly BackendId[];
  /** The model's name at the backend, where it differs. */
  readonly alias?: string;
  /** Tokens of context, prompt and answer together, where the operator or the engine said so. */
  readonly window?: number;
}

export interface Candidate {
  readonly backend: BackendSpec;
  readonly credential: CredentialKind;
  readonly account: AccountId;
  readonly upstreamModel: string;
  /** The dialect the backend is spoken to in: the call's own, or the one it is translated to. */
  readonly dialect: DialectName;
}

export interface CatalogInput {
  readonly backends: readonly BackendSpec[];
  readonly routes: readonly ModelRoute[];
  /** Does the kernel hold a key for this backend? */
  readonly hasKey: (backend: BackendId) => boolean;
}

export class Catalog {
  readonly backends: ReadonlyMap<BackendId, BackendSpec>;
  readonly routes: readonly ModelRoute[];
  readonly #hasKey: (backend: BackendId) => boolean;
  readonly #matchers: readonly { readonly route: ModelRoute; readonly regex: RegExp }[];

  constructor(input: CatalogInput) {
    this.backends = new Map(input.backends.map((spec) => [spec.id, spec]));
    this.routes = [...input.routes].sort((a, b) => specificity(b.pattern) - specificity(a.pattern));
    this.#matchers = this.routes.map((route) => ({ route, regex: globRegex(route.pattern) }));
    this.#hasKey = input.hasKey;
  }

  /** Does the kernel hold a key for this backend? */
  hasKey(backend: BackendId): boolean {
    return this.#hasKey(backend);
  }

  route(model: string): ModelRoute | undefined {
    return this.#matchers.find(({ regex }) => regex.test(model))?.route;
  }

  /** The context window of a model in tokens: as its row says, else as the public list does; undefined if neither. */
  windowOf(model: string): number | undefined {
    const route = this.route(model);
    return route?.window ?? listedWindow(route?.alias ?? model);
  }

  /**
   * The backends that can take this call now, best first, or why none can. With `translatable`, backends of another
   * dialect follow those of the call's own.
   */
  candidates(
    model: string,
    dialect: DialectName,
    login: Login | undefined,
    translatable: boolean,
  ): Candidate[] | Refusal {
    const route = this.route(model);
    if (!route) {
      return refusal('model_unknown', `No backend serves the model "${model}".`, {
        remedy: 'mezz model lists what is served; mezz config show shows the model table',
      });
    }
    const alias = route.alias;
    return this.#usable(route.backends, dialect, login, model, alias ?? model, translatable);
  }

  /** For requests that name no model (stored objects): every backend of the dialect that this login fits. */
  forDialect(dialect: DialectName, login: Login | undefined): Candidate[] | Refusal {
    return this.#usable([...this.backends.keys()], dialect, login, dialect, '', false);
  }

  #usable(
    ids: readonly BackendId[],
    dialect: DialectName,
    login: Login | undefined,
    subject: string,
    upstreamModel: string,
    translatable: boolean,
  ): Candidate[] | Refusal {
    const found: Candidate[] = [];
    const reasons: string[] = [];
    // A backend that needs no translation loses nothing: it goes first.
    const foreign: Candidate[] = [];
    for (const id of ids) {
      const backend = this.backends.get(id);
      if (!backend) continue;
      const spoken = spokenTo(backend, dialect, translatable);
      if (spoken === undefined) {
        reasons.push(`${id} does not speak ${dialect}`);
        continue;
      }
      const chosen = chooseCredential(backend, login, this.#hasKey(id));
      if ('why' in chosen) reasons.push(`${id}: ${chosen.why}`);
      else
        (spoken === dialect ? found : foreign).push({ backend, upstreamModel, dialect: spoken, ...chosen });
    }
    found.push(...foreign);
    if (found.length > 0) return found;
    return refusal(
      'no_credential',
      `No backend can take "${subject}": ${reasons.join('; ') || 'none is configured'}.`,
      {
        remedy: 'log the client in, or configure a key: mezz backend, mezz config show',
      },
    );
  }
}

/** The dialects that requests can be translated to, in the order of what they lose least. */
const TRANSLATED: readonly DialectName[] = ['openai-responses', 'anthropic', 'openai-chat'];

function spokenTo(
  backend: BackendSpec,
  dialect: DialectName,
  translatable: boolean,
): DialectName | undefined {
  if (backend.dialects.includes(dialect)) return dialect;
  return translatable ? TRANSLATED.find((other) => backend.dialects.includes(other)) : undefined;
}

type Chosen = { readonly credential: CredentialKind; readonly account: AccountId } | { readonly why: string };

function chooseCredential(backend: BackendSpec, login: Login | undefined, hasKey: boolean): Chosen {
  if (backend.credential === 'local') return { credential: 'local', account: backend.account };
  const fits = login !== undefined && login.provider === backend.provider;
  if (backend.credential !== 'kernel' && fits) return { credential: 'client', account: login.account };
  if (backend.credential === 'client') {
    return {
      why: login
        ? `it takes ${backend.provider} logins, not ${login.provider}`
        : 'the client brought no login',
    };
  }
  if (login?.kind === 'subscription')
    return { why: 'a subscription is never replaced by a key billed per token' };
  return hasKey ? { credential: 'kernel', account: backend.account } : { why: 'mezz holds no key for it' };
}

const specificity = (pattern: string): number => (pattern.includes('*') ? 0 : 10_000) + pattern.length;

function globRegex(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`);
}

/**
 * The login at one remote tool server (MCP's authorization, OAuth 2.1): the token that travels with its requests, its
 * renewal, and a person's way to it, who agrees in a browser. Invariant: tokens stay here, in their file and in requests
 * to the server they are for; what it repeats of them reaches nobody; nobody is asked anything but by a person's command.
 */
import type { AddClientAuthentication } from '@modelcontextprotocol/client';
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import type { ServerLogin, ToolAuth } from '../../base/ports.ts';
import type { Random } from '../../base/random.ts';
import type { LoginState } from '../../base/tools.ts';
import { LIMITS } from '../limits.ts';
import type { KeptLogin } from './kept.ts';
import { OAuthClient } from './oauth-client.ts';
import {
  checkIssuer,
  exchangeCode,
  isSpent,
  loadSdk,
  ownTokens,
  refreshTokens,
  type Seeking,
  seekAddress,
} from './oauth-steps.ts';

export interface LoginUse {
  readonly server: string;
  readonly url: string;
  readonly auth: ToolAuth;
  readonly secret: string | undefined;
  readonly kept: KeptLogin;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a server last said that it wants. */
interface Challenge {
  readonly scope: string | undefined;
  readonly metadataUrl: URL | undefined;
  /** It took the token and wants it to allow more. */
  readonly isMore: boolean;
}

interface Pending {
  readonly client: OAuthClient;
  readonly state: string;
  readonly until: number;
}

export class Login implements ServerLogin {
  readonly #use: LoginUse;
  #challenge: Challenge | undefined;
  #pending: Pending | undefined;
  #renewing: Promise<boolean> | undefined;
  #changed: () => void = () => {};

  constructor(use: LoginUse) {
    this.#use = use;
  }

  /** Told after each login and logout. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  get state(): LoginState {
    const { tokens } = this.#use.kept.now;
    if (this.#challenge?.isMore) return 'more';
    if (this.#challenge) return tokens ? 'expired' : 'needed';
    if (!tokens) return 'none';
    const isOver = (tokens.expiresAt ?? Number.POSITIVE_INFINITY) <= this.#use.clock.now();
    return isOver && tokens.refresh === undefined && !this.#isOwn ? 'expired' : 'in';
  }

  get scope(): string | undefined {
    return this.#use.kept.now.tokens?.scope;
  }

  /** What a request carries now. */
  get token(): string | undefined {
    return this.#use.kept.now.tokens?.access;
  }

  /** Takes out of a server's words what is secret. */
  clean(text: string): string {
    const { tokens, client } = this.#use.kept.now;
    const secrets = [tokens?.access, tokens?.refresh, client?.secret, this.#use.secret];
    return secrets.reduce<string>(
      (cleaned, secret) => (secret ? cleaned.replaceAll(secret, '***') : cleaned),
      text,
    );
  }

  /**
   * The server refused a request that carried `sent`, for the reasons in `header` (RFC 6750, 3): is there another token
   * now? Gets one where that takes no person.
   */
  async renew(status: number, header: string, sent: string | undefined): Promise<boolean> {
    const { extractWWWAuthenticateParams } = await loadSdk();
    const response = new Response(null, { status, headers: { 'www-authenticate': header } });
    const { scope, resourceMetadataUrl: metadataUrl } = extractWWWAuthenticateParams(response);
    // Another request was refused before this one, and a new token has come since.
    if (this.token !== undefined && this.token !== sent) return true;
    this.#challenge = { scope, metadataUrl, isMore: status === 403 };
    this.#renewing ??= this.#renew(this.#challenge).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Why a call was not made. */
  refused(): Refusal {
    const { server, url } = this.#use;
    const remedy = this.#isOwn
      ? `look at auth of tools.${server} in mezz.yaml: its client is not allowed this`
      : `log in with: mezz tool login ${server}`;
    const wants = { more: 'wants a login that allows more', expired: 'takes the login no longer' };
    const { state } = this;
    const how = state === 'more' || state === 'expired' ? wants[state] : 'wants a login';
    const scope = this.#challenge?.isMore && this.#challenge.scope ? ` (${this.#challenge.scope})` : '';
    return refusal('no_credential', `The tool server ${server} at ${url} ${how}${scope}.`, { remedy });
  }

  /** Where a person agrees; the answer goes to `redirect`. */
  async begin(redirect: string): Promise<{ readonly url: string } | Refusal> {
    if (this.#isOwn)
      return refusal('bad_request', `${this.#use.server} takes mezz's own credentials: nobody logs in.`);
    const state = Buffer.from(this.#use.random.bytes(24)).toString('base64url');
    const client = await this.#client(redirect, state);
    const until = this.#use.clock.now() + LIMITS.toolLoginMs.value;
    try {
      await seekAddress({ ...(await this.#seeking()), client });
    } catch (error) {
      return this.#failed(textOf(error));
    }
    const { address } = client;
    // It is handed to a browser.
    if (!address || !/^https?:$/.test(address.protocol))
      return refusal('failed', `${this.#use.server} names no web address to log in at.`);
    this.#pending = { client, state, until };
    return { url: address.href };
  }

  /** `query`: what the browser brought back. */
  async finish(query: string): Promise<Refusal | { readonly scope: string | undefined }> {
    const params = new URLSearchParams(query);
    const pending = this.#pending;
    if (!pending || pending.until < this.#use.clock.now() || params.get('state') !== pending.state)
      return this.#failed('this is no answer to the last login');
    this.#pending = undefined;
    const iss = params.get('iss') ?? undefined;
    const code = params.get('code');
    if (code === null) return this.#denied(pending.client, params, iss);
    try {
      await exchangeCode(this.#use.url, pending.client, code, iss);
    } catch (error) {
      return this.#failed(textOf(error));
    }
    this.#challenge = undefined;
    this.#changed();
    return { scope: this.scope };
  }

  forget(): boolean {
    const was = this.token !== undefined;
    this.#use.kept.remove();
    this.#challenge = undefined;
    this.#pending = undefined;
    this.#changed();
    return was;
  }

  get #isOwn(): boolean {
    return this.#use.auth.grant === 'client_credentials';
  }

  async #renew(challenge: Challenge): Promise<boolean> {
    const { isStrictScopeSuperset } = await loadSdk();
    const { kept } = this.#use;
    if (!this.#isOwn && (challenge.isMore || kept.now.tokens?.refresh === undefined)) return false;
    const seeking = { ...(await this.#seeking()), client: await this.#client(undefined, '') };
    // What was granted already and is not enough would be granted once more.
    if (challenge.isMore && !isStrictScopeSuperset(seeking.scope, this.scope)) return false;
    try {
      await (this.#isOwn ? ownTokens(seeking) : refreshTokens(seeking));
    } catch (error) {
      if (isSpent(error)) kept.dropRefresh();
      return false;
    }
    this.#challenge = undefined;
    return true;
  }

  /** Where, and which rights: those of the settings, those that are had, and those that are wanted beside them. */
  async #seeking(): Promise<Omit<Seeking, 'client'>> {
    const { computeScopeUnion } = await loadSdk();
    return {
      url: this.#use.url,
      metadataUrl: this.#challenge?.metadataUrl,
      scope: computeScopeUnion(this.#use.auth.scope, this.scope, this.#challenge?.scope),
    };
  }

  /** The authorization server says no; believed only where it is the one that was asked (RFC 9207). */
  async #denied(client: OAuthClient, params: URLSearchParams, iss: string | undefined): Promise<Refusal> {
    try {
      await checkIssuer(client, iss);
    } catch (error) {
      return this.#failed(textOf(error));
    }
    return this.#failed(params.get('error_description') ?? params.get('error') ?? 'it brought no code');
  }

  #failed(why: string): Refusal {
    const said = this.clean(why).slice(0, LIMITS.toolHttpError.value);
    return refusal('failed', `No login at ${this.#use.server}: ${said}`, {
      remedy: `try again: mezz tool login ${this.#use.server}`,
    });
  }

  async #client(redirect: string | undefined, state: string): Promise<OAuthClient> {
    const { auth, secret, kept, clock } = this.#use;
    return new OAuthClient({ auth, secret, kept, clock, redirect, state, sign: await this.#signer() });
  }

  async #signer(): Promise<AddClientAuthentication | undefined> {
    const { auth, secret } = this.#use;
    if (auth.algorithm === undefined || auth.clientId === undefined || secret === undefined) return undefined;
    const { createPrivateKeyJwtAuth } = await loadSdk();
    const { clientId, algorithm: alg } = auth;
    return createPrivateKeyJwtAuth({ issuer: clientId, subject: clientId, privateKey: secret, alg });
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * mezz as an OAuth client, in the words of the MCP SDK, which does the protocol: discovery, registration, PKCE, resource
 * indicators, refreshing. This tells it what mezz is and keeps what it learns. Invariant: a secret of the settings goes to
 * the authorization server that they name, or else to the one that the first login found, and to no other.
 */
import type {
  AddClientAuthentication,
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';
import type { Clock } from '../../base/clock.ts';
import type { ToolAuth } from '../../base/ports.ts';
import type { KeptClient, KeptLogin } from './kept.ts';

export interface ClientUse {
  readonly auth: ToolAuth;
  /** The client's secret, or the private key that it signs with. */
  readonly secret: string | undefined;
  readonly kept: KeptLogin;
  readonly clock: Clock;
  /** Signs as the client that has a private key. */
  readonly sign: AddClientAuthentication | undefined;
  /** Where the answer of a person's login goes; undefined: nobody logs in just now. */
  readonly redirect: string | undefined;
  /** Binds that answer to this login. */
  readonly state: string;
}

export class OAuthClient implements OAuthClientProvider {
  readonly #use: ClientUse;
  readonly #ownGrant: boolean;
  readonly clientMetadataUrl?: string;
  readonly addClientAuthentication?: AddClientAuthentication;
  readonly prepareTokenRequest?: (scope?: string) => URLSearchParams;
  /** Absent where the settings say who mezz is: then it registers nowhere. */
  readonly saveClientInformation?: (client: StoredOAuthClientInformation) => void;
  /** Where a person is to agree, once the SDK has found it. */
  address: URL | undefined;
  /** What is sought anew for every login: a server may have moved to another authorization server. */
  discovered: OAuthDiscoveryState | undefined;
  #verifier = '';
  /** As it was asked for in this login. */
  #asked: { readonly scope: string | undefined } | undefined;

  constructor(use: ClientUse) {
    this.#use = use;
    const { auth, sign } = use;
    this.#ownGrant = auth.grant === 'client_credentials';
    if (auth.clientMetadata !== undefined) this.clientMetadataUrl = auth.clientMetadata;
    if (sign) this.addClientAuthentication = sign;
    if (auth.clientId === undefined) this.saveClientInformation = (client) => this.#registered(client);
    if (this.#ownGrant)
      this.prepareTokenRequest = (scope) => {
        this.#asked = { scope };
        return new URLSearchParams({
          grant_type: 'client_credentials',
          ...(scope === undefined ? {} : { scope }),
        });
      };
  }

  get redirectUrl(): string | undefined {
    if (this.#ownGrant) return undefined;
    // Refreshing needs none; where it ends in a request to log in, that goes nowhere.
    return this.#use.redirect ?? this.#use.kept.now.client?.redirect ?? 'http://127.0.0.1/callback';
  }

  get clientMetadata(): OAuthClientMetadata {
    const { redirectUrl } = this;
    return {
      client_name: 'mezz',
      redirect_uris: redirectUrl === undefined ? [] : [redirectUrl],
      grant_types: this.#ownGrant ? ['client_credentials'] : ['authorization_code', 'refresh_token'],
      ...(this.#ownGrant ? {} : { response_types: ['code'] }),
    };
  }

  state(): string {
    return this.#use.state;
  }

  clientInformation(context?: { readonly issuer: string }): StoredOAuthClientInformation | undefined {
    const { auth, secret, kept, sign, redirect } = this.#use;
    const { client } = kept.now;
    if (auth.clientId !== undefined) {
      const known = client?.id === auth.clientId ? client.issuer : undefined;
      const issuer = auth.issuer ?? known ?? context?.issuer;
      return {
        client_id: auth.clientId,
        ...(secret === undefined || sign ? {} : { client_secret: secret }),
        ...(issuer === undefined ? {} : { issuer }),
      };
    }
    // Registered for an answer elsewhere, it must register again.
    if (!client || (redirect !== undefined && client.redirect !== undefined && client.redirect !== redirect))
      return undefined;
    return {
      client_id: client.id,
      issuer: client.issuer,
      ...(client.secret === undefined ? {} : { client_secret: client.secret }),
      ...(client.method === undefined ? {} : { token_endpoint_auth_method: client.method }),
    };
  }

  tokens(): StoredOAuthTokens | undefined {
    const { tokens } = this.#use.kept.now;
    if (!tokens) return undefined;
    return {
      access_token: tokens.access,
      token_type: 'Bearer',
      issuer: tokens.issuer,
      ...(tokens.refresh === undefined ? {} : { refresh_token: tokens.refresh }),
      ...(tokens.scope === undefined ? {} : { scope: tokens.scope }),
    };
  }

  saveTokens(tokens: StoredOAuthTokens): void {
    const { auth, kept, clock } = this.#use;
    const issuer = tokens.issuer ?? '';
    const scope = tokens.scope ?? (this.#asked ?? kept.now.tokens)?.scope;
    if (auth.clientId !== undefined && auth.issuer === undefined) this.#keep({ id: auth.clientId, issuer });
    const { expires_in: seconds } = tokens;
    kept.put({
      tokens: {
        access: tokens.access_token,
        issuer,
        ...(tokens.refresh_token === undefined ? {} : { refresh: tokens.refresh_token }),
        ...(scope === undefined ? {} : { scope }),
        ...(seconds === undefined ? {} : { expiresAt: clock.now() + Number(seconds) * 1000 }),
      },
    });
  }

  redirectToAuthorization(address: URL): void {
    this.address = address;
    // What is not said otherwise is granted as it was asked for (RFC 6749, 5.1).
    this.#asked = { scope: address.searchParams.get('scope') ?? undefined };
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  saveDiscoveryState(discovered: OAuthDiscoveryState): void {
    this.discovered = discovered;
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.discovered;
  }

  invalidateCredentials(what: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    if (what === 'all' || what === 'tokens') this.#use.kept.dropTokens();
    if (what === 'all' || what === 'client') this.#use.kept.dropClient();
    if (what === 'all' || what === 'discovery') this.discovered = undefined;
  }

  #registered(client: StoredOAuthClientInformation): void {
    const method = 'token_endpoint_auth_method' in client ? client.token_endpoint_auth_method : undefined;
    this.#keep({
      id: client.client_id,
      issuer: client.issuer ?? '',
      ...(client.client_secret === undefined ? {} : { secret: client.client_secret }),
      ...(method === undefined ? {} : { method }),
      // A document says itself which addresses may be answered.
      ...(client.client_id === this.clientMetadataUrl || this.redirectUrl === undefined
        ? {}
        : { redirect: this.redirectUrl }),
    });
  }

  #keep(client: KeptClient): void {
    this.#use.kept.put({ client });
  }
}

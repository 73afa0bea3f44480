/**
 * The steps of a login, each by the functions of the MCP SDK (MCP authorization, RFC 8414, 8707, 9207, 9728). Each throws
 * where it fails and keeps what it got in its client. The SDK's own sequence of them serves only to find where a person
 * agrees: it retries and tells the console what servers say, which may be secret.
 */
import type { OAuthProtectedResourceMetadata } from '@modelcontextprotocol/client';
import { LIMITS } from '../limits.ts';
import type { OAuthClient } from './oauth-client.ts';

/** Loads with the first login or refusal: a kernel that needs neither starts without it. */
export const loadSdk = () => import('@modelcontextprotocol/client');

export interface Seeking {
  readonly client: OAuthClient;
  /** The tool server. */
  readonly url: string;
  /** Where the tool server says that its own metadata is. */
  readonly metadataUrl: URL | undefined;
  /** undefined: what its metadata names. */
  readonly scope: string | undefined;
}

/** Discovers, registers where mezz is not known, and leaves the address for a person in the client. */
export async function seekAddress({ client, url, metadataUrl, scope }: Seeking): Promise<void> {
  const { auth } = await loadSdk();
  await auth(client, {
    serverUrl: url,
    forceReauthorization: true,
    ...(scope === undefined ? {} : { scope }),
    ...(metadataUrl === undefined ? {} : { resourceMetadataUrl: metadataUrl }),
    fetchFn: boundedFetch,
  });
}

/** At the authorization server that the address was of, and nowhere else. */
export async function exchangeCode(
  url: string,
  client: OAuthClient,
  code: string,
  iss: string | undefined,
): Promise<void> {
  const { fetchToken } = await loadSdk();
  const { discovered } = client;
  if (!discovered) throw new Error('nobody asked for it');
  const { authorizationServerUrl, authorizationServerMetadata: metadata, resourceMetadata } = discovered;
  const resource = await resourceOf(url, client, resourceMetadata);
  const tokens = await fetchToken(client, authorizationServerUrl, {
    authorizationCode: code,
    ...(iss === undefined ? {} : { iss }),
    ...(metadata ? { metadata } : {}),
    ...(resource ? { resource } : {}),
    fetchFn: boundedFetch,
  });
  client.saveTokens({ ...tokens, issuer: metadata?.issuer ?? authorizationServerUrl });
}

/** Nobody is asked. Throws where the tool server has moved to another authorization server. */
export async function refreshTokens(seeking: Seeking): Promise<void> {
  const { refreshAuthorization } = await loadSdk();
  const { client } = seeking;
  const { issuer, serverUrl, metadata, resource } = await discover(seeking);
  const [known, tokens] = [client.clientInformation({ issuer }), client.tokens()];
  if (tokens?.refresh_token === undefined || tokens.issuer !== issuer || known?.issuer !== issuer)
    throw new Error('the login was made elsewhere');
  const fresh = await refreshAuthorization(serverUrl, {
    clientInformation: known,
    refreshToken: tokens.refresh_token,
    ...(metadata ? { metadata } : {}),
    ...(resource ? { resource } : {}),
    ...(client.addClientAuthentication ? { addClientAuthentication: client.addClientAuthentication } : {}),
    fetchFn: boundedFetch,
  });
  client.saveTokens({ ...fresh, issuer });
}

/** By the client's own credentials (RFC 6749, 4.4). */
export async function ownTokens(seeking: Seeking): Promise<void> {
  const { fetchToken } = await loadSdk();
  const { issuer, serverUrl, metadata, resource, scopes } = await discover(seeking);
  const scope = seeking.scope ?? scopes?.join(' ');
  const tokens = await fetchToken(seeking.client, serverUrl, {
    ...(metadata ? { metadata } : {}),
    ...(resource ? { resource } : {}),
    ...(scope ? { scope } : {}),
    fetchFn: boundedFetch,
  });
  seeking.client.saveTokens({ ...tokens, issuer });
}

/** Throws unless an answer of an authorization server comes from the one that was asked (RFC 9207). */
export async function checkIssuer({ discovered }: OAuthClient, iss: string | undefined): Promise<void> {
  const { validateAuthorizationResponseIssuer } = await loadSdk();
  const metadata = discovered?.authorizationServerMetadata;
  validateAuthorizationResponseIssuer({
    iss,
    expectedIssuer: metadata?.issuer,
    issParameterSupported: metadata?.authorization_response_iss_parameter_supported === true,
  });
}

/** A refresh token that is good no longer. */
export const isSpent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'invalid_grant';

async function discover({ client, url, metadataUrl }: Seeking) {
  const { discoverOAuthServerInfo } = await loadSdk();
  const found = await discoverOAuthServerInfo(url, {
    ...(metadataUrl === undefined ? {} : { resourceMetadataUrl: metadataUrl }),
    fetchFn: boundedFetch,
  });
  const {
    authorizationServerUrl: serverUrl,
    authorizationServerMetadata: metadata,
    resourceMetadata,
  } = found;
  return {
    serverUrl,
    metadata,
    issuer: metadata?.issuer ?? serverUrl,
    resource: await resourceOf(url, client, resourceMetadata),
    scopes: resourceMetadata?.scopes_supported,
  };
}

/** As its server writes it, once it is known to be this server (RFC 8707): some compare the text. */
async function resourceOf(
  url: string,
  client: OAuthClient,
  metadata: OAuthProtectedResourceMetadata | undefined,
): Promise<string | undefined> {
  const { selectResourceURL } = await loadSdk();
  return metadata && (await selectResourceURL(url, client, metadata)) ? metadata.resource : undefined;
}

/** With a bound on the time and on the answer. */
async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const signal = AbortSignal.timeout(LIMITS.toolStartMs.value);
  const { status, headers, body } = await fetch(url, { ...init, signal });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > LIMITS.toolLoginBytes.value) throw new Error('the answer is larger than the bound on it');
    chunks.push(chunk);
  }
  return new Response(size === 0 ? null : Buffer.concat(chunks), { status, headers });
}

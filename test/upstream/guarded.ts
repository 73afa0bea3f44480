/**
 * A tool server at an address that wants a login, and the authorization server in front of it: it registers clients,
 * lets every browser in at once, and gives tokens that can be refreshed. Every secret it gives is remembered.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Any = Record<string, unknown>;
type Answer = readonly [status: number, body: unknown, headers?: Record<string, string>];

/** Of a client that it knows from the beginning. */
export const OWN_SECRET = 'canary-own-secret-4b8e2d6f1a';

export class Guarded {
  /** Codes, tokens and client secrets that it gave. */
  readonly secrets: string[] = [];
  /** Grants that it made, in order: `authorization_code`, `refresh_token`, `client_credentials`. */
  readonly grants: string[] = [];
  /** The heads and forms of all requests for tokens. */
  readonly asked: string[] = [];
  /** Calls that it performed, by token. */
  readonly calls: string[] = [];
  /** The heads of all requests for tools. */
  readonly heads: IncomingMessage['headers'][] = [];
  readonly #access = new Set<string>();
  readonly #refresh = new Set<string>();
  readonly #challenges = new Map<string, string>();
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `${this.origin}/mcp`;
  }

  /** Access tokens given so far are good no longer; refresh tokens neither, where it says so. */
  expire(refreshToo?: boolean): void {
    this.#access.clear();
    if (refreshToo) this.#refresh.clear();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', this.origin);
    const text = Buffer.concat(chunks).toString('utf8');
    const [status, body, headers] = this.#grantor(url, text, request.headers) ?? this.#tools(request, text);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? '' : JSON.stringify(body));
  }

  /** The authorization server, and how it is found. */
  #grantor(url: URL, text: string, heads: IncomingMessage['headers']): Answer | undefined {
    if (url.pathname === '/.well-known/oauth-protected-resource/mcp')
      return [200, { resource: this.url, authorization_servers: [this.origin] }];
    if (url.pathname === '/.well-known/oauth-authorization-server') return [200, metadata(this.origin)];
    if (url.pathname === '/register')
      return [201, { ...JSON.parse(text), client_id: 'client-1', client_secret: this.#secret('client') }];
    if (url.pathname === '/authorize') {
      const code = this.#secret('code');
      this.#challenges.set(code, url.searchParams.get('code_challenge') ?? '');
      const back = `${url.searchParams.get('redirect_uri')}?code=${code}&state=${url.searchParams.get('state')}`;
      return [302, undefined, { location: back }];
    }
    if (url.pathname !== '/token') return undefined;
    this.asked.push(`${heads.authorization ?? ''} ${text}`);
    return this.#token(new URLSearchParams(text));
  }

  #token(form: URLSearchParams): Answer {
    const grant = form.get('grant_type') ?? '';
    const verifier = form.get('code_verifier') ?? '';
    const isOwn = grant === 'client_credentials' && form.get('client_secret') === OWN_SECRET;
    const isRight =
      isOwn ||
      (grant === 'refresh_token'
        ? this.#refresh.delete(form.get('refresh_token') ?? '')
        : this.#challenges.get(form.get('code') ?? '') ===
          createHash('sha256').update(verifier).digest('base64url'));
    if (!isRight) return [400, { error: 'invalid_grant' }];
    this.grants.push(grant);
    const [access_token, refresh_token] = [this.#secret('access'), this.#secret('refresh')];
    this.#access.add(access_token);
    this.#refresh.add(refresh_token);
    return [200, { access_token, refresh_token, token_type: 'Bearer', expires_in: 3600, scope: 'tools' }];
  }

  #tools({ headers, method: verb }: IncomingMessage, text: string): Answer {
    this.heads.push(headers);
    const token = (headers.authorization ?? '').replace('Bearer ', '');
    const metadataUrl = `${this.origin}/.well-known/oauth-protected-resource/mcp`;
    const wanted = `Bearer scope="tools", resource_metadata="${metadataUrl}"`;
    if (!this.#access.has(token))
      return [401, { error: 'invalid_token', sent: token }, { 'www-authenticate': wanted }];
    if (verb !== 'POST') return [405, undefined];
    const { id, method } = JSON.parse(text) as Any;
    if (id === undefined) return [202, undefined];
    if (method === 'tools/call') this.calls.push(token);
    return [200, { jsonrpc: '2.0', id, ...answer(String(method), token) }];
  }

  #secret(kind: string): string {
    const made = `canary-${kind}-${randomUUID()}`;
    this.secrets.push(made);
    return made;
  }
}

const metadata = (issuer: string): Any => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  registration_endpoint: `${issuer}/register`,
  response_types_supported: ['code'],
  grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['client_secret_post'],
});

/** Its tool repeats the token that it was called with. */
function answer(method: string, token: string): Any {
  const [protocolVersion, serverInfo] = ['2025-11-25', { name: 'guarded', version: '1' }];
  if (method === 'initialize')
    return { result: { protocolVersion, capabilities: { tools: {} }, serverInfo } };
  // Its calls may run at once.
  const annotations = { readOnlyHint: true };
  if (method === 'tools/list')
    return { result: { tools: [{ name: 'echo', inputSchema: { type: 'object' }, annotations }] } };
  if (method === 'tools/call')
    return { result: { content: [{ type: 'text', text: `you sent ${token} and it was done` }] } };
  return { error: { code: -32601, message: 'no such method' } };
}

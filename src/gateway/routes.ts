/** Only these routes exist. Paths are matched without the prefix `/a/<token>` and without the query. */
import type { DialectName } from '../base/model.ts';
import type { ModelKind } from './kernel.ts';

export type Route =
  | {
      readonly to: 'model';
      readonly kind: ModelKind;
      readonly dialect: DialectName;
      readonly upstreamPath: string;
    }
  | { readonly to: 'models'; readonly id: string | undefined }
  | { readonly to: 'hook'; readonly client: string }
  /** `only`: the one tool server that is shown, under its own names. */
  | { readonly to: 'mcp'; readonly only: string | undefined }
  | { readonly to: 'probe' | 'health' | 'ready' | 'metrics' };

export interface Matched {
  readonly token: string | undefined;
  /** The path behind the token, with its query. */
  readonly path: string;
  readonly route: Route | 'not_found' | 'method_not_allowed';
}

const POST_MODEL = new Map<string, readonly [ModelKind, DialectName]>([
  ['/responses', ['model.generate', 'openai-responses']],
  ['/responses/compact', ['model.generate', 'openai-responses']],
  ['/responses/input_tokens', ['model.count', 'openai-responses']],
  ['/chat/completions', ['model.generate', 'openai-chat']],
  ['/messages', ['model.generate', 'anthropic']],
  ['/messages/count_tokens', ['model.count', 'anthropic']],
  ['/embeddings', ['model.embed', 'openai-embeddings']],
]);

/** Objects that live upstream: an id in the path, owned by the agent that made them. */
const OBJECTS = /^\/(responses|conversations|files|batches|messages\/batches)\/([\w.-]+)(\/[\w./-]*)?$/;
const TOKEN = /^\/a\/([\w-]{1,128})(?=\/|$)/;

export function matchRoute(method: string, url: string): Matched {
  const token = url.startsWith('/a/') ? TOKEN.exec(url) : null;
  const path = token ? url.slice(token[0].length) || '/' : url;
  const query = path.indexOf('?');
  const bare = query === -1 ? path : path.slice(0, query);
  return { token: token?.[1], path, route: find(method, bare, path.slice(bare.length)) };
}

function find(method: string, bare: string, query: string): Matched['route'] {
  // SDKs differ in whether their base URL holds the version; Codex logged in to ChatGPT has a base path of its own.
  const inner = bare.replace(/^\/(v1|backend-api\/codex)(?=\/)/, '');
  const model = POST_MODEL.get(inner);
  if (model)
    return only(method, ['POST'], {
      to: 'model',
      kind: model[0],
      dialect: model[1],
      upstreamPath: inner + query,
    });
  if (bare === '/' || bare === '/api/hello') return only(method, ['HEAD', 'GET'], { to: 'probe' });
  if (bare === '/healthz') return only(method, ['GET', 'HEAD'], { to: 'health' });
  if (bare === '/readyz') return only(method, ['GET', 'HEAD'], { to: 'ready' });
  if (bare === '/metrics') return only(method, ['GET'], { to: 'metrics' });
  const hook = /^\/hooks\/([a-z][a-z0-9-]{0,31})$/.exec(bare);
  if (hook) return only(method, ['POST'], { to: 'hook', client: hook[1] as string });
  const mcp = /^\/mcp(?:\/([\w.-]{1,64}))?$/.exec(bare);
  if (mcp) return only(method, ['POST', 'GET', 'DELETE'], { to: 'mcp', only: mcp[1] });
  const models = /^\/models(?:\/([\w.:/-]+))?$/.exec(inner);
  if (models) return only(method, ['GET', 'HEAD'], { to: 'models', id: models[1] });
  if (OBJECTS.test(inner)) {
    const dialect = inner.startsWith('/messages') ? 'anthropic' : 'openai-responses';
    return only(method, ['GET', 'DELETE', 'POST'], {
      to: 'model',
      kind: 'model.object',
      dialect,
      upstreamPath: inner + query,
    });
  }
  return 'not_found';
}

/** The object's id in an upstream path. */
export function objectIdOf(upstreamPath: string): string | undefined {
  return OBJECTS.exec(upstreamPath.split('?', 1)[0] as string)?.[2];
}

const only = (method: string, allowed: readonly string[], route: Route): Matched['route'] =>
  allowed.includes(method) ? route : 'method_not_allowed';

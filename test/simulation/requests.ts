/** What simulated clients ask for. A request is drawn once; a retry sends the very same bytes. */
import { sha256Hex } from '../../src/base/hash.ts';
import { canonicalJson } from '../../src/base/json.ts';
import type { DialectName, RequestFacts } from '../../src/base/model.ts';
import { DIALECTS } from '../../src/wire/registry.ts';
import type { Draws } from './draws.ts';

export type ModelKind = 'model.generate' | 'model.embed' | 'model.count' | 'model.object';

interface Common {
  /** Which key and, below it, which sub-agents. */
  readonly key: number;
  readonly headers: readonly string[];
  /** Over the exact arguments: what an approval is bound to. */
  readonly digest: string;
}

export interface ModelRequest extends Common {
  readonly kind: ModelKind;
  readonly dialect: DialectName;
  readonly model: string;
  readonly body: Buffer;
  readonly facts: RequestFacts;
  /** What it can use at most, in tokens; undefined without a bound. */
  readonly most: { readonly tokensIn: number; readonly tokensOut: number } | undefined;
  /** Does it declare a hosted tool that acts? */
  readonly hosted: boolean;
}

export interface ToolRequest extends Common {
  readonly kind: 'tool.call';
  readonly tool: string;
  readonly input: { readonly n: number };
  readonly toolUseId: string;
  readonly sub: string | undefined;
}

export type Request = ModelRequest | ToolRequest;

export const TOOLS = ['Read', 'Write', 'Danger'] as const;
export const SERVER = 'generic';

/** Headers of a client that runs sub-agents: a session, an agent in it, perhaps the agent that started that one. */
export function drawHeaders(draws: Draws): string[] {
  const headers = ['user-agent', 'generic/1'];
  if (draws.chance(60)) return headers;
  headers.push('x-claude-code-session-id', `s${draws.int(1, 2)}`);
  if (draws.chance(60)) headers.push('x-claude-code-agent-id', `a${draws.int(1, 3)}`);
  if (draws.chance(40)) headers.push('x-claude-code-parent-agent-id', `a${draws.int(1, 3)}`);
  if (draws.chance(20)) headers.push('x-stainless-timeout', String(draws.int(1, 30)));
  return headers;
}

export function drawModel(draws: Draws, key: number, n: number, objects: readonly string[]): ModelRequest {
  const kind = draws.weighted({
    'model.generate': 80,
    'model.embed': 8,
    'model.count': 6,
    'model.object': objects.length > 0 ? 6 : 0,
  });
  const common = { key, headers: drawHeaders(draws) };
  if (kind === 'model.object') return objectRequest(common, draws.pick(objects));
  if (kind === 'model.embed') {
    const body = { model: 'embed', input: `words ${n} ${'x'.repeat(draws.int(0, 400))}` };
    return bodyRequest(common, kind, 'openai-embeddings', body, false);
  }
  const hosted = kind === 'model.generate' && draws.chance(8);
  const body = {
    model: draws.weighted({ alpha: 30, beta: 40, 'gamma-long': 15, delta: 15, nobody: 2 }),
    ...(draws.chance(85) ? { max_tokens: draws.int(1, 800) } : {}),
    ...(draws.chance(10) ? { n: draws.int(1, 3) } : {}),
    stream: draws.chance(50),
    messages: [{ role: 'user', content: `say ${n} ${'y'.repeat(draws.int(0, 600))}` }],
    ...(hosted ? { tools: [{ type: 'mcp', server_label: 'far' }] } : {}),
  };
  return bodyRequest(common, kind, hosted || draws.chance(50) ? 'openai-chat' : 'anthropic', body, hosted);
}

function bodyRequest(
  common: Pick<Common, 'key' | 'headers'>,
  kind: ModelKind,
  dialect: DialectName,
  value: { model: string; max_tokens?: number; n?: number },
  hosted: boolean,
): ModelRequest {
  const body = Buffer.from(JSON.stringify(value));
  const facts = DIALECTS[dialect].readRequest(body);
  if ('problem' in facts) throw new Error(facts.problem.message);
  const choices = dialect === 'openai-chat' ? (value.n ?? 1) : 1;
  const output = kind === 'model.embed' ? 0 : value.max_tokens;
  const most = output === undefined ? undefined : { tokensIn: body.length, tokensOut: output * choices };
  return { ...common, kind, dialect, model: value.model, body, facts, most, hosted, digest: sha256Hex(body) };
}

function objectRequest(common: Pick<Common, 'key' | 'headers'>, id: string): ModelRequest {
  const body = Buffer.alloc(0);
  const facts: RequestFacts = {
    dialect: 'anthropic',
    model: '',
    stream: false,
    choices: 1,
    messages: [],
    hostedTools: [],
    toolResults: [],
    objects: [id],
    lastIsUser: false,
  };
  const rest = { model: '', body, facts, most: { tokensIn: 0, tokensOut: 0 }, hosted: false };
  return { ...common, kind: 'model.object', dialect: 'anthropic', ...rest, digest: sha256Hex(body) };
}

export function drawTool(draws: Draws, key: number, n: number): ToolRequest {
  const tool = draws.weighted({ Read: 50, Write: 20, Danger: 30 });
  const input = { n: draws.chance(50) ? n : draws.int(1, 2) };
  return {
    kind: 'tool.call',
    key,
    headers: [],
    tool,
    input,
    toolUseId: `use-${n}`,
    sub: draws.chance(25) ? `a${draws.int(1, 3)}` : undefined,
    digest: sha256Hex(canonicalJson({ server: SERVER, tool, input })),
  };
}

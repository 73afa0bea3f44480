/**
 * One connection to a tool server in the protocol's era with `initialize` (up to 2025-11-25), whatever carries its
 * messages: which answer belongs to which request, what a server says meanwhile, and whose call it says it about.
 * Invariant: every request ends once; a server's question reaches only the agent whose call it is about.
 */
import type { Clock } from '../../base/clock.ts';
import { isRecord, type Json, type JsonRecord, numberOf, stringOf, tableOf } from '../../base/json.ts';
import { EARLIER, RPC, type RpcError, type RpcReply, rpcError } from '../../base/mcp.ts';
import type { Asking, ServerChange } from '../../base/ports.ts';
import { LIMITS } from '../limits.ts';
import { Patience } from './patience.ts';

/**
 * `gone`: the server ended; `late`: it did not answer in time; `left`: nobody waits for the answer any more; `unsent`: it
 * certainly did not get the request; `locked`: it refused it for want of a login.
 */
export type Reply = RpcReply | 'gone' | 'late' | 'left' | 'unsent' | 'locked';

export interface Request {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly asking?: Asking;
}

interface Waiting {
  readonly asking: Asking | undefined;
  readonly patience: Patience;
  end(reply: Reply): void;
}

/** What mezz passes on to agents, so servers may ask for it. */
const CAN_BE_ASKED = { elicitation: {}, sampling: {}, roots: {} };
export const CLIENT = { name: 'mezz', version: '0' };

export const CHANGES = tableOf<'tools' | 'prompts' | 'resources'>({
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
});
/** From the least important on. */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

export class Peer {
  readonly #clock: Clock;
  readonly #post: (message: JsonRecord) => void;
  readonly #changed: (change: ServerChange) => void;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #level: string | undefined;

  constructor(clock: Clock, post: (message: JsonRecord) => void, changed: (change: ServerChange) => void) {
    this.#clock = clock;
    this.#post = post;
    this.#changed = changed;
  }

  /** The handshake. `version`: the newest to offer. */
  async greet(version: string = EARLIER[0]): Promise<Reply> {
    const hello = { protocolVersion: version, capabilities: CAN_BE_ASKED, clientInfo: CLIENT };
    const greeting = await this.ask('initialize', hello, { timeoutMs: LIMITS.toolStartMs.value });
    if (typeof greeting === 'object' && 'result' in greeting)
      this.#send({ method: 'notifications/initialized' });
    return greeting;
  }

  ask(method: string, params: JsonRecord, { timeoutMs, signal, asking }: Request): Promise<Reply> {
    if (signal?.aborted) return Promise.resolve('left');
    return new Promise((resolve) => {
      const id = this.#next++;
      const leave = () => {
        this.#send({ method: 'notifications/cancelled', params: { requestId: id } });
        end('left');
      };
      const end = (reply: Reply) => {
        if (!this.#waiting.delete(id)) return;
        patience.stop();
        signal?.removeEventListener('abort', leave);
        resolve(reply);
      };
      const patience = new Patience(this.#clock, timeoutMs, () => end('late'));
      this.#waiting.set(id, { asking, patience, end });
      signal?.addEventListener('abort', leave, { once: true });
      const token = asking?.wantsProgress ? { progressToken: id } : {};
      const meta = isRecord(params._meta) ? params._meta : {};
      const asked = asking ? { ...params, _meta: { ...meta, ...token } } : params;
      this.#send({ id, method, params: asked });
    });
  }

  /** Log messages of this level on, which at least one agent wants, where the server has a level. */
  wantLogs(level: string | undefined): void {
    if (level === undefined || !LEVELS.includes(level)) return;
    if (this.#level !== undefined && LEVELS.indexOf(this.#level) <= LEVELS.indexOf(level)) return;
    this.#level = level;
    void this.ask('logging/setLevel', { level }, { timeoutMs: LIMITS.toolStartMs.value });
  }

  /** Everything that waits ends so. */
  end(reply: 'gone'): void {
    for (const { end } of [...this.#waiting.values()]) end(reply);
  }

  /** One request ends so: what carried it broke. */
  endOne(id: Json | undefined, reply: Reply): void {
    this.#waiting.get(numberOf(id))?.end(reply);
  }

  isWaiting(id: Json | undefined): boolean {
    return this.#waiting.has(numberOf(id));
  }

  /** `via`: the request whose own stream this came on, where there is one. */
  hear(message: JsonRecord, via?: Json): void {
    const { method, id } = message;
    const params = isRecord(message.params) ? message.params : {};
    if (typeof method !== 'string') return this.#waiting.get(numberOf(id))?.end(replyOf(message));
    if (id !== undefined) return void this.#answer(id, method, params, via);
    const change = CHANGES[method];
    if (change) return this.#changed({ kind: change });
    if (method === 'notifications/resources/updated')
      return this.#changed({ kind: 'updated', uri: stringOf(params.uri) });
    if (method === 'notifications/progress') {
      const waiting = this.#waiting.get(numberOf(params.progressToken));
      waiting?.patience.renew();
      return waiting?.asking?.told(method, params);
    }
    if (method === 'notifications/message') tellLog(this.#about(via)?.asking, params);
  }

  /** A question that belongs to nobody's call, or to one of several agents', is refused: it might be another's. */
  async #answer(id: Json, method: string, params: JsonRecord, via: Json | undefined): Promise<void> {
    if (method === 'ping') return this.#send({ id, result: {} });
    const about = this.#about(via);
    if (!about?.asking) return this.#send({ id, ...rpcError(RPC.noMethod, 'nobody can be asked this now') });
    about.patience.hold();
    const reply = await about.asking.asked(method, params);
    about.patience.renew();
    this.#send({ id, ...reply });
  }

  #about(via: Json | undefined): Waiting | undefined {
    const own = this.#waiting.get(numberOf(via));
    if (own?.asking) return own;
    const asking = [...this.#waiting.values()].filter((waiting) => waiting.asking);
    const agents = new Set(asking.map((waiting) => waiting.asking?.who));
    return agents.size === 1 ? asking.at(-1) : undefined;
  }

  #send(message: JsonRecord): void {
    this.#post({ jsonrpc: '2.0', ...message });
  }
}

/** Only what the agent's client wants to hear. */
export function tellLog(asking: Asking | undefined, params: JsonRecord): void {
  if (asking?.logLevel === undefined) return;
  if (LEVELS.indexOf(stringOf(params.level)) >= LEVELS.indexOf(asking.logLevel))
    asking.told('notifications/message', params);
}

export function replyOf(message: JsonRecord): RpcReply {
  const { error, result } = message;
  if (!isRecord(error)) return { result: isRecord(result) ? result : {} };
  const { code, message: text } = error;
  const read: RpcError = {
    ...error,
    code: typeof code === 'number' ? code : RPC.internal,
    message: typeof text === 'string' ? text : 'an error',
  };
  return { error: read };
}

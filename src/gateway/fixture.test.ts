/** What the tests of the door share: a kernel that lets everything pass, and a request of each dialect. */
import { refusal } from '../base/errors.ts';
import type { BackendId, CallId, Pid } from '../base/ids.ts';
import type { ModelCall, ModelOutcome } from '../base/model.ts';
import type { ServerRequest } from '../base/ports.ts';
import { mintTicket } from '../base/ticket.ts';
import type { HttpModelBackend } from '../drivers/models/http.ts';
import type { HookAnswer, HookEvent, Kernel, ServerReply } from './kernel.ts';

export const KEY = 'mezz_0123456789abcdefghij';
export const UPSTREAM_KEY = 'sk-upstream-key';
export const CALL = 'c0000000000000001' as CallId;

/** A kernel that lets everything pass to one backend. */
export class OpenKernel implements Kernel {
  readonly calls: ModelCall[] = [];
  readonly outcomes: ModelOutcome[] = [];
  readonly hooks: HookEvent[] = [];
  readonly refused: string[] = [];
  answer: HookAnswer = { decision: 'go' };
  credential: 'kernel' | 'client' = 'kernel';
  /** What END waits for. */
  beforeEnd: Promise<void> = Promise.resolve();
  backend!: HttpModelBackend;
  refuseWith: ReturnType<typeof refusal> | undefined;
  /** What a gate would have changed. */
  transforms: ModelCall['transforms'];

  identify(secret: string) {
    return secret === KEY ? { keyId: 'k1', owner: 'me', pid: 1, name: 'one' } : undefined;
  }
  async model(_caller: unknown, _kind: string, call: ModelCall, accepted: (id: CallId) => void) {
    this.calls.push(call);
    accepted(CALL);
    if (this.refuseWith) return { kind: 'refused' as const, refusal: this.refuseWith, call: CALL };
    const ticket = mintTicket({
      call: CALL,
      agent: 1 as Pid,
      attempt: 1,
      backend: 'up' as BackendId,
      credential: this.credential,
    });
    const outcome = await this.backend.perform(
      ticket,
      this.transforms ? { ...call, transforms: this.transforms } : call,
    );
    this.outcomes.push(outcome);
    await this.beforeEnd;
    return { kind: 'done' as const, outcome, call: CALL };
  }
  async hook(_caller: unknown, event: HookEvent) {
    this.hooks.push(event);
    return this.answer;
  }
  readonly version = '0';
  async show() {
    const tools = [{ name: 'box__open', inputSchema: { type: 'object' } }];
    return { tools, prompts: [], resources: [], templates: [], ttlMs: 0 };
  }
  async definition(_only: unknown, name: string) {
    return (await this.show()).tools.find((tool) => tool.name === name);
  }
  async request(_caller: unknown, _only: unknown, { params }: ServerRequest): Promise<ServerReply> {
    if (params.name !== 'box__open')
      return { call: undefined, reply: refusal('not_found', `There is no tool "${params.name}".`) };
    const text = JSON.stringify(params.arguments);
    return { call: CALL, reply: { result: { content: [{ type: 'text', text }] } } };
  }
  unwatch() {}
  onServerChange() {
    return () => {};
  }
  told() {}
  async task() {
    return undefined;
  }
  async cancelTask() {
    return false;
  }
  models() {
    return [{ name: 'claude-a', owner: 'anthropic' }];
  }
  ready() {
    return true;
  }
  metrics() {
    return 'mezz_up 1\n';
  }
  refusedAtDoor(code: string) {
    this.refused.push(code);
  }
}

// Odd spacing, unknown members and non-ASCII text must arrive as they are.
export const BODIES: Record<string, (stream: boolean) => string> = {
  '/v1/messages?beta=true': (stream) =>
    `{ "model":"m", "max_tokens":5,"stream":${stream}, "x_new" : {"a":1.0},"messages":[{"role":"user","content":"h\\u00e9é"}] }`,
  '/v1/chat/completions': (stream) =>
    `{"model":"m","stream":${stream},"stream_options":{"include_usage":true}, "messages":[ {"role":"user","content":"hi"}]}`,
  '/v1/responses': (stream) => `{"model":"m","stream":${stream},\n"input":"hello","store":false}`,
};

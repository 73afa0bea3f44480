/** Connects the door to the gate: keys to callers, hooks to tool calls, requests to walks. */
import { type ErrorCode, type Refusal, refusal } from '../base/errors.ts';
import type { BackendId, CallId } from '../base/ids.ts';
import type { JsonRecord } from '../base/json.ts';
import type { RpcReply } from '../base/mcp.ts';
import type { ModelCall } from '../base/model.ts';
import type { ServerChange, ServerRequest } from '../base/ports.ts';
import type { ToolOutcome } from '../base/syscall.ts';
import type { Arrivals } from '../gate/arrivals.ts';
import type { Gate } from '../gate/gate.ts';
import { toolEnded } from '../gate/outcomes.ts';
import { showTo } from '../gate/sight.ts';
import type { TaskView } from '../gate/tasks.ts';
import { definitionOf } from '../tools/view.ts';
import type {
  Caller,
  HookAnswer,
  HookEvent,
  Kernel,
  KernelTask,
  ListedModel,
  ModelKind,
  ModelWalk,
  ServerReply,
  ServerView,
} from './kernel.ts';

export class Door implements Kernel {
  readonly #gate: Gate;
  readonly #arrivals: Arrivals;
  readonly #metrics: () => string;
  readonly version: string;

  constructor(gate: Gate, arrivals: Arrivals, metrics: () => string, version = '') {
    this.#gate = gate;
    this.#arrivals = arrivals;
    this.#metrics = metrics;
    this.version = version;
  }

  identify(secret: string): Caller | undefined {
    const { keys, clock } = this.#gate.parts;
    const key = keys.identify(secret, clock.now());
    return key && { keyId: key.id, owner: key.owner, pid: key.pid, name: key.name };
  }

  model(
    caller: Caller,
    kind: ModelKind,
    call: ModelCall,
    accepted: (id: CallId) => void,
  ): Promise<ModelWalk> {
    return this.#arrivals.model(caller, kind, call, accepted);
  }

  async hook(caller: Caller, event: HookEvent, signal: AbortSignal): Promise<HookAnswer> {
    const root = this.#arrivals.agentOf(caller);
    if (event.event === 'waiting' || event.event === 'going') {
      if (root && event.event === 'waiting') this.#gate.waitingForYou.add(root.pid);
      else if (root) this.#gate.waitingForYou.delete(root.pid);
      return { decision: 'go' };
    }
    if (root) this.#gate.waitingForYou.delete(root.pid);
    if (event.event === 'after') {
      const family = root ? this.#gate.parts.agents.tree(root).map((agent) => agent.pid) : [];
      await toolEnded(this.#gate.parts, family, event.toolUseId, event.isError);
      return { decision: 'go' };
    }
    const call = {
      tool: event.tool,
      server: event.client,
      input: event.input,
      toolUseId: event.toolUseId,
      how: 'hooked' as const,
      ...(event.cwd === undefined ? {} : { cwd: event.cwd }),
      ...(event.isUnnamed ? { isUnnamed: true as const } : {}),
    };
    const refused = await this.#arrivals.tool(caller, call, event.session, event.sub, signal);
    return refused ? { decision: 'deny', refusal: refused } : { decision: 'go' };
  }

  show(caller: Caller, only: string | undefined): Promise<ServerView | Refusal> {
    return showTo(this.#gate.parts, caller, only);
  }

  definition(only: string | undefined, name: string): Promise<JsonRecord | undefined> {
    return definitionOf(this.#gate.parts.servers, only, name);
  }

  async request(
    caller: Caller,
    only: string | undefined,
    request: ServerRequest,
    { deferred, ...asked }: Parameters<Kernel['request']>[3],
    signal: AbortSignal,
  ): Promise<ServerReply> {
    const told = deferred && ((task: TaskView) => deferred(taskOf(task)));
    const asks = { ...asked, deferred: told };
    const { call, outcome } = await this.#arrivals.requested(caller, only, request, asks, signal);
    return { call, reply: replyOf(outcome) };
  }

  async task(caller: Caller, id: string): Promise<KernelTask | undefined> {
    const agent = this.#arrivals.agentOf(caller);
    const task = agent && (await this.#arrivals.offered.tasks.get(agent.pid, id));
    return task && taskOf(task);
  }

  async cancelTask(caller: Caller, id: string): Promise<boolean> {
    const agent = this.#arrivals.agentOf(caller);
    return agent !== undefined && (await this.#arrivals.offered.tasks.cancel(agent.pid, id));
  }

  told(call: CallId, isDelivered: boolean): void {
    this.#gate.parts.uses.told(call, isDelivered);
  }

  unwatch(only: string | undefined, uri: string): void {
    for (const server of this.#gate.parts.servers.all())
      if (only === undefined || server.spec.id === only) server.unwatch?.(uri);
  }

  onServerChange(listener: (server: string, change: ServerChange) => void): () => void {
    return this.#gate.parts.servers.onChange(listener);
  }

  models(): readonly ListedModel[] {
    const { catalog, backends } = this.#gate.parts;
    return catalog.routes.flatMap((route) => {
      const owner = route.backends[0] ?? ('mezz' as BackendId);
      // A pattern is a rule, not a model: only whole names are listed.
      const names = route.pattern.includes('*')
        ? (backends.get(owner)?.models?.() ?? []).filter((name) => catalog.route(name) === route)
        : [route.pattern];
      return names.map((name) => ({ name, owner }));
    });
  }

  ready(): boolean {
    return !this.#gate.draining;
  }

  metrics(): string {
    return this.#metrics();
  }

  refusedAtDoor(code: ErrorCode): void {
    this.#gate.parts.observer.refusedAtDoor(code);
  }
}

function replyOf(outcome: ToolOutcome | Refusal): RpcReply | Refusal {
  if ('code' in outcome) return outcome;
  if (outcome.kind !== 'called') return refusal('failed', 'The call was let go and not made.');
  return outcome.error ? { error: outcome.error } : { result: outcome.result };
}

const taskOf = ({ outcome, ...task }: TaskView): KernelTask => ({
  ...task,
  reply: outcome && replyOf(outcome),
});

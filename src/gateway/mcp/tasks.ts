/**
 * Tasks of MCP (the extension `io.modelcontextprotocol/tasks` of 2026-07-28): a call that takes long is answered by a handle,
 * and its client comes back for the rest. Invariant: only a request that says that it takes tasks gets one, and only the
 * agent whose call it was finds it.
 */
import { isRecord, type Json, type JsonRecord, stringOf } from '../../base/json.ts';
import { META, RPC, type RpcReply, rpcError } from '../../base/mcp.ts';
import type { KernelTask } from '../kernel.ts';
import { LIMITS } from '../limits.ts';
import { type Asked, refused } from './methods.ts';
import type { SuspendedCall } from './suspended.ts';

export const TASKS = 'io.modelcontextprotocol/tasks';

export const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

export const NO_TASKS = rpcError(RPC.missingCapability, 'Missing required client capability', {
  requiredCapabilities: { extensions: { [TASKS]: {} } },
});

/** Does this request's client take a task in place of an answer? */
export function takesTasks({ _meta: meta }: JsonRecord): boolean {
  const capabilities = isRecord(meta) ? meta[META.capabilities] : undefined;
  const extensions = isRecord(capabilities) ? capabilities.extensions : undefined;
  return isRecord(extensions) && extensions[TASKS] !== undefined;
}

/** What servers are told of the client: tasks are between it and mezz. */
export function withoutTasks(capabilities: JsonRecord): JsonRecord {
  const { extensions, ...rest } = capabilities;
  if (!isRecord(extensions)) return capabilities;
  const { [TASKS]: _tasks, ...others } = extensions;
  return { ...rest, ...(Object.keys(others).length > 0 ? { extensions: others } : {}) };
}

/** Calls that became tasks and run, with the questions their servers ask. */
export class LiveTasks {
  readonly #calls = new Map<string, SuspendedCall>();

  enter(task: KernelTask, call: SuspendedCall): void {
    this.#calls.set(task.id, call);
  }

  leave(call: SuspendedCall): void {
    for (const [id, one] of this.#calls) if (one === call) this.#calls.delete(id);
  }

  async serve({ kernel, caller, method, params }: Asked): Promise<RpcReply> {
    const id = stringOf(params.taskId);
    if (method === 'tasks/cancel') return (await kernel.cancelTask(caller, id)) ? { result: {} } : noTask(id);
    const task = await kernel.task(caller, id);
    if (!task) return noTask(id);
    const call = this.#calls.get(id);
    if (method === 'tasks/get') return { result: { ...wire(task), ...detail(task, call?.questions) } };
    call?.answered(params.inputResponses);
    return { result: {} };
  }
}

export const created = (task: KernelTask): RpcReply => ({ result: { resultType: 'task', ...wire(task) } });

const noTask = (id: string): RpcReply => rpcError(RPC.invalidParams, `there is no task ${id} of this agent`);

const wire = ({ id, createdAt, changedAt, keptMs, message }: KernelTask): JsonRecord => ({
  taskId: id,
  status: 'working',
  ...(message === undefined ? {} : { statusMessage: message }),
  createdAt: new Date(createdAt).toISOString(),
  lastUpdatedAt: new Date(changedAt).toISOString(),
  ttlMs: keptMs,
  pollIntervalMs: LIMITS.taskPollMs.value,
});

/** What its state adds. */
function detail({ state, reply }: KernelTask, questions: JsonRecord | undefined): JsonRecord {
  if (state === 'cancelled') return { status: 'cancelled' };
  if (state === 'working')
    return questions ? { status: 'input_required', inputRequests: questions } : { status: 'working' };
  const told = reply && 'code' in reply ? refused('tools/call', {}, reply) : reply;
  if (!told || 'error' in told) return { status: 'failed', ...(told as Record<string, Json>) };
  return { status: 'completed', result: told.result };
}

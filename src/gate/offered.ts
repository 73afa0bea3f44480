/**
 * Calls of tools that mezz offers. A repetition is answered from the ledger of uses; what a crash or a dead server left
 * in doubt is settled by its retry class: made again, asked about, or left for a person. Never silently twice.
 */
import type { KeyHolder } from '../agents/resolve.ts';
import type { Agent } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { type CallId, newCallId } from '../base/ids.ts';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import type { RetryClass } from '../base/manifest.ts';
import type { Lease, ServerRequest, ToolServerSpec } from '../base/ports.ts';
import type { ToolCall, ToolOutcome } from '../base/syscall.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
import type { TaskRow } from '../db/schema/tools.ts';
import { applyEntry, type CallEnd, callPut, endEntry, NO_ANSWER } from '../journal/calls.ts';
import { rebuildRequest } from '../journal/context.ts';
import { checkOf, manifestOf, retryOf } from '../tools/catalog.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import type { Place } from '../tools/locks.ts';
import { callsAt } from '../tools/rates.ts';
import type { Offer } from '../tools/servers.ts';
import type { Sign } from '../tools/traffic.ts';
import type { Known, Repeated } from '../tools/uses.ts';
import { Flight } from './flight.ts';
import type { Gate } from './gate.ts';
import { TaskKeeper, type TaskView } from './tasks.ts';

/** What an agent's client asks of a tool that was found. */
export interface UseRequest {
  readonly input: JsonRecord;
  /** The client's own name for this use of the tool, which its retries carry too. */
  readonly use?: string | undefined;
  /** A cut connection is not the client's word that it wants the call no more. */
  readonly outlives?: boolean;
  /** The call in which its client asked about it by hook. */
  readonly continues?: CallId | undefined;
  /** Gets the task that the call becomes when it takes long; its client takes none where there is no such. */
  readonly deferred?: ((task: TaskView) => void) | undefined;
  /** The same as the client worded it, where it came by MCP. */
  readonly request?: ServerRequest;
}

/** What an agent's client asks for, by the name of the tool. */
export interface Asked extends UseRequest {
  readonly name: string;
}

/** A tool of a server as it is defined, or what else a server is asked by its method. */
export type Used = Pick<Offer, 'name' | 'server' | 'tool' | 'known'> &
  Partial<Pick<Offer, 'definition' | 'digest'>>;

/** The call whose outcome it is: an earlier one where this one repeats it; none where it was refused before it was one. */
export interface Told {
  readonly call: CallId | undefined;
  readonly outcome: ToolOutcome | Refusal;
}

/** Classes that may be sent again without asking. */
const AGAIN: ReadonlySet<RetryClass> = new Set<RetryClass>(['pure', 'idempotent', 'keyed']);

export class Offered {
  readonly #gate: Gate;
  readonly tasks: TaskKeeper;
  /** Calls whose outcome is still to come, for repetitions that wait for it. */
  readonly #coming = new Map<string, Promise<ToolOutcome | Refusal>>();

  /** Those of them that their client named, from their arrival on, by agent and name. */
  readonly #named = new Map<string, { readonly call: string; readonly args: string }>();

  constructor(gate: Gate) {
    this.#gate = gate;
    this.tasks = new TaskKeeper(gate, {
      make: (row, id, input, begun) => this.#remake(row, id, input, begun),
      settled: (call) => this.#settled(call),
      again: (call) => this.#knownOf(call),
    });
  }

  async call(
    caller: KeyHolder,
    agent: Agent,
    found: Used,
    asked: UseRequest,
    signal: AbortSignal,
    again?: { readonly id: CallId; begun(flight: Flight<'tool.call'>): void },
  ): Promise<Told> {
    const { parts } = this.#gate;
    const wrong = await parts.arguments.check(found, asked.input);
    if (wrong) return { call: undefined, outcome: wrong };
    const { clock, random, uses } = parts;
    const id = again?.id ?? newCallId(clock.now(), random);
    const payload = payloadOf(found, asked.input, `mcp:${id}`, asked.request);
    const flight = this.#flight(id, agent, caller.keyId, payload, signal, asked.continues);
    const retry = retryOf(payload);
    flight.use = { name: asked.use, retry, tool: found.name };
    flight.outlives = retry !== 'pure' && (asked.use !== undefined || asked.outlives === true);
    const args = retry === 'pure' ? '' : parts.salts.commit(agent.owner, flight.digest);
    // Nothing may come between the look that finds nothing and the call's own place in the list.
    for (;;) {
      const repeated = retry === 'pure' ? undefined : this.#find(agent.pid, asked.use, args);
      if (!repeated) break;
      const outcome = await this.#repeat(repeated);
      if (!outcome) continue;
      if (repeated.kind !== 'other')
        parts.broker.absorbed({ call: repeated.call, agent: agent.pid }, found.name);
      return { call: repeated.call as CallId, outcome };
    }
    if (retry !== 'pure') signal.addEventListener('abort', () => uses.told(id, false), { once: true });
    const name = asked.use === undefined ? undefined : `${agent.pid}/${asked.use}`;
    if (name !== undefined) this.#named.set(name, { call: id, args });
    again?.begun(flight);
    const made = this.#come(id, () => this.#make(flight));
    const outcome = made.finally(() => name !== undefined && this.#named.delete(name));
    if (asked.deferred) {
      const { taskAfterMs = TOOL_LIMITS.taskAfterMs.value } = parts.servers.get(found.server)?.spec ?? {};
      const task = { flight, tool: found.name, input: asked.input, use: asked.use, outcome };
      this.tasks.watch(task, taskAfterMs, asked.deferred);
    }
    return { call: id, outcome: await outcome };
  }

  #find(agent: number, use: string | undefined, args: string): Repeated | undefined {
    const coming = use === undefined ? undefined : this.#named.get(`${agent}/${use}`);
    if (coming) return { kind: coming.args === args ? 'running' : 'other', call: coming.call };
    const { uses, clock } = this.#gate.parts;
    return uses.find(agent, use, args, clock.now());
  }

  /** After a start: what a crash left in doubt and need not stay so, one after the other. */
  async settleDoubts(): Promise<void> {
    for (const use of this.#gate.parts.uses.doubts()) {
      if (this.#coming.has(use.call)) continue;
      await this.#come(use.call, () => this.#again(use));
    }
  }

  /** A task of before a restart, by a call of its own. */
  async #remake(
    { agent: pid, tool, use }: TaskRow,
    id: CallId,
    input: JsonRecord,
    begun: (flight: Flight<'tool.call'>) => void,
  ): Promise<ToolOutcome | Refusal> {
    const { agents, servers } = this.#gate.parts;
    const agent = agents.get(pid);
    const found = await servers.find(tool);
    if ('code' in found) return found;
    if (!agent) return refusal('not_found', `The agent ${pid} of the task is gone.`);
    const { keyId, owner, name } = agent;
    const caller = { keyId: keyId ?? '', owner, pid, name };
    const asked = { input, use: use ?? undefined, outlives: true };
    return (await this.call(caller, agent, found, asked, new AbortController().signal, { id, begun }))
      .outcome;
  }

  async #knownOf(call: string): Promise<ToolOutcome | Refusal | undefined> {
    const state = this.#gate.parts.uses.get(call)?.state as Repeated['kind'] | undefined;
    return state && this.#repeat({ kind: state, call });
  }

  /** What became of a call that was in doubt; undefined where nobody has decided. */
  async #settled(call: string): Promise<ToolOutcome | Refusal | undefined> {
    const { uses } = this.#gate.parts;
    const state = uses.get(call)?.state;
    if (state === 'given_up') return givenUp(call);
    return state === 'done' ? uses.answer(call) : undefined;
  }

  /** A person's word on a call in doubt: `done` and `abandon` close it, `retry` makes it once more. */
  async resolve(call: string, as: 'done' | 'retry' | 'abandon'): Promise<ToolOutcome | Refusal> {
    const use = this.#gate.parts.uses.get(call);
    if (use?.state !== 'in_doubt' || this.#coming.has(call))
      return refusal('not_found', `The call ${call} is not in doubt.`, {
        remedy: 'mezz inbox lists those that are',
      });
    if (as === 'retry') return this.#come(call, () => this.#again(use, true));
    const outcome: ToolOutcome | undefined =
      as === 'done' ? said('An operator says that it took effect.') : undefined;
    await this.#close(use, as, outcome);
    return outcome ?? givenUp(call);
  }

  async #come(call: string, work: () => Promise<ToolOutcome | Refusal>): Promise<ToolOutcome | Refusal> {
    const coming = work();
    this.#coming.set(call, coming);
    return coming.finally(() => this.#coming.delete(call));
  }

  /** What a repetition is answered; undefined where what it repeats never came to be done. */
  async #repeat({ kind, call }: Repeated): Promise<ToolOutcome | Refusal | undefined> {
    if (kind === 'other')
      return refusal(
        'bad_request',
        `This use of the tool was named before, with other arguments (call ${call}).`,
        {
          remedy: 'a use of its own has a name of its own',
        },
      );
    const coming = this.#coming.get(call);
    if (coming) {
      const outcome = await coming;
      return 'code' in outcome && !this.#gate.parts.uses.get(call) ? undefined : outcome;
    }
    if (kind === 'given_up') return givenUp(call);
    const { uses } = this.#gate.parts;
    const use = uses.get(call);
    if (kind !== 'done') return use ? this.#come(call, () => this.#again(use)) : undefined;
    const notKept = `Call ${call} did this; its answer is not kept, and it is not done again.`;
    return (await uses.answer(call)) ?? refusal('stale', notKept);
  }

  /** Walks the call; in doubt, it is settled by its class where nobody has to be asked. */
  async #make(flight: Flight<'tool.call'>): Promise<ToolOutcome | Refusal> {
    const outcome = await this.#walk(flight);
    if (!isDoubt(outcome) || flight.killer.signal.aborted) return outcome;
    const { payload, id } = flight.call;
    const retry = flight.use?.retry ?? 'unsafe';
    if (retry === 'checkable') {
      const checked = await this.#check(flight.agent, flight.keyId, payload);
      const use = this.#gate.parts.uses.get(id);
      if (typeof checked === 'object' && use) await this.#close(use, 'check', checked);
      if (typeof checked === 'object') return checked;
      if (checked === 'not done') return this.#walk(flight);
    } else if (AGAIN.has(retry)) return this.#walk(flight);
    const ruled = await this.#byRule(id, payload);
    return ruled === 'again' ? this.#walk(flight) : (ruled ?? outcome);
  }

  async #walk(flight: Flight<'tool.call'>): Promise<ToolOutcome | Refusal> {
    const { parts } = this.#gate;
    const { payload } = flight.call;
    const spec = parts.servers.get(payload.server)?.spec;
    const cwd = spec?.cwd ?? '/';
    flight.effects = await parts.broker.effectsOf(payload, cwd);
    flight.places = placesOf(flight, spec);
    const held = parts.servers.get(payload.server)?.heldFrom?.(flight.agent.pid);
    if (held) return this.#heldBy(payload.server, held);
    const refused = this.#resting(flight) ?? parts.traffic.enter(payload.server);
    if (refused) return refused;
    const walked = await this.#gate.walk(flight);
    const outcome = walked.kind === 'refused' ? walked.refusal : walked.outcome;
    // What its own client or an operator ended says nothing of the server either.
    parts.traffic.left(payload.server, flight.killer.signal.aborted ? 'none' : signOf(outcome));
    return outcome;
  }

  /** A server that rests for longer than its caller would wait is not waited for. */
  #resting({ isTask, call }: Flight<'tool.call'>): Refusal | undefined {
    const { server } = call.payload;
    const restMs = this.#gate.parts.broker.rates.shutMs(callsAt(server));
    if (isTask || restMs <= TOOL_LIMITS.lockWaitMs.value) return undefined;
    return refusal('busy', `${server} has asked for no call for another ${Math.ceil(restMs / 1000)} s.`, {
      rule: 'tools:service-limit',
      retryAfterMs: restMs,
      remedy: 'do something else first',
    });
  }

  #heldBy(server: string, { agent, until }: Lease): Refusal {
    const { agents, clock } = this.#gate.parts;
    const name = agents.get(agent)?.name ?? 'Another agent';
    return refusal('busy', `${name} (${agent}) has ${server} to itself.`, {
      rule: `tools.${server}.lease`,
      retryAfterMs: Math.max(1000, until - clock.now()),
      remedy: 'do something else first, then try again',
    });
  }

  /**
   * What an operator has said for all such doubts: `again` makes it once more; undefined where a person is to be asked.
   */
  async #byRule(call: string, payload: ToolCall): Promise<ToolOutcome | Refusal | 'again' | undefined> {
    const { servers, uses } = this.#gate.parts;
    const rule = manifestOf(payload)?.doubt ?? servers.get(payload.server)?.spec.doubt ?? 'ask';
    const use = uses.get(call);
    if (rule === 'ask' || use?.state !== 'in_doubt') return undefined;
    if (rule === 'retry') return 'again';
    const outcome =
      rule === 'done' ? said(`It counts as done, by the rule of ${payload.server}.`) : undefined;
    await this.#close(use, 'rule', outcome);
    return outcome ?? givenUp(call);
  }

  /** A call of before, as its row and its stored body tell it. */
  async #again(use: Known, isAsked = false): Promise<ToolOutcome | Refusal> {
    const { parts } = this.#gate;
    const row = await parts.store.get(CALL, [use.call]);
    const agent = parts.agents.get(use.agent);
    const body = parseJson((await rebuildRequest(parts.store, use.call))?.toString('utf8') ?? '');
    const found = await parts.servers.find(use.tool);
    if ('code' in found) return isAsked ? found : inDoubt(use.call);
    if (!row || !agent || agent.hold !== 'none' || !isRecord(body) || !isRecord(body.input))
      return inDoubt(use.call);
    const payload = payloadOf(found, body.input, row.toolUseId ?? '');
    // As its manifest is now: an operator may have learned what a second sending does.
    const retry = retryOf(payload);
    const checked =
      retry === 'checkable' && !isAsked ? await this.#check(agent, agent.keyId ?? '', payload) : undefined;
    if (typeof checked === 'object') {
      await this.#close(use, 'check', checked);
      return checked;
    }
    if (!isAsked && !AGAIN.has(retry) && checked !== 'not done') {
      const ruled = await this.#byRule(use.call, payload);
      if (ruled !== 'again') return ruled ?? inDoubt(use.call);
    }
    return this.#walk(this.#revived(row, agent, payload, use));
  }

  #revived(row: CallRow, agent: Agent, payload: ToolCall, use: Known): Flight<'tool.call'> {
    const flight = this.#flight(row.id as CallId, agent, agent.keyId ?? '', payload, undefined);
    flight.row = row;
    flight.attempt = row.attempt;
    flight.use = { name: use.use ?? undefined, retry: use.retry as RetryClass, tool: use.tool };
    return flight;
  }

  /** Asks the server whether a call took effect: its answer if so; undefined where it cannot say. */
  async #check(
    agent: Agent,
    keyId: string,
    payload: ToolCall,
  ): Promise<ToolOutcome | 'not done' | undefined> {
    const check = checkOf(payload);
    if (!check) return undefined;
    const { parts } = this.#gate;
    const id = newCallId(parts.clock.now(), parts.random);
    const { tool, input, done } = check;
    const found = await parts.servers.find(`${payload.server}__${tool}`);
    if ('code' in found) return undefined;
    const question = payloadOf(found, input, `mcp:${id}`);
    const outcome = await this.#walk(this.#flight(id, agent, keyId, question, undefined));
    if ('code' in outcome || outcome.kind !== 'called' || outcome.isError) return undefined;
    return JSON.stringify(outcome.result).includes(JSON.stringify(done).slice(1, -1))
      ? said(`It took effect, as ${tool} says.`)
      : 'not done';
  }

  /** The outcome of a call in doubt became known, or nobody wants it any more. */
  async #close(
    use: Known,
    resolved: NonNullable<CallEnd['resolved']>,
    outcome: ToolOutcome | undefined,
  ): Promise<void> {
    const { parts } = this.#gate;
    const row = await parts.store.get(CALL, [use.call]);
    const code = outcome ? 'ok' : 'cancelled';
    const now = parts.clock.now();
    const entry = endEntry(now, {
      call: use.call,
      agent: use.agent,
      code,
      ...NO_ANSWER,
      waitedMs: 0,
      resolved,
    });
    const ended = applyEntry(row, entry);
    const left = outcome
      ? parts.uses.ended(use.call, outcome, parts.settings.bodies === 'keep')
      : { puts: parts.uses.givenUp(use.call), deletes: [] };
    await parts.journal.append({
      entries: [entry],
      puts: [...(ended ? [callPut(ended)] : []), ...left.puts],
      deletes: left.deletes,
    });
  }

  #flight(
    id: CallId,
    agent: Agent,
    keyId: string,
    payload: ToolCall,
    signal: AbortSignal | undefined,
    continues?: CallId,
  ): Flight<'tool.call'> {
    const { parts } = this.#gate;
    const call = { id, kind: 'tool.call', agent: agent.pid, arrivedAt: parts.clock.now(), payload } as const;
    return new Flight<'tool.call'>({
      call: continues === undefined ? call : { ...call, continues },
      chain: parts.agents.chain(agent),
      keyId,
      login: undefined,
      signal,
    });
  }
}

const payloadOf = (
  { server, tool, known }: Used,
  input: JsonRecord,
  toolUseId: string,
  request?: ServerRequest,
): ToolCall => ({
  ...{ server, tool, input, toolUseId, how: 'brokered' },
  ...(known.manifest ? { manifest: known.manifest } : {}),
  ...(request ? { request } : {}),
});

function placesOf(
  { agent, call }: Flight<'tool.call'>,
  { calls = TOOL_LIMITS.callsPerServer.value, perMinute }: Partial<ToolServerSpec> = {},
): Place[] {
  const rate = perMinute === undefined ? {} : { perMinute };
  return [
    { name: callsAt(call.payload.server), size: calls, ...rate },
    { name: `agent:${agent.pid}`, size: TOOL_LIMITS.callsPerAgent.value },
  ];
}

/** What an outcome says of the server: a refusal of the gate's says nothing. */
function signOf(outcome: ToolOutcome | Refusal): Sign {
  if (!('code' in outcome) || outcome.code === 'failed') return 'answered';
  return outcome.code === 'in_doubt' || outcome.code === 'unreachable' ? 'failed' : 'none';
}

const isDoubt = (outcome: ToolOutcome | Refusal): boolean => 'code' in outcome && outcome.code === 'in_doubt';

const said = (text: string): ToolOutcome => ({
  kind: 'called',
  result: { content: [{ type: 'text', text }] },
  isError: false,
});

export const inDoubt = (call: string): Refusal =>
  refusal(
    'in_doubt',
    `Call ${call} asked for the same and was cut: it may or may not have taken effect. Nothing was done now.`,
    {
      remedy: `look what is there; a person decides with mezz tool resolve ${call} --done, --retry or --abandon`,
    },
  );

const givenUp = (call: string): Refusal =>
  refusal('cancelled', `An operator gave up call ${call}, which asked for the same: nothing is done.`);

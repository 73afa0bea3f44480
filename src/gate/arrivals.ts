/** The kernel as the door sees it: finds the agent, recognises the turn, sends the call through the gate. */

import { type Login, readLogin } from '../access/credentials.ts';
import { isHeld } from '../agents/coverage.ts';
import { readIdentity } from '../agents/identity.ts';
import { type KeyHolder, type Resolved, resolveAgent } from '../agents/resolve.ts';
import { type Agent, agentPut } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { type CallId, newCallId, newTurnId, type TurnId } from '../base/ids.ts';
import { isRecord, type JsonRecord } from '../base/json.ts';
import type { ServerMethod } from '../base/mcp.ts';
import type { ModelCall } from '../base/model.ts';
import { readOnce } from '../base/once.ts';
import type { ServerRequest } from '../base/ports.ts';
import { Recent } from '../base/recent.ts';
import type { Outcomes, Payloads, SyscallKind, ToolCall } from '../base/syscall.ts';
import { OBJECT } from '../db/schema/agents.ts';
import type { Batch } from '../db/store.ts';
import type { ChainLink } from '../journal/chain.ts';
import type { EntryDraft } from '../journal/journal.ts';
import { findFor } from '../tools/view.ts';
import { DIALECTS } from '../wire/registry.ts';
import { AskedAbout } from './askedabout.ts';
import { Flight } from './flight.ts';
import type { Gate } from './gate.ts';
import { CAN_HOLD, Held, heldCall } from './held.ts';
import { LIMITS } from './limits.ts';
import { movedOn } from './locking.ts';
import { type Asked, Offered, type Told, type Used, type UseRequest } from './offered.ts';
import { toolEnded } from './outcomes.ts';
import { clientOf } from './sight.ts';
import { toolDigest } from './syscalls.ts';
import { Withheld } from './withheld.ts';

type Puts = NonNullable<Batch['puts']>;
type ModelKind = Exclude<SyscallKind, 'tool.call'>;

export type ModelWalk =
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly call: CallId | undefined }
  | { readonly kind: 'done'; readonly outcome: Outcomes['model.generate']; readonly call: CallId };

export class Arrivals {
  readonly #gate: Gate;
  readonly #held: Held;
  readonly offered: Offered;
  /** Hooked uses that were let go, by agent and the client's id: a hook whose answer was lost asks once more. */
  readonly #hooked = new Recent<string, { readonly digest: string; readonly epoch: number }>(
    LIMITS.heldMemo.value,
  );
  readonly #asked = new AskedAbout();
  readonly #login: (headers: readonly string[]) => Login | undefined;

  /** `loginSalt` names the accounts of clients' own logins; kept with the installation. */
  constructor(gate: Gate, loginSalt: Uint8Array) {
    this.#gate = gate;
    this.#held = new Held(gate);
    this.offered = new Offered(gate);
    this.#login = readOnce((headers) => readLogin(headers, loginSalt));
  }

  async model(
    caller: KeyHolder,
    kind: ModelKind,
    call: ModelCall,
    accepted: (id: CallId) => void,
  ): Promise<ModelWalk> {
    const { parts } = this.#gate;
    const now = parts.clock.now();
    const identity = readIdentity(call.headers);
    const resolved = resolveAgent(parts.agents, caller, identity, call.headers, now);
    if ('code' in resolved) {
      parts.observer.refusedAtDoor(resolved.code);
      return { kind: 'refused', refusal: resolved, call: undefined };
    }
    const { agent } = resolved;
    const id = newCallId(now, parts.random);
    accepted(id);
    const links = parts.context.links(
      call.dialect,
      DIALECTS[call.dialect].canonicalMessage,
      call.decoded,
      call.facts,
    );
    const turn = kind === 'model.generate' ? this.#turn(agent, links, call.facts.lastIsUser) : undefined;
    const holds = CAN_HOLD.has(kind) && isHeld(parts.agents.chain(agent), parts.settings.holdAll);
    const withheld = holds ? new Withheld() : undefined;
    const payload = withheld ? heldCall(call, withheld) : call;
    const flight = this.#flight(id, kind, agent, payload, caller, {
      turn,
      deadlineAt: identity.timeoutMs === undefined ? undefined : now + identity.timeoutMs,
      signal: call.signal,
    });
    flight.links = links;
    // What the client did with tool calls it was given before: their results came with this request.
    const { toolResults } = call.facts;
    const awaited = toolResults.filter(({ id: use }) => parts.coverage.isAwaited(agent.pid, use));
    this.#announce(resolved, parts.coverage.closed(agent, toolResults));
    for (const { id: use, isError } of awaited) await toolEnded(parts, [agent.pid], use, isError);
    // The client has gone on: what it does not tell has ended too.
    if (toolResults.length > 0 && !call.facts.lastIsUser) await movedOn(parts, agent.pid);
    flight.barred = await this.#findObjects(flight as unknown as Flight, call);
    if (!withheld) return this.#gate.walk(flight);
    return this.#gate.span(() => this.#held.walk(flight, withheld, call.sink));
  }

  #turn(agent: Agent, links: readonly ChainLink[], lastIsUser: boolean): TurnId {
    const { parts } = this.#gate;
    const canonical = links.map((link) => link.canonical);
    const turn = parts.turns.recognise({ agent: agent.pid, canonical, lastIsUser }, () =>
      newTurnId(parts.clock.now(), parts.random),
    );
    if (turn.isNew) agent.turns++;
    return turn.id;
  }

  #flight<K extends SyscallKind>(
    id: CallId,
    kind: K,
    agent: Agent,
    payload: Payloads[K],
    caller: KeyHolder,
    more: { turn?: TurnId | undefined; deadlineAt?: number | undefined; signal: AbortSignal },
  ): Flight<K> {
    const { parts } = this.#gate;
    return new Flight<K>({
      call: {
        id,
        kind,
        agent: agent.pid,
        ...(more.turn !== undefined ? { turn: more.turn } : {}),
        ...(more.deadlineAt !== undefined ? { deadlineAt: more.deadlineAt } : {}),
        arrivedAt: parts.clock.now(),
        payload,
      },
      chain: parts.agents.chain(agent),
      keyId: caller.keyId,
      login: 'headers' in payload ? this.#login(payload.headers) : undefined,
      signal: more.signal,
    });
  }

  /**
   * What a request made known is written at once and not waited for: the journal keeps the order, so no entry and no
   * child of a sub-agent is ever on the disk before the sub-agent itself.
   */
  #announce({ opened, named }: Resolved, results: Puts): void {
    const puts = [...opened, ...named].map(agentPut);
    if (puts.length + results.length === 0) return;
    // A store that fails here has stopped the kernel: the call's own entry fails too, and says so.
    this.#gate.parts.journal
      .append({ entries: opened.map(openEntry), puts: [...puts, ...results], canWait: true })
      .catch(() => {});
  }

  /** Objects that live upstream may be named only by the agent that made them, or by its own parents and children. */
  async #findObjects(flight: Flight, call: ModelCall): Promise<Refusal | undefined> {
    const { parts } = this.#gate;
    for (const id of call.facts.objects) {
      const row = await parts.store.get(OBJECT, [id]);
      const maker = row && parts.agents.get(row.agent);
      const family = maker && rootOf(parts.agents.chain(maker)) === rootOf(flight.chain);
      if (!family) {
        return refusal('foreign_object', `The object ${id} was not created by ${flight.agent.name}.`, {
          remedy: 'use an object that this agent created through mezz',
        });
      }
      flight.objectBackend = row.backend;
    }
    return undefined;
  }

  /** A client's hook asks before one of its own tools runs. */
  async tool(
    caller: KeyHolder,
    call: Payloads['tool.call'],
    session: string | undefined,
    sub: string | undefined,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    const { parts } = this.#gate;
    const now = parts.clock.now();
    const identity = {
      client: call.server,
      retries: 0,
      ...(session !== undefined ? { session } : {}),
      ...(sub !== undefined ? { sub } : {}),
    };
    const resolved = resolveAgent(parts.agents, caller, identity, [], now);
    if ('code' in resolved) {
      parts.observer.refusedAtDoor(resolved.code);
      return resolved;
    }
    const { agent } = resolved;
    agent.level = 'hooked';
    if (this.#held.isPermitted(agent.pid, call)) return undefined;
    const before = this.#letGo(agent.pid, call);
    if (before !== undefined) {
      parts.broker.absorbed({ call: before, agent: agent.pid }, call.tool);
      return undefined;
    }
    const turn = parts.coverage.turnOf(agent.pid, call.toolUseId);
    const more = { signal, turn };
    const flight = this.#flight(newCallId(now, parts.random), 'tool.call', agent, call, caller, more);
    this.#announce(resolved, []);
    flight.effects = await parts.broker.effectsOf(call, agent.cwd);
    const walked = await this.#gate.walk(flight);
    if (walked.kind === 'refused') return walked.refusal;
    this.#asked.note(caller.keyId, call, flight.call.id);
    const { digest } = flight;
    if (!call.isUnnamed)
      this.#hooked.set(`${agent.pid}/${call.toolUseId}`, { digest, epoch: parts.epochs.value });
    return undefined;
  }

  /** The call that let exactly this use of a tool go, which has not ended, if nothing that decides has changed since. */
  #letGo(pid: number, call: ToolCall): string | undefined {
    const { coverage, epochs } = this.#gate.parts;
    const known = this.#hooked.get(`${pid}/${call.toolUseId}`);
    const isSame = known?.epoch === epochs.value && known.digest === toolDigest(call);
    return isSame && coverage.isAwaited(pid, call.toolUseId)
      ? coverage.decidedBy(pid, call.toolUseId)
      : undefined;
  }

  /** An agent calls a tool that mezz offers: mezz makes the call itself. */
  async tooled(caller: KeyHolder, asked: Asked, signal: AbortSignal): Promise<Told> {
    const found = await this.#gate.parts.servers.find(asked.name);
    return 'code' in found ? { call: undefined, outcome: found } : this.#use(caller, found, asked, signal);
  }

  /** An agent asks something of a tool server by MCP; `only`: the one server its client sees. */
  async requested(
    caller: KeyHolder,
    only: string | undefined,
    request: ServerRequest,
    asked: Pick<Asked, 'use' | 'outlives' | 'deferred'>,
    signal: AbortSignal,
  ): Promise<Told> {
    const { method, asking } = request;
    const found = await findFor(this.#gate.parts.servers, only, method, request.params);
    if ('code' in found) return { call: undefined, outcome: found };
    const changed = this.#gate.parts.shown.changed(clientOf(caller, only), found);
    if (changed) return { call: undefined, outcome: changed };
    const { params } = found;
    const input = inputOf(method, params);
    return this.#use(caller, found, { ...asked, input, request: { method, params, asking } }, signal);
  }

  async #use(caller: KeyHolder, found: Used, asked: UseRequest, signal: AbortSignal): Promise<Told> {
    const { parts } = this.#gate;
    const resolved = resolveAgent(parts.agents, caller, { client: 'mcp', retries: 0 }, [], parts.clock.now());
    if ('code' in resolved) {
      parts.observer.refusedAtDoor(resolved.code);
      return { call: undefined, outcome: resolved };
    }
    this.#announce(resolved, []);
    const continues = this.#asked.take(caller.keyId, found.name, asked.input, asked.use);
    return this.offered.call(caller, resolved.agent, found, { ...asked, continues }, signal);
  }

  /** The agent a key's hook speaks for, without opening one. */
  agentOf(caller: KeyHolder): Agent | undefined {
    return caller.pid === null ? undefined : this.#gate.parts.agents.get(caller.pid);
  }
}

/** What the tool, or the policies, take for arguments. */
function inputOf(method: ServerMethod, params: JsonRecord): JsonRecord {
  if (method === 'tools/call') return isRecord(params.arguments) ? params.arguments : {};
  const { arguments: _args, ...rest } = params;
  return rest;
}

const rootOf = (chain: readonly Agent[]): Agent | undefined => chain.at(-1);

export const openEntry = (agent: Agent): EntryDraft => ({
  kind: 'agent.open',
  agent: agent.pid,
  body: {
    name: agent.name,
    parent: agent.parent,
    owner: agent.owner,
    client: agent.client.slice(0, 64),
    key: agent.keyId,
  },
});

/**
 * The processes of one tool server: one for all agents, one for each, or one that an agent has to itself for a while.
 * They start when they are first needed, stop when nobody needs them, and start again after a pause that grows.
 * Invariant: a call runs in the process of its own scope and in no other, and a lease that has ended has none.
 */
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { canonicalJson, type JsonRecord } from '../../base/json.ts';
import type { InstanceMode } from '../../base/manifest.ts';
import type {
  Described,
  Lease,
  ServerChange,
  ServerRequest,
  ToolAnswer,
  ToolInstance,
  ToolServer,
  ToolServerSpec,
} from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import type { Guard } from '../guard.ts';
import { LIMITS } from '../limits.ts';
import { StdioToolServer } from './stdio.ts';

interface Instance {
  readonly server: StdioToolServer;
  /** Whose it is; 0: everybody's, or nobody's yet. */
  agent: number;
  /** Grows with every process of this server: what one lease began, another's process never ends. */
  readonly fence: number;
  busy: number;
  /** It ends as soon as no call runs in it. */
  isReleased: boolean;
  stopTimer: () => void;
}

export class Instances implements ToolServer {
  readonly spec: ToolServerSpec;
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #modeOf: (spec: ToolServerSpec, described: Described) => InstanceMode;
  readonly #listeners = new Set<(change: ServerChange) => void>();
  readonly #instances = new Set<Instance>();
  #mode: InstanceMode = 'shared';
  #described: Promise<Described | Refusal> | undefined;
  #lease: Lease | undefined;
  #fence = 0;
  #said = '';
  /** Processes in a row that ended by themselves without having answered a call. */
  #deaths = 0;
  #pausedUntil = 0;

  constructor(
    spec: ToolServerSpec,
    clock: Clock,
    guard: Guard,
    modeOf: (spec: ToolServerSpec, described: Described) => InstanceMode,
  ) {
    this.spec = spec;
    this.#clock = clock;
    this.#guard = guard;
    this.#modeOf = modeOf;
  }

  get osPid(): number | undefined {
    return [...this.#instances].map(({ server }) => server.osPid).find((pid) => pid !== undefined);
  }

  get said(): string {
    return [...this.#instances].map(({ server }) => server.said).join('') || this.#said;
  }

  get mode(): InstanceMode {
    return this.#mode;
  }

  /** As the process said that was asked last; one is started only where none was ever asked. */
  describe(): Promise<Described | Refusal> {
    const asked = this.#described ?? this.#ask();
    this.#described = asked;
    return asked;
  }

  call(
    ticket: Ticket,
    tool: string,
    input: JsonRecord,
    signal: AbortSignal,
    request?: ServerRequest,
  ): Promise<ToolAnswer> {
    return this.#run(ticket, (server) => server.call(ticket, tool, input, signal, request));
  }

  ask(ticket: Ticket, request: ServerRequest, signal: AbortSignal): Promise<ToolAnswer> {
    return this.#run(ticket, (server) => server.ask(ticket, request, signal));
  }

  unwatch(uri: string): void {
    for (const { server } of this.#instances) server.unwatch(uri);
  }

  onChange(listener: (change: ServerChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Another agent that has the server to itself just now. */
  heldFrom(agent: number): Lease | undefined {
    if (this.#mode !== 'leased' || !this.#lease || this.#lease.agent === agent) return undefined;
    const isBusy = [...this.#instances].some((one) => one.agent === this.#lease?.agent && one.busy > 0);
    return isBusy || this.#lease.until > this.#clock.now() ? this.#lease : undefined;
  }

  /** The agent is gone, or stands still: what is its alone ends after the call that runs, or what is leased to it. */
  release(agent: number, isGone: boolean): void {
    if (this.#lease?.agent === agent) this.#lease = undefined;
    if (!isGone && this.#mode !== 'leased') return;
    for (const one of this.#instances) if (one.agent === agent) this.#drop(one);
  }

  instances(): ToolInstance[] {
    return [...this.#instances].map(({ server, agent, fence, busy }) => ({
      ...{ agent, fence, calls: busy, osPid: server.osPid ?? null },
      leasedUntil: this.#lease && this.#lease.agent === agent ? this.#lease.until : null,
    }));
  }

  async close(): Promise<void> {
    const all = [...this.#instances];
    for (const one of all) one.stopTimer();
    this.#instances.clear();
    await Promise.all(all.map(({ server }) => server.close()));
  }

  async #ask(): Promise<Described | Refusal> {
    const paused = this.#paused();
    if (paused) {
      this.#described = undefined;
      return paused;
    }
    const one = [...this.#instances][0] ?? this.#start(0);
    const described = await one.server.describe();
    if ('code' in described) {
      this.#described = undefined;
      // One that runs and says nothing is as good as one that ended.
      if (one.server.osPid !== undefined) this.#died(one);
      this.#drop(one);
    } else {
      this.#mode = this.#modeOf(this.spec, described);
      this.#rest(one);
    }
    return described;
  }

  async #run(ticket: Ticket, work: (server: StdioToolServer) => Promise<ToolAnswer>): Promise<ToolAnswer> {
    const known = await this.describe();
    if ('code' in known) return { kind: 'broken', refusal: known };
    const one = this.#enter(ticket.agent);
    if ('code' in one) return { kind: 'broken', refusal: one };
    one.busy++;
    one.stopTimer();
    try {
      const described = await one.server.describe();
      if ('code' in described) return { kind: 'broken', refusal: described };
      // Whoever was let in was let in by what another process said.
      if (described !== known && canonicalJson(toolsOf(described)) !== canonicalJson(toolsOf(known))) {
        this.#described = Promise.resolve(described);
        return { kind: 'broken', refusal: this.#changed() };
      }
      const answer = await work(one.server);
      if (answer.kind === 'called') this.#deaths = 0;
      return answer;
    } finally {
      one.busy--;
      if (this.#lease?.agent === one.agent)
        this.#lease = { ...this.#lease, until: this.#clock.now() + this.#leaseMs };
      if (one.isReleased) this.#drop(one);
      else this.#rest(one);
    }
  }

  /** The instance of a call's scope. */
  #enter(agent: number): Instance | Refusal {
    const paused = this.#paused();
    if (paused) return paused;
    const scope = this.#mode === 'shared' ? 0 : agent;
    if (this.#mode === 'leased') {
      const held = this.heldFrom(agent);
      if (held) return heldByAnother(this.spec.id, held, this.#clock.now());
      if (this.#lease?.agent !== agent) this.#newLease(agent);
    }
    const all = [...this.#instances].filter(({ isReleased }) => !isReleased);
    // The one that was started to say what it offers belongs to whoever comes first.
    const found = all.find((one) => one.agent === scope) ?? all.find((one) => one.agent === 0);
    if (!found) return this.#start(scope);
    found.agent = scope;
    return found;
  }

  #newLease(agent: number): void {
    const before = this.#lease?.agent;
    this.#lease = { agent, until: this.#clock.now() + this.#leaseMs };
    for (const one of this.#instances) if (before !== undefined && one.agent === before) this.#drop(one);
  }

  #start(agent: number): Instance {
    const server = new StdioToolServer(this.spec, this.#clock, this.#guard, () => this.#died(one));
    const one: Instance = {
      ...{ server, agent, fence: ++this.#fence, busy: 0, isReleased: false },
      stopTimer: () => {},
    };
    server.onChange((change) => {
      if (change.kind !== 'updated') this.#described = undefined;
      for (const listener of this.#listeners) listener(change);
    });
    this.#instances.add(one);
    return one;
  }

  /** A process ended by itself. The next one starts at once, those after it later and later. */
  #died(one: Instance): void {
    this.#deaths++;
    this.#said = one.server.said;
    if (this.#deaths > 1)
      this.#pausedUntil =
        this.#clock.now() +
        Math.min(LIMITS.toolFirstPauseMs.value * 2 ** (this.#deaths - 2), LIMITS.toolLongestPauseMs.value);
  }

  #paused(): Refusal | undefined {
    const waitMs = this.#pausedUntil - this.#clock.now();
    if (waitMs <= 0) return undefined;
    return refusal(
      'unreachable',
      `The tool server ${this.spec.id} ended, or said nothing, ${this.#deaths} times in a row.`,
      {
        retryAfterMs: waitMs,
        remedy: `look why: mezz tool logs ${this.spec.id}`,
      },
    );
  }

  #changed(): Refusal {
    return refusal(
      'stale',
      `The tool server ${this.spec.id} was started again and offers something else now.`,
      {
        remedy: 'list its tools again',
      },
    );
  }

  /** Nothing runs in it: it ends after a while, and a lease with it. */
  #rest(one: Instance): void {
    one.stopTimer();
    if (one.busy > 0) return;
    const isLeased = this.#lease !== undefined && this.#lease.agent === one.agent;
    const waitMs = isLeased ? this.#leaseMs : (this.spec.idleMs ?? LIMITS.toolIdleMs.value);
    one.stopTimer = this.#clock.after(waitMs, () => {
      if (one.server.isWatched) return this.#rest(one);
      if (isLeased && this.#lease?.agent === one.agent) this.#lease = undefined;
      this.#drop(one);
    });
  }

  /** Ends an instance, when the calls that run in it have ended. */
  #drop(one: Instance): void {
    one.isReleased = true;
    if (one.busy > 0) return;
    one.stopTimer();
    this.#said = one.server.said || this.#said;
    this.#instances.delete(one);
    void one.server.close();
  }

  get #leaseMs(): number {
    return this.spec.leaseMs ?? LIMITS.toolLeaseMs.value;
  }
}

const toolsOf = ({ tools }: Described): JsonRecord => ({ tools: [...tools] });

export const heldByAnother = (server: string, { agent, until }: Lease, now: number): Refusal =>
  refusal('busy', `Agent ${agent} has ${server} to itself.`, {
    rule: 'limit:drivers.toolLeaseMs',
    retryAfterMs: Math.max(1000, until - now),
    remedy: 'do something else first, then try again',
  });

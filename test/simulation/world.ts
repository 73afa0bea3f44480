/**
 * The world around the kernel: its disk, its clients and operators, and the moments at which it dies. All that happens
 * is drawn from the seed; the oracle watches what crosses the kernel's edges.
 */
import { type Faults, MemoryStore } from '../../src/db/memory/store.ts';
import { CALL } from '../../src/db/schema/journal.ts';
import type { Batch } from '../../src/db/store.ts';
import type { Parts } from '../../src/gate/parts.ts';
import { fifo } from '../../src/scheduler/policies/fifo.ts';
import { priority } from '../../src/scheduler/policies/priority.ts';
import { Draws } from './draws.ts';
import { Life, LOOP } from './life.ts';
import { drawSlots, type Slots } from './market.ts';
import { Oracle } from './oracle.ts';
import { type ModelRequest, type Request, SERVER, type ToolRequest } from './requests.ts';
import type { Sabotage } from './sabotage.ts';
import { LifeStore } from './store.ts';
import { LifeClock, Line, settle } from './time.ts';
import { type Performance, SimBackend } from './upstream.ts';
import { Views, type Write } from './views.ts';

/** A point inside the kernel at which it can die. */
export const DEATHS = ['start', 'end', 'refuse', 'ask', 'perform', 'told'] as const;
export type Death = (typeof DEATHS)[number];

export interface Key {
  readonly secret: string;
  readonly pid: number;
  keyId: string;
}

/** A request on its way; the client may leave. */
export interface Sent {
  readonly request: Request;
  readonly leave: AbortController;
  call: string | undefined;
}

export class World {
  readonly draws: Draws;
  readonly line = new Line();
  readonly views = new Views();
  readonly oracle: Oracle;
  readonly log: string[] = [];
  readonly keys: Key[] = [];
  readonly sent = new Set<Sent>();
  /** What clients had on the way when the kernel died. */
  readonly lost: Request[] = [];
  /** What was answered lately. */
  readonly done: Request[] = [];
  readonly objects: string[] = [];
  /** Tools that were let go and whose client still has to tell how it went. */
  readonly released: ToolRequest[] = [];
  /** Operators that wait for an answer. */
  operating = 0;
  slots: Slots;
  life: Life | undefined;
  /** Where the kernel dies next. */
  death: Death | undefined;
  crashes = 0;
  /** The next batches the disk refuses, for good. */
  diskFails = false;
  isDraining = false;
  readonly #requests = new Map<string, Request>();
  readonly #uses = new Map<string, ToolRequest>();
  readonly #sabotage: Sabotage | undefined;
  #disk: MemoryStore;
  #current: { clock: LifeClock; store: LifeStore } | undefined;
  #skewMs = 0;
  #slowMs = 0;

  constructor(seed: number, sabotage?: Sabotage) {
    this.draws = new Draws(seed);
    this.#sabotage = sabotage;
    this.slots = drawSlots(this.draws);
    this.#disk = new MemoryStore(this.#faults());
    this.oracle = new Oracle(this.views, LOOP, (call, toolUseId) =>
      toolUseId === null ? this.#requests.get(call) : this.#uses.get(toolUseId),
    );
    this.oracle.slots = this.slots;
  }

  note(text: string): void {
    this.log.push(`${String(this.line.clock.now() % 100_000_000).padStart(8)} ${text}`);
  }

  get isUp(): boolean {
    return this.life !== undefined;
  }

  // --- lives

  /** Starts a kernel on what is on the disk. */
  boot(): void {
    if (this.#current) return;
    this.note('boot');
    const { draws, line, views, oracle } = this;
    this.#slowMs = draws.chance(25) ? 30 : 3;
    const inner = this.#disk;
    const clock = new LifeClock(line, this.#skewMs);
    const store = new LifeStore({
      inner,
      line,
      views,
      delays: { ackMs: () => this.#delay(2), readMs: () => this.#delay(2) },
      observer: { queued: (write) => this.#queued(write), told: (write) => this.#told(write) },
      acksEarly: this.#sabotage?.acksEarly ?? false,
    });
    const current = { clock, store };
    this.#current = current;
    const opening = Life.open({
      clock,
      store,
      random: draws.random,
      slots: this.slots,
      policy: draws.chance(50) ? fifo : priority,
      newBackend: (spec) =>
        new SimBackend(spec, clock, draws, {
          // What was told of its START in the instant of the death sends nothing any more.
          performs: (performance) => (this.#current === current ? this.#performs(performance) : undefined),
        }),
      sabotage: (parts: Parts) => this.#sabotage?.breaks?.(parts),
      recovers: this.#sabotage?.recovers ?? true,
    });
    opening.then(
      (life) => {
        if (this.#current !== current) return;
        this.life = life;
        this.note('up');
        oracle.recovered();
      },
      (error: unknown) => {
        if (this.#current === current && !oracle.storeFailed)
          oracle.report('boots', `the kernel cannot start: ${String(error)}`);
      },
    );
  }

  #faults(): Faults {
    return {
      beforeCommit: async () => {
        await this.line.pause(this.#delay(this.#slowMs));
        if (!this.diskFails) return;
        this.diskFails = false;
        throw new Error('the disk is full');
      },
      committed: (batch: Batch) => this.views.reach(batch),
      onFatal: () => {
        this.note('the disk failed');
        this.oracle.storeFailed = true;
        const dying = this.#current;
        this.line.clock.after(this.draws.int(0, 30), () => {
          if (this.#current === dying) this.crash('after its disk failed');
        });
      },
    };
  }

  #delay(mostMs: number): number {
    return this.draws.chance(30) ? 0 : this.draws.int(0, mostMs);
  }

  crash(why: string): void {
    const current = this.#current;
    if (!current) return;
    this.note(`the kernel dies ${why}`);
    this.crashes++;
    current.clock.die();
    current.store.die();
    this.#current = undefined;
    this.life = undefined;
    this.death = undefined;
    this.diskFails = false;
    this.isDraining = false;
    this.operating = 0;
    for (const { request } of this.sent) this.lost.push(request);
    this.sent.clear();
    // Whatever is still on its way to the disk never gets there.
    this.#disk = this.#disk.crash(this.#faults());
    this.oracle.crashed();
  }

  setClock(byMs: number): void {
    this.#skewMs += byMs;
    if (this.#current) this.#current.clock.skewMs = this.#skewMs;
  }

  // --- what crosses the kernel's edges

  #queued(write: Write): void {
    for (const { kind, call, agent, body } of write.entries)
      this.note(
        `  ${kind} ${call ?? body.approval ?? ''} of ${agent} ${body.code ?? body.state ?? body.backend ?? ''}`,
      );
    this.oracle.queued(write);
    const kinds = write.entries.map(({ kind }) => kind);
    for (const [death, kind] of [
      ['start', 'call.start'],
      ['end', 'call.end'],
      ['refuse', 'call.refuse'],
      ['ask', 'approval.open'],
    ] as const)
      if (kinds.includes(kind)) this.#dieAt(death);
  }

  #told(write: Write): void {
    this.oracle.told(write);
    if (write.entries.length > 0) this.#dieAt('told');
  }

  #performs(performance: Performance): ModelRequest | undefined {
    this.note(`  performs ${performance.ticket.call} at ${performance.ticket.backend}`);
    const request = this.oracle.performs(performance);
    this.#dieAt('perform');
    return request;
  }

  /** Dies at this point, or a little later: the code that runs here is let go on to its next wait. */
  #dieAt(death: Death): void {
    if (this.death !== death) return;
    this.crash(`at ${death}`);
  }

  // --- clients

  send(request: Request): void {
    const { life } = this;
    const key = this.keys[request.key];
    if (!life || !key) return;
    const caller = life.door.identify(key.secret);
    if (!caller) return this.note(`401 for the key of ${key.pid}`);
    const sent: Sent = { request, leave: new AbortController(), call: undefined };
    this.sent.add(sent);
    const gone =
      request.kind === 'tool.call'
        ? this.#sendTool(life, caller, request, sent)
        : this.#sendModel(life, caller, request, sent);
    gone
      .catch((error: unknown) => this.oracle.report('no-bug', `${sent.call}: ${(error as Error).stack}`))
      .finally(() => {
        this.sent.delete(sent);
        this.done.unshift(request);
        this.done.length = Math.min(this.done.length, 6);
      });
  }

  async #sendModel(
    life: Life,
    caller: NonNullable<ReturnType<Life['door']['identify']>>,
    request: ModelRequest,
    sent: Sent,
  ): Promise<void> {
    const { kind, dialect, headers, body, facts } = request;
    const sink = {
      transformed: () => {},
      waits: () => {},
      head: () => {},
      write: () => true,
      drained: async () => {},
    };
    const path = kind === 'model.count' ? '/count' : '/messages';
    const call = {
      dialect,
      method: 'POST',
      path,
      headers,
      body,
      decoded: body,
      facts,
      sink,
      signal: sent.leave.signal,
    };
    const walk = await life.door.model(caller, kind, call, (id) => {
      sent.call = id;
      this.#requests.set(id, request);
      this.note(`  ${id} is ${kind} ${request.model} of key ${request.key}`);
    });
    if (this.life !== life) return;
    this.note(`  ${walk.call} answers ${walk.kind === 'refused' ? walk.refusal.code : walk.outcome.kind}`);
    if (walk.call === undefined) return;
    this.oracle.answered(walk.call, walk.kind === 'refused' ? walk.refusal.code : 'done');
    if (walk.kind === 'done') this.objects.push(...walk.outcome.facts.objects);
  }

  async #sendTool(
    life: Life,
    caller: NonNullable<ReturnType<Life['door']['identify']>>,
    request: ToolRequest,
    sent: Sent,
  ): Promise<void> {
    const { tool, input, toolUseId, sub } = request;
    this.#uses.set(toolUseId, request);
    this.note(`  ${toolUseId} is ${tool} ${input.n} of key ${request.key}`);
    const event = {
      client: SERVER,
      event: 'before' as const,
      session: undefined,
      sub,
      tool,
      toolUseId,
      input,
      cwd: undefined,
      isError: false,
      isUnnamed: false,
    };
    const answer = await life.door.hook(caller, event, sent.leave.signal);
    if (this.life !== life) return;
    this.note(`  ${toolUseId} answers ${answer.decision === 'go' ? 'go' : answer.refusal.code}`);
    if (answer.decision !== 'go') return;
    const family = this.views.durable.all(CALL).filter((row) => row.toolUseId === toolUseId);
    this.oracle.released(
      family.map(({ agent }) => agent),
      toolUseId,
    );
    this.released.push(request);
  }

  /** The client's hook after its tool ran. */
  tell(request: ToolRequest): void {
    const { life } = this;
    const caller = life?.door.identify(this.keys[request.key]?.secret ?? '');
    if (!life || !caller) return;
    const { tool, input, toolUseId, sub } = request;
    const event = {
      client: SERVER,
      event: 'after' as const,
      session: undefined,
      sub,
      tool,
      toolUseId,
      input,
      cwd: undefined,
      isError: this.draws.chance(20),
      isUnnamed: false,
    };
    life.door.hook(caller, event, new AbortController().signal).catch((error: unknown) => {
      if (!this.oracle.storeFailed) this.oracle.report('no-bug', String(error));
    });
  }

  // --- operators

  /** An operator's command: `told` runs when it was answered, in the same life. */
  operate(name: string, ask: (life: Life) => Promise<unknown>, told: () => void = () => {}): void {
    const { life } = this;
    if (!life) return;
    this.note(name);
    this.operating++;
    ask(life).then(
      (answer) => {
        if (this.life !== life) return;
        this.operating--;
        const refused = typeof answer === 'object' && answer !== null && 'code' in answer;
        this.note(`  ${name}: ${refused ? JSON.stringify(answer) : 'done'}`);
        if (!refused) told();
      },
      (error: unknown) => {
        if (this.life !== life) return;
        this.operating--;
        if (!this.oracle.storeFailed) this.oracle.report('no-bug', `${name}: ${(error as Error).stack}`);
      },
    );
  }

  /** Lets everything go on that can, and looks. */
  async look(): Promise<void> {
    await settle();
    const { life } = this;
    if (!life) return;
    const { gate } = life;
    this.oracle.still({
      flights: [...gate.flights.values()].map((flight) => ({
        call: flight.call.id,
        agent: flight.agent.pid,
        request:
          'toolUseId' in flight.call.payload
            ? this.#uses.get(flight.call.payload.toolUseId)
            : this.#requests.get(flight.call.id),
      })),
      waits: new Map([...gate.parts.waits.all()].map((wait) => [wait.call, wait])),
      now: life.clock.now(),
      isDraining: this.isDraining,
    });
  }
}

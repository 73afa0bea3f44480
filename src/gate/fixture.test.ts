/** A gate on a store in memory, in virtual time, with backends that answer when a test says so. */
import { readFileSync } from 'node:fs';
import { Access } from '../access/decide.ts';
import type { KeyHolder } from '../agents/resolve.ts';
import { agentPut } from '../agents/table.ts';
import { VirtualClock } from '../base/clock.ts';
import type { AccountId, BackendId } from '../base/ids.ts';
import type { ModelCall, ModelOutcome } from '../base/model.ts';
import type { BackendSpec, ModelBackend, ToolServer, Workspace } from '../base/ports.ts';
import { seededRandom } from '../base/random.ts';
import type { Usage } from '../base/usage.ts';
import { Prices } from '../budget/prices.ts';
import { type Faults, MemoryStore } from '../db/memory/store.ts';
import { fifo } from '../scheduler/policies/fifo.ts';
import { DIALECTS } from '../wire/registry.ts';
import { Arrivals, openEntry } from './arrivals.ts';
import { Catalog } from './catalog.ts';
import { Gate } from './gate.ts';
import { type Changeable, openParts } from './open.ts';
import type { Parts } from './parts.ts';

const shipped = (name: string) => readFileSync(new URL(`../../policies/${name}`, import.meta.url), 'utf8');

/** Every promise that can go on has gone on. */
export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A performed call that waits for its answer. */
export interface Performed {
  readonly backend: string;
  readonly call: ModelCall;
  answer(usage?: Usage): void;
  /** The answer's head comes, with these headers. */
  hear(headers: readonly string[]): void;
  /** The provider refuses it by a rate limit. */
  pushBack(headers: readonly string[]): void;
}

/** Backends with so many slots each; a model is served by the backends its name lists: `one`, `one+two`. */
export type Slots = Readonly<Record<string, number>>;

export async function openGate(
  slots: Slots = { one: 1, two: 1 },
  faults: Faults = {},
  workspace?: Workspace,
  servers: readonly ToolServer[] = [],
  store = new MemoryStore(faults),
) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const performed: Performed[] = [];
  const change = (next: Slots): Changeable => changeable(next, performed);
  const access = new Access({
    schema: shipped('schema.cedarschema'),
    policies: shipped('default.cedar'),
    profile: 'default',
  });
  const parts = await openParts({
    ...change(slots),
    ...(workspace ? { workspace } : {}),
    toolServers: new Map(servers.map((server) => [server.spec.id, server])),
    store,
    clock,
    random: seededRandom(1),
    access,
    loop: { repeats: 2, windowMs: 60_000, nanoUsdPerHour: 1e15 },
    scheduling: { policy: fifo, maxWaitMs: 60_000, queue: 100 },
  });
  const gate = new Gate(parts);
  const arrivals = new Arrivals(gate, new Uint8Array(32));
  const agent = parts.agents.add({ name: 'root', owner: 'me', client: 'generic' }, clock.now());
  const { key, puts } = parts.keys.create(
    { name: 'root', owner: 'me', pid: agent.pid },
    parts.random,
    clock.now(),
  );
  await parts.journal.append({ entries: [openEntry(agent)], puts: [agentPut(agent), ...puts] });
  const caller: KeyHolder = { keyId: key.id, owner: 'me', pid: agent.pid, name: 'root' };
  const left = new AbortController();
  return {
    clock,
    store,
    performed,
    parts,
    gate,
    arrivals,
    caller,
    agent,
    key,
    change: (next: Slots) => gate.change(change(next)),
    model: (model: string, text = 'hi', headers: readonly string[] = [], signal = left.signal) => {
      const value = { model, max_tokens: 100, messages: [{ role: 'user', content: text }] };
      return arrivals.model(caller, 'model.generate', modelCall(value, headers, signal), () => {});
    },
    /** A conversation's request after so many user messages, each answered in between. */
    conversation: (model: string, text: string, turns: number) => {
      const messages = Array.from({ length: 2 * turns - 1 }, (_, i) => ({
        role: i % 2 === 0 ? 'user' : 'assistant',
        content: `${text} ${i} ${'x'.repeat(3000)}`,
      }));
      const value = { model, max_tokens: 100, messages };
      return arrivals.model(caller, 'model.generate', modelCall(value, [], left.signal), () => {});
    },
    tool: (command: string, toolUseId: string) => {
      const call = { tool: 'Bash', server: 'generic', input: { command }, toolUseId, how: 'hooked' } as const;
      return arrivals.tool(caller, call, undefined, undefined, left.signal);
    },
    kinds: async () => (await store.entries({ limit: 1000 })).map(({ kind }) => kind),
  };
}

function modelCall(value: object, headers: readonly string[], signal: AbortSignal): ModelCall {
  const body = Buffer.from(JSON.stringify(value));
  const facts = DIALECTS.anthropic.readRequest(body);
  if ('problem' in facts) throw new Error(facts.problem.message);
  const sink = {
    transformed: () => {},
    waits: () => {},
    head: () => {},
    write: () => true,
    drained: async () => {},
  };
  const fixed = { dialect: 'anthropic', method: 'POST', path: '/messages' } as const;
  return { ...fixed, headers, body, decoded: body, facts, sink, signal };
}

function changeable(slots: Slots, performed: Performed[]): Changeable {
  const specs = Object.entries(slots).map(([name, count]): BackendSpec => specOf(name, count));
  const routes = ['one', 'two', 'one+two'].map((pattern) => ({
    pattern,
    backends: pattern.split('+') as BackendId[],
  }));
  const price = { input: 1e9, output: 10e9 };
  return {
    backends: new Map(specs.map((spec) => [spec.id, backend(spec, performed)])),
    catalog: new Catalog({ backends: specs, routes, hasKey: () => true }),
    prices: new Prices([{ pattern: '*', price }]),
    settings: {
      askHoldMs: 10_000,
      askExpiresMs: 20_000,
      bodies: 'off',
      hostedTools: [],
      holdAll: false,
      onLimit: 'wait',
      maxHoldMs: 600_000,
    },
  };
}

const specOf = (name: string, slots: number): BackendSpec => ({
  id: name as BackendId,
  url: `http://${name}.invalid`,
  dialects: ['anthropic'],
  credential: 'kernel',
  provider: name,
  account: name as AccountId,
  slots,
  idleTimeoutMs: 60_000,
});

const backend = (spec: BackendSpec, performed: Performed[]): ModelBackend => ({
  spec,
  close: async () => {},
  perform: (ticket, call) =>
    new Promise<ModelOutcome>((resolve) => {
      ticket.use();
      const answer = (usage?: Usage) => resolve(answered(usage));
      const pushBack = (headers: readonly string[]) =>
        resolve({ ...answered(undefined), status: 429, upstreamError: true, headers });
      performed.push({ backend: spec.id, call, answer, hear: (headers) => call.heard?.(headers), pushBack });
    }),
});

const answered = (usage: Usage | undefined): Extract<ModelOutcome, { kind: 'answered' }> => ({
  kind: 'answered',
  status: 200,
  headers: [],
  headSent: false,
  tail: Buffer.from('.'),
  facts: { ...(usage ? { usage } : {}), intents: [], objects: [] },
  upstreamError: false,
  firstByteAtMs: 0,
  bytesOut: 1,
});

/** Whether each decision from now on came from memory, in order. */
export function memosOf({ access }: Pick<Parts, 'access'>): boolean[] {
  const memos: boolean[] = [];
  const decide = access.decide.bind(access);
  access.decide = (request) => {
    const decision = decide(request);
    memos.push(decision.memo);
    return decision;
  };
  return memos;
}

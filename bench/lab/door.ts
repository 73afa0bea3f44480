/**
 * mezz's door without its gate: the real HTTP server, key, body scan, agent, reservation and settlement of the budget,
 * driver and stream rules. No access policies, no journal, no store: what those cost is the full gate's difference to this.
 */
import { Keys } from '../../src/access/keys.ts';
import { readIdentity } from '../../src/agents/identity.ts';
import { resolveAgent } from '../../src/agents/resolve.ts';
import { AgentTable } from '../../src/agents/table.ts';
import { type AccountId, type BackendId, type CallId, newCallId, type Pid } from '../../src/base/ids.ts';
import type { ModelCall } from '../../src/base/model.ts';
import type { BackendSpec } from '../../src/base/ports.ts';
import { mintTicket } from '../../src/base/ticket.ts';
import { NO_USAGE, type Usage } from '../../src/base/usage.ts';
import { Estimator, proveBound } from '../../src/budget/estimate.ts';
import { Ledger } from '../../src/budget/ledger.ts';
import { Prices } from '../../src/budget/prices.ts';
import { MemoryStore } from '../../src/db/memory/store.ts';
import { systemClock as clock } from '../../src/drivers/clock.ts';
import { HttpModelBackend } from '../../src/drivers/models/http.ts';
import { systemRandom } from '../../src/drivers/random.ts';
import type { Caller, Kernel, ModelKind, ModelWalk } from '../../src/gateway/kernel.ts';
import { openGateway } from '../../src/gateway/server.ts';

const MODEL = 'gpt-bench';
const NOTHING = { tools: [], prompts: [], resources: [], templates: [], ttlMs: 0 };
const spec: BackendSpec = {
  id: 'bench' as BackendId,
  url: `${process.argv[2] as string}/v1`,
  dialects: ['openai-chat'],
  credential: 'local',
  provider: 'bench',
  account: 'bench' as AccountId,
  slots: 256,
  idleTimeoutMs: 600_000,
};
const backend = new HttpModelBackend(spec, clock, () => []);
const store = new MemoryStore();
const keys = await Keys.open(store);
const agents = await AgentTable.open(store);
const ledger = await Ledger.open(store);
const prices = new Prices([{ pattern: '*', price: { input: 1000, output: 2000 } }]);
const estimator = new Estimator();
ledger.setLimit({
  scope: 'owner:me',
  dimension: 'tokens',
  period: 'month',
  cap: 9_000_000_000_000,
  strict: true,
});
ledger.setLimit({ scope: 'owner:me', dimension: 'usd', period: 'day', cap: 1e15, strict: false });
const { secret } = keys.create({ name: 'bench', owner: 'me', pid: null }, systemRandom, clock.now());

function charge(pid: number, call: ModelCall) {
  const priced = (input: number, output: number) => ({
    usd: prices.costOf(MODEL, { ...NO_USAGE, input, output }) ?? 0,
    tokens: input + output,
    output,
    requests: 1,
  });
  const { facts, decoded } = call;
  const bound = proveBound(decoded.length, facts.maxOutput, facts.choices);
  const guess = estimator.estimate(MODEL, 'bench', decoded.length, facts.maxOutput);
  return {
    scopes: [`agent:${pid}`, 'owner:me', 'account:bench'],
    bound: bound && priced(bound.tokensIn, bound.tokensOut),
    estimate: priced(guess.tokensIn, guess.tokensOut),
  };
}

async function walk(caller: Caller, call: ModelCall, accepted: (id: CallId) => void): Promise<ModelWalk> {
  const now = clock.now();
  const resolved = resolveAgent(agents, caller, readIdentity(call.headers), call.headers, now);
  if ('code' in resolved) return { kind: 'refused', refusal: resolved, call: undefined };
  const id = newCallId(now, systemRandom);
  accepted(id);
  const reserved = ledger.reserve(id, charge(resolved.agent.pid, call), now);
  if ('code' in reserved) return { kind: 'refused', refusal: reserved, call: id };
  const ticket = mintTicket({ call: id, agent: resolved.agent.pid as Pid, attempt: 1, credential: 'local' });
  const outcome = await backend.perform(ticket, call);
  const usage: Usage = outcome.facts.usage ?? NO_USAGE;
  ledger.settle(id, { usage, cost: prices.costOf(MODEL, usage) ?? 0, model: MODEL }, clock.now());
  estimator.learn(MODEL, 'bench', call.decoded.length, usage);
  return { kind: 'done', outcome, call: id };
}

const kernel: Kernel = {
  identify(shown) {
    const key = keys.identify(shown, clock.now());
    return key && { keyId: key.id, owner: key.owner, pid: key.pid, name: key.name };
  },
  model: (caller: Caller, _kind: ModelKind, call, accepted) => walk(caller, call, accepted),
  hook: () => Promise.resolve({ decision: 'go' }),
  show: async () => NOTHING,
  definition: async () => undefined,
  request: async () => ({ call: undefined, reply: { result: {} } }),
  told() {},
  task: async () => undefined,
  cancelTask: async () => false,
  unwatch() {},
  onServerChange: () => () => {},
  version: '',
  models: () => [],
  ready: () => true,
  metrics: () => '',
  refusedAtDoor() {},
};
const gateway = await openGateway(kernel, 0);
process.send?.({ origin: gateway.origin, keys: secret });

/** What clients and operators do, at random. Each act is one line here; `simulate` draws which comes next. */
import { APPROVAL, FREEZE } from '../../src/db/schema/access.ts';
import { AGENT } from '../../src/db/schema/agents.ts';
import { VERBS } from './life.ts';
import { drawSlots, NAMES } from './market.ts';
import { drawModel, drawTool } from './requests.ts';
import { POLICIES, type PolicyName } from './standing.ts';
import { DEATHS, type World } from './world.ts';

type Act = (world: World) => void;

/** How often each happens, and what it is. */
const ACTS: Readonly<Record<string, readonly [weight: number, act: Act]>> = {
  model: [
    48,
    (world) => world.send(drawModel(world.draws, drawKey(world), drawNumber(world), world.objects)),
  ],
  tool: [14, (world) => world.send(drawTool(world.draws, drawKey(world), ++numbers(world).next))],
  again: [9, sendAgain],
  outcome: [8, tellOutcome],
  leave: [4, leave],
  open: [2, openAgent],
  pause: [3, (world) => signal(world, 'pause')],
  resume: [7, (world) => signal(world, 'resume')],
  stop: [0.5, (world) => signal(world, 'stop')],
  kill: [0.4, (world) => signal(world, 'kill')],
  exit: [0.4, exit],
  freeze: [1, freeze],
  thaw: [8, thaw],
  nice: [2, nice],
  limit: [4, setLimit],
  approve: [12, (world) => answer(world, true)],
  deny: [3, (world) => answer(world, false)],
  policy: [0.8, applyPolicy],
  reload: [2, reload],
  revoke: [0.4, revoke],
  skew: [1, (world) => world.setClock(world.draws.pick([-3_600_000, -5_000, -50, 1_000]))],
  die: [0.8, (world) => world.crash('at once')],
  dieAt: [1.5, dieAt],
  disk: [1, failDisk],
  drain: [0.4, drain],
};

const WEIGHTS = Object.fromEntries(Object.entries(ACTS).map(([name, [weight]]) => [name, weight]));

/** One act; those that need a kernel do nothing while there is none. */
export function act(world: World): void {
  const name = world.draws.weighted(WEIGHTS);
  if (!world.isUp) return;
  const [, run] = ACTS[name] as readonly [number, Act];
  run(world);
}

const reloaded = new WeakMap<World, number>();
const counters = new WeakMap<World, { next: number }>();
function numbers(world: World): { next: number } {
  const counter = counters.get(world) ?? { next: 0 };
  counters.set(world, counter);
  return counter;
}

/** Mostly new, now and then a number from before: the same arguments again. */
const drawNumber = (world: World): number => ++numbers(world).next;
const drawKey = (world: World): number => world.draws.int(0, Math.max(0, world.keys.length - 1));

function drawAgent(world: World): string | undefined {
  const rows = world.views.known.all(AGENT).filter(({ hold }) => hold !== 'exited');
  return rows.length === 0 ? undefined : String(world.draws.pick(rows).pid);
}

function sendAgain(world: World): void {
  const { draws, lost, sent, done } = world;
  const [first] = sent;
  const request = draws.chance(40) ? lost.shift() : draws.chance(30) ? first?.request : draws.pick(done);
  if (request === undefined) return;
  world.send(
    request.kind === 'tool.call' ? { ...request, toolUseId: `use-${++numbers(world).next}` } : request,
  );
}

function tellOutcome(world: World): void {
  const request = world.released.shift();
  if (!request) return;
  world.tell(request);
  // A client whose first message was slow tells it again.
  if (world.draws.chance(20)) world.tell(request);
}

function leave(world: World): void {
  if (world.sent.size === 0) return;
  const sent = world.draws.pick([...world.sent]);
  world.note(`the client of ${sent.call ?? 'a tool'} leaves`);
  sent.leave.abort();
}

export function openAgent(world: World): void {
  const { draws, keys } = world;
  const parent = keys.length > 0 && draws.chance(40) ? drawAgent(world) : undefined;
  const request = {
    name: `p${keys.length}`,
    client: 'generic',
    cwd: '/',
    hooks: false,
    owner: draws.pick(['ann', 'bob']),
    nice: draws.int(-2, 2),
    ...(parent === undefined ? {} : { parent }),
    ...(draws.chance(20) ? { budget: draws.int(0, 20) * 1_000_000 } : {}),
  };
  world.operate(`open ${request.name} under ${parent}`, async (life) => {
    const opened = await VERBS['agent.open'](life.context, request);
    if ('code' in opened) return opened;
    for (const { pid, token } of opened.launches) {
      const keyId = life.door.identify(token)?.keyId ?? '';
      keys.push({ secret: token, pid, keyId });
    }
    return opened;
  });
}

function signal(world: World, name: 'pause' | 'resume' | 'stop' | 'kill', agent = drawAgent(world)): void {
  if (agent === undefined) return;
  const tree = treeOf(world, Number(agent));
  const { standing } = world.oracle;
  if (name === 'pause' || name === 'resume')
    for (const pid of name === 'pause' ? [Number(agent)] : tree) standing.lift(`agent ${pid} stopped`);
  const revoke = name === 'kill';
  world.operate(
    `${name} ${agent}`,
    (life) => VERBS.signal(life.context, { agent, signal: name, revoke }),
    () => {
      if (name !== 'stop' && name !== 'kill') return;
      // Somebody may have resumed it while this was written.
      for (const pid of tree)
        if (world.views.queued.get(AGENT, pid)?.hold === 'stopped')
          world.oracle.tookEffect(`agent ${pid} stopped`);
    },
  );
}

function treeOf(world: World, root: number): number[] {
  const { oracle, views } = world;
  return views.queued
    .all(AGENT)
    .map(({ pid }) => pid)
    .filter((pid) => oracle.standing.chain(pid).includes(root));
}

function exit(world: World): void {
  const agent = drawAgent(world);
  if (agent === undefined || world.draws.chance(50)) return;
  const tree = treeOf(world, Number(agent));
  world.operate(
    `exit ${agent}`,
    (life) => VERBS['agent.exited'](life.context, { agent, exitCode: 0, signal: null }),
    () => {
      for (const pid of tree) world.oracle.tookEffect(`agent ${pid} stopped`);
    },
  );
}

function freeze(world: World): void {
  const agent = world.draws.chance(30) ? undefined : drawAgent(world);
  const request = agent === undefined ? { all: true } : { agent };
  world.operate(
    `freeze ${agent ?? 'all'}`,
    (life) => VERBS.freeze(life.context, request),
    () => {
      if (world.views.queued.get(FREEZE, agent ?? 'all'))
        world.oracle.tookEffect(agent === undefined ? 'all' : `agent ${agent} frozen`);
    },
  );
}

function thaw(world: World): void {
  const frozen = world.views.known.all(FREEZE);
  if (frozen.length > 0) thawOne(world, world.draws.pick(frozen).scope);
}

function thawOne(world: World, scope: string): void {
  world.oracle.standing.lift(scope === 'all' ? 'all' : `agent ${scope} frozen`);
  const request = scope === 'all' ? { all: true, thaw: true } : { agent: scope, thaw: true };
  world.operate(`thaw ${scope}`, (life) => VERBS.freeze(life.context, request));
}

function nice(world: World): void {
  const agent = drawAgent(world);
  if (agent === undefined) return;
  const request = { agent, nice: world.draws.int(-20, 19) };
  world.operate(`nice ${agent} ${request.nice}`, (life) => VERBS.nice(life.context, request));
}

function setLimit(world: World): void {
  const { draws } = world;
  const agent = drawAgent(world);
  const scopes = [
    `owner:${draws.pick(['ann', 'bob'])}`,
    `account:money-${draws.pick(NAMES)}`,
    'account:money',
  ];
  const scope = agent !== undefined && draws.chance(60) ? `agent:${agent}` : draws.pick(scopes);
  const dimension = draws.pick(['usd', 'tokens', 'output', 'requests'] as const);
  const period = draws.chance(75) ? ('total' as const) : draws.pick(['day', 'month'] as const);
  const most = { usd: 30_000_000, tokens: 20_000, output: 8_000, requests: 30 }[dimension];
  const cap = draws.chance(20) ? null : draws.int(0, most);
  const request = { scope, dimension, period, cap, strict: draws.chance(60) };
  world.operate(`limit ${scope} ${dimension}/${period} ${cap} ${request.strict ? 'strict' : ''}`, (life) =>
    VERBS['limit.set'](life.context, request),
  );
}

function answer(world: World, yes: boolean): void {
  const open = world.views.queued.all(APPROVAL).filter(({ state }) => state === 'open');
  if (open.length === 0) return;
  const approval = world.draws.pick(open).id;
  world.operate(`${yes ? 'approve' : 'deny'} ${approval}`, (life) =>
    VERBS[yes ? 'approve' : 'deny'](life.context, { approval }),
  );
}

function applyPolicy(world: World): void {
  const name = world.draws.pick(Object.keys(POLICIES) as PolicyName[]);
  const { standing } = world.oracle;
  world.operate(
    `policy ${name}`,
    (life) => {
      standing.policy = name;
      standing.untold.push(name);
      return VERBS['policy.apply'](life.context, { text: POLICIES[name] });
    },
    () => {
      standing.promisedPolicy = name;
      standing.untold.shift();
    },
  );
}

function reload(world: World): void {
  // Two at one instant: what was granted between them starts under the second, rightly.
  if (reloaded.get(world) === world.line.clock.now()) return;
  reloaded.set(world, world.line.clock.now());
  world.slots = drawSlots(world.draws);
  world.oracle.slots = world.slots;
  world.note(`reload ${JSON.stringify(world.slots)}`);
  world.life?.reload(world.slots);
}

function revoke(world: World): void {
  const key = world.keys[drawKey(world)];
  if (!key || world.keys.length < 2) return;
  world.operate(
    `revoke ${key.keyId}`,
    (life) => VERBS['key.revoke'](life.context, { key: key.keyId }),
    () => world.oracle.tookEffect(`key ${key.keyId}`),
  );
}

function dieAt(world: World): void {
  world.death = world.draws.pick(DEATHS);
  world.note(`will die at ${world.death}`);
}

function failDisk(world: World): void {
  if (world.draws.chance(70)) return;
  world.note('the disk will fail');
  world.diskFails = true;
}

/** An orderly end: what waits is refused, what runs may end, and whoever starts next finds nothing in doubt but what was cut. */
function drain(world: World): void {
  const { life } = world;
  if (!life || world.isDraining) return;
  world.note('drain');
  world.isDraining = true;
  void life.gate.drain(world.draws.int(0, 5000)).then(() => {
    if (world.life === life) world.crash('after it was drained');
  });
}

/** Everything that holds calls back is lifted, so that whatever still waits waits for nothing. */
export function release(world: World): void {
  for (const { scope } of world.views.known.all(FREEZE)) thawOne(world, scope);
  for (const { id } of world.views.known.all(APPROVAL).filter(({ state }) => state === 'open'))
    world.operate(`deny ${id}`, (life) => VERBS.deny(life.context, { approval: id }));
  for (const { pid, hold } of world.views.known.all(AGENT))
    if (hold === 'paused' || hold === 'stopped') signal(world, 'resume', String(pid));
  for (const { request, leave: controller } of world.sent) {
    void request;
    if (world.draws.chance(30)) controller.abort();
  }
}

/** mezz as a subject: the kernel of a room, tried from outside by HTTP, the control socket and signals alone. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import { SPEECH } from './dialects.ts';
import { OWN_NAME, OWN_POLICY } from './policy.ts';
import type { Room } from './room.ts';
import type { Caller, Models, Order, Records, Subject, Waiting, Words } from './subject.ts';

export function mezzSubject(room: Room): Subject {
  const launches = new Map<Caller, Launch>();
  const launchOf = (caller: Caller): Launch => launches.get(caller) as Launch;
  const signal = (caller: Caller, name: 'pause' | 'resume') =>
    room.control.call('signal', { agent: String(launchOf(caller).pid), signal: name });
  return {
    name: 'mezz',
    isOwn: true,
    directory: room.directory,
    upstream: room.upstream,
    async caller(name, nice = 0) {
      const launch = await room.agent(name, nice);
      const caller = { name: launch.name };
      launches.set(caller, launch);
      return caller;
    },
    models: modelsOf(room, launchOf),
    waiting: (caller) => waitingOf(room, launchOf(caller)),
    order: orderOf(room, launchOf),
    pausing: {
      pause: async (caller) => void (await signal(caller, 'pause')),
      resume: async (caller) => void (await signal(caller, 'resume')),
    },
    running: { crash: () => room.crash(), start: () => room.start() },
    guard: {
      before: (caller, { tool, input, id }) => room.before(launchOf(caller), tool, input, id),
      after: (caller, { tool, input, id }) => room.tell(launchOf(caller), tool, input, id),
    },
    records: recordsOf(room, launchOf),
    words: async () => wordsOf(room),
  };
}

const modelsOf = (room: Room, launchOf: (caller: Caller) => Launch): Models => ({
  request: async (caller, text, tool) => ({
    url: await room.url(launchOf(caller), '/v1/messages'),
    headers: {},
    body: JSON.stringify(SPEECH.anthropic.body('lab', text, tool)),
  }),
  idOf: ({ headers }) => String(headers['x-mezz-call'] ?? ''),
  toolCall: ({ json }, tool) => SPEECH.anthropic.toolCall(json, tool),
});

async function waitingOf(room: Room, launch: Launch): Promise<Waiting | undefined> {
  const [wait] = (await room.control.call('why', { subject: String(launch.pid) })).waits;
  if (!wait) return undefined;
  const holder = wait.rivals.find(({ has }) => has !== null);
  const held = wait.waitsFor === 'lock' ? (await room.control.call('locks', {})).held : [];
  return {
    kind: wait.waitsFor,
    resource: wait.resource,
    reasons: wait.reasons,
    ahead: wait.ahead ?? undefined,
    holder: holder?.agentName,
    calls: [...held.map(({ call }) => call), ...(holder ? [holder.call] : []), wait.call],
  };
}

const orderOf = (room: Room, launchOf: (caller: Caller) => Launch): Order => ({
  policies: [
    { name: 'fifo', text: 'first come, first served' },
    { name: 'priority', text: 'strict priority' },
  ],
  set: async (policy) => void (await room.control.call('sched.set', { policy })),
  prefer: async (caller, before) =>
    void (await room.control.call('nice', { agent: String(launchOf(caller).pid), nice: before ? -10 : 5 })),
  own: {
    set: async () =>
      void (await room.control.call('sched.set', { policy: room.file(`${OWN_NAME}.mjs`, OWN_POLICY) })),
    async inForce() {
      const { order } = await room.control.call('sched', {});
      return { isOwn: order.policy === OWN_NAME, fault: order.fault ?? undefined };
    },
    reset: async () => void (await room.control.call('sched.set', { reset: true })),
  },
  async kept(call) {
    const { entries } = await room.control.call('trace', { call });
    return String(entries.find(({ kind }) => kind === 'call.start')?.order ?? '');
  },
});

const recordsOf = (room: Room, launchOf: (caller: Caller) => Launch): Records => ({
  async decision(caller) {
    const { calls } = await room.control.call('calls', { agent: String(launchOf(caller).pid) });
    const call = calls.find(({ kind }) => kind === 'tool.call');
    if (!call) return undefined;
    const { entries } = await room.control.call('trace', { call: call.id });
    return entries.some(({ kind }) => kind === 'call.start') ? { id: call.id } : undefined;
  },
  async rule(caller) {
    const { approvals } = await room.control.call('inbox', { all: true });
    return approvals.find(({ agent }) => agent === launchOf(caller).pid)?.rule;
  },
  async coverage(caller) {
    const { agents } = await room.control.call('ps', {});
    const view = agents.find(({ pid }) => pid === launchOf(caller).pid)?.coverage;
    return { decided: view?.decided ?? 0, seen: view?.seen ?? 0 };
  },
  async round(path) {
    const { events } = await room.control.call('locks', {});
    const found = events.findLast(({ kind, key }) => kind === 'round' && key.endsWith(basename(path)));
    return found ? { id: found.call ?? '' } : undefined;
  },
});

/** What a command prints when nobody asks for more. */
function said(room: Room, ...words: string[]): string {
  const [node = process.execPath, ...mezz] = room.session.mezz;
  const env = { ...room.session.env, MEZZ_HOME: room.session.stateDir, NO_COLOR: '1' };
  const { stdout, stderr } = spawnSync(node, [...mezz, ...words], { env, encoding: 'utf8' });
  return `${stdout}\n${stderr}`;
}

function wordsOf(room: Room): Words {
  const root = dirname(dirname(room.session.mezz[1] ?? ''));
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  return {
    unasked: { 'mezz status': said(room, 'status') },
    help: { 'mezz --help': said(room, '--help') },
    pages: {
      'README.md': read('README.md'),
      'package.json': String(JSON.parse(read('package.json')).description),
    },
  };
}

/**
 * doctor/ owns the trial of a client's hooks: one call that the gate must refuse, made by the real client.
 * Invariant: nothing of the user's is used (a home of its own, invented logins, a model on loopback) and nothing is
 * left; a hook counts as proven only when the journal has the refused call and the act did not happen.
 * It must not know: how the gate decides, or what the kernel says about an outcome.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HookTrial, Launch } from '../../base/control.ts';
import type { ClientAdapter } from '../adapters/adapter.ts';
import { claude } from '../adapters/claude.ts';
import { codex } from '../adapters/codex.ts';
import { findProgram } from '../found/programs.ts';
import { LIMITS } from '../limits.ts';
import { selfAsRunner } from '../run/family.ts';
import { newMark, reapLeftovers } from '../run/leftovers.ts';
import type { Session } from '../session.ts';
import { type Lab, openLab } from './lab.ts';

/** How a client is started for its trial: unattended, with nothing but the hook between it and the act. */
interface Candidate {
  readonly adapter: ClientAdapter;
  readonly login: Readonly<Record<string, string>>;
  arguments(lab: string): readonly string[];
  /** Set over what the adapter gives: the model is the lab, the hooks ask the kernel. */
  environment(lab: string): Readonly<Record<string, string>>;
}

const PROMPT = 'Run the command you are asked for.';

const CANDIDATES: readonly Candidate[] = [
  {
    adapter: claude,
    login: { ANTHROPIC_API_KEY: 'lab-key-of-mezz-doctor' },
    arguments: () => ['-p', PROMPT, '--allowedTools', 'Bash'],
    environment: (lab) => ({ ANTHROPIC_BASE_URL: lab, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }),
  },
  {
    adapter: codex,
    login: { OPENAI_API_KEY: 'lab-key-of-mezz-doctor' },
    arguments: (lab) => [
      ...['-c', `model_providers.mezz.base_url="${lab}/v1"`],
      ...['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', PROMPT],
    ],
    environment: () => ({}),
  },
];

/** A directory of the trial's own: a home, a project, and where the act would be seen. */
interface Room {
  readonly directory: string;
  readonly home: string;
  readonly project: string;
  readonly act: string;
}

function openRoom(): Room {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-doctor-'));
  const room = { directory, home: join(directory, 'home'), project: join(directory, 'project') };
  mkdirSync(room.home, { mode: 0o700 });
  mkdirSync(room.project, { mode: 0o700 });
  return { ...room, act: join(directory, 'it-happened') };
}

/** Nothing of the user's environment but where programs are; every way out leads to the lab, which has none. */
const roomEnvironment = (session: Session, room: Room, lab: string): Record<string, string> => ({
  PATH: session.env.PATH ?? '',
  LANG: 'C.UTF-8',
  HOME: room.home,
  TMPDIR: room.directory,
  ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].map((name) => [name, lab])),
});

interface Ended {
  readonly out: string;
  readonly timedOut: boolean;
}

/** Runs a program to its end, at most `timeoutMs`; what it leaves behind is ended too. */
function runBounded(
  command: readonly string[],
  options: { cwd: string; env: Record<string, string>; timeoutMs: number },
): Promise<Ended> {
  const [program = '', ...args] = command;
  const mark = newMark(0);
  const env = { ...options.env, MEZZ_AGENT: mark };
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let timedOut = false;
    const keep = (part: Buffer) => {
      out = (out + part.toString('utf8')).slice(-LIMITS.trialOutputCharacters.value);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => {
      timedOut = true;
      void reapLeftovers(mark).then(() => child.kill('SIGKILL'));
    }, options.timeoutMs);
    const end = () => {
      clearTimeout(timer);
      void reapLeftovers(mark).then(() => resolve({ out, timedOut }));
    };
    child.once('error', (error) => {
      out = error.message;
      end();
    });
    child.once('close', end);
  });
}

async function readVersion(program: string, room: Room, env: Record<string, string>): Promise<string | null> {
  const { out } = await runBounded([program, '--version'], {
    cwd: room.project,
    env,
    timeoutMs: LIMITS.trialVersionMs.value,
  });
  return /\d+\.\d+\.\d+[\w.-]*/.exec(out)?.[0] ?? null;
}

/** What the journal and the disk say happened. */
async function judge(session: Session, launch: Launch, room: Room, lab: Lab, ended: Ended) {
  const { calls } = await session.control.call('calls', { agent: String(launch.pid) });
  const asked = calls.filter((call) => call.kind === 'tool.call');
  const refused = asked.some((call) => call.state === 'refused');
  const happened = existsSync(room.act);
  if (happened) return { outcome: asked.length > 0 ? 'let-through' : 'never-asked', detail: null } as const;
  if (refused) return { outcome: 'refused', detail: null } as const;
  const said = ended.out.trim().split('\n').at(-1) ?? '';
  const why = ended.timedOut
    ? `it did not end in ${LIMITS.trialMs.value / 1000} s`
    : lab.called
      ? 'it did not make the call it was asked for'
      : `it made no call (${lab.asked} requests to the model)`;
  return { outcome: 'no-call', detail: said === '' ? why : `${why}: ${said}` } as const;
}

/** Opens a frozen agent, lets the client act as it, and closes it. */
async function tryAs(
  session: Session,
  candidate: Candidate,
  program: string,
  room: Room,
): Promise<HookTrial> {
  const { control } = session;
  const { adapter } = candidate;
  const lab = await openLab(['touch', room.act]);
  const env = { ...roomEnvironment(session, room, lab.origin), ...candidate.login };
  const { launches } = await control.call('agent.open', {
    name: `doctor-${adapter.client}`,
    client: adapter.client,
    cwd: room.project,
    hooks: true,
    hosted: true,
    ...selfAsRunner(),
  });
  const launch = launches[0] as Launch;
  const agent = String(launch.pid);
  try {
    await control.call('freeze', { agent });
    const preparation = adapter.prepare(launch, [program, ...candidate.arguments(lab.origin)], {
      env,
      home: room.home,
      directory: room.directory,
      mezz: session.mezz,
      readText: () => undefined,
    });
    for (const { path, text } of preparation.files) writeFileSync(path, text, { mode: 0o600 });
    const version = await readVersion(program, room, env);
    const ended = await runBounded(preparation.command, {
      cwd: room.project,
      env: { ...env, ...preparation.env, ...candidate.environment(lab.origin) },
      timeoutMs: LIMITS.trialMs.value,
    });
    return { client: adapter.client, version, ...(await judge(session, launch, room, lab, ended)) };
  } finally {
    await lab.close();
    await control.call('freeze', { agent, thaw: true });
    await control.call('agent.exited', { agent, exitCode: null, signal: null });
  }
}

/** Tries the hooks of every client that mezz has hooks for; each is said on standard error before it begins. */
export async function tryHooks(session: Session): Promise<HookTrial[]> {
  const trials: HookTrial[] = [];
  for (const candidate of CANDIDATES) {
    const { client, program: name } = candidate.adapter;
    const program = findProgram(name, session.env.PATH);
    if (program === undefined) {
      trials.push({ client, version: null, outcome: 'not-installed', detail: null });
      continue;
    }
    session.terminal.note(
      `mezz: ${client} is asked to do what the gate must refuse (a lab model, no login of yours, at most ${LIMITS.trialMs.value / 1000} s)`,
    );
    const room = openRoom();
    try {
      trials.push(await tryAs(session, candidate, program, room));
    } finally {
      rmSync(room.directory, { recursive: true, force: true });
    }
  }
  return trials;
}

/** Who does the plan: unmodified clients whose model is a script, or shells that ask as clients do where none is here. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Launch } from '../../base/control.ts';
import type { Environment } from '../../sdk/home.ts';
import type { Room } from '../checklist/room.ts';
import { UsageFailure } from '../exit.ts';
import { type LabReply, type LabRequest, openScripted, partsOf } from '../lab.ts';
import { LIMITS } from '../limits.ts';
import { type Client, crewOf, enclosedEnv } from './clients.ts';
import { type Act, NAMES, type Name, type Outcome, Plan } from './plan.ts';

/** The model of all agents: each is known by what its user asked. */
export function modelOf(plan: () => Plan | undefined, crew: ReadonlyMap<Name, Client>) {
  return (request: LabRequest): LabReply | undefined => {
    const asked = request.asked();
    if (!asked) return undefined;
    const { words, results } = partsOf(asked);
    const name = NAMES.find((one) => words.includes(promptOf(one)));
    const client = name && crew.get(name);
    const act = client && plan()?.act(name, results.length, results.at(-1) ?? '');
    const tool = act && client.ask(act);
    const offered = tool && asked.tools.find((one) => one.kind !== 'other' && tool.tool.test(one.name));
    // What is asked beside the work, a title or a summary, comes without tools.
    if (!offered || offered.kind === 'other') return answer([{ kind: 'text', text: 'Done.', extras: {} }]);
    const input = typeof tool.input === 'string' ? tool.input : JSON.stringify(tool.input);
    const { name: called, namespace, kind } = offered;
    const id = `call_${name}_${results.length}`;
    const custom = kind === 'custom';
    return {
      ...answer([{ kind: 'call', id, name: called, namespace, input, custom, extras: {} }]),
      ...(act.after ? { hold: act.after } : {}),
    };
  };
}

type Parts = NonNullable<LabReply['answer']>['parts'];

function answer(parts: Parts): LabReply {
  const usage = { input: 10, cacheRead: 0, cacheWrite: 0, output: 10, reasoning: 0 };
  const stop = parts.some(({ kind }) => kind === 'call') ? 'calls' : 'end';
  return { answer: { id: `demo_${process.hrtime.bigint()}`, parts, stop, usage } };
}

const promptOf = (name: Name): string => `Do the work as agent ${name}.`;

/** Runs them all to their ends; one that ends before its work is done would leave the others waiting. */
async function runAll(programs: readonly { readonly name: Name; start(): ChildProcess }[]): Promise<void> {
  const running: ChildProcess[] = [];
  const ends = programs.map(({ name, start }) => {
    const child = start();
    running.push(child);
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-1000);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-1000);
    });
    return new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new UsageFailure(`The agent ${name} ${why}: ${said.trim()}`));
      const clock = setTimeout(() => fail('did not end'), LIMITS.clientMs.value);
      child.once('error', (error) => fail(error.message));
      child.once('close', (code) => {
        clearTimeout(clock);
        if (code === 0) resolve();
        else fail(`ended with ${code}`);
      });
    });
  });
  try {
    await Promise.all(ends);
  } finally {
    for (const child of running) if (child.exitCode === null) child.kill('SIGTERM');
  }
}

const start = (command: readonly string[], cwd: string, env: Environment): ChildProcess => {
  const [program = '', ...args] = command;
  return spawn(program, args, { cwd, env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
};

/** The clients as they are, at a model of their own. */
export async function withoutMezz(found: readonly Client[], env: Environment, directory: string) {
  const crew = crewOf(found, NAMES);
  const plan = await Plan.begin(join(directory, 'alone'), true);
  const lab = await openScripted(modelOf(() => plan, crew));
  const own = enclosedEnv(env, directory);
  try {
    await runAll(
      [...crew].map(([name, client]) => ({
        name,
        start: () =>
          start(client.direct(promptOf(name), lab.origin), plan.repo, {
            ...own,
            ...client.directEnv(lab.origin),
          }),
      })),
    );
  } finally {
    await lab.close();
  }
  return plan.end();
}

/** The same, started by `mezz run` in a room whose model is the plan's. */
export async function withMezz(
  found: readonly Client[],
  env: Environment,
  room: Room,
  plan: Plan,
): Promise<Outcome> {
  const { session } = room;
  const own = { ...enclosedEnv(env, room.directory), MEZZ_HOME: session.stateDir };
  await runAll(
    [...crewOf(found, NAMES)].map(([name, client]) => ({
      name,
      start: () =>
        start(
          [...session.mezz, 'run', '--name', name, '--', ...client.command(promptOf(name))],
          plan.repo,
          own,
        ),
    })),
  );
  return plan.end();
}

/** A shell that does what it is told, or tells what it was told instead. */
type Shell = (name: Name, command: string) => Promise<string>;

const bash: Shell = (_name, command) =>
  new Promise((resolve) => {
    execFile('bash', ['-c', command], (error, out, err) => resolve(error ? `${out}${err}error: ` : out));
  });

async function standIn(plan: Plan, name: Name, shell: Shell): Promise<void> {
  let told = '';
  for (let n = 0; ; n++) {
    const act: Act | undefined = plan.act(name, n, told);
    if (!act) return;
    await act.after;
    told = await shell(name, act.what);
  }
}

/** Without clients: shells alone, and shells that ask mezz as clients do by hook. */
export async function standIns(room: Room): Promise<{ direct: Outcome; mezz: Outcome }> {
  const agents = new Map<Name, Launch>();
  for (const name of NAMES) agents.set(name, await room.agent(name));
  const asking: Shell = async (name, command) => {
    let told = '';
    const id = `toolu_${process.hrtime.bigint()}`;
    const answered = await room.use(agents.get(name) as Launch, 'Bash', { command }, id, async () => {
      told = await bash(name, command);
    });
    return answered.allowed ? told : answered.reason;
  };
  const run = async (directory: string, shell: Shell) => {
    const plan = await Plan.begin(join(room.directory, directory), false);
    await Promise.all(NAMES.map((name) => standIn(plan, name, shell)));
    return plan.end();
  };
  return { direct: await run('alone', bash), mezz: await run('together', asking) };
}

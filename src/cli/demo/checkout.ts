/** Four agents in one checkout: what they do is done by a real shell, with and without asking mezz as clients do by hook. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../base/control.ts';
import type { Room } from '../checklist/room.ts';
import type { Counted } from './clobber.ts';

export interface Shared {
  readonly what: string;
  readonly direct: Counted;
  readonly mezz: Counted;
  /** What one refused agent was told; empty where none was refused. */
  readonly told: string;
}

/** One agent's shell. What it may not do is told instead of done. */
type Shell = (
  agent: number,
  command: string,
) => Promise<{ readonly ok: boolean; readonly out: string; readonly told: string }>;

const AGENTS = [0, 1, 2, 3];
const NAMES = ['ann', 'bob', 'cem', 'dai'];
const POLL_MS = 50;
const POLLS = 200;

function bash(command: string): Promise<{ ok: boolean; out: string }> {
  return new Promise((resolve) => {
    execFile(
      'bash',
      ['-c', command],
      { env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' } },
      (error, out) => resolve({ ok: error === null, out }),
    );
  });
}

const git = (repo: string) => `git -C ${repo} -c user.name=agent -c user.email=agent@mezz.invalid`;

async function newCheckout(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'shared.txt'), 'first line\n');
  writeFileSync(join(directory, 'plan.txt'), 'plan\n');
  await bash(
    `git init -q -b main ${directory} && ${git(directory)} add . && ${git(directory)} commit -qm start`,
  );
  return directory;
}

const askingShell =
  (room: Room, agents: readonly Launch[]): Shell =>
  async (agent, command) => {
    let done = { ok: false, out: '' };
    const id = `toolu_${process.hrtime.bigint()}`;
    const answer = await room.use(agents[agent] as Launch, 'Bash', { command }, id, async () => {
      done = await bash(command);
    });
    return { ...done, told: answer.reason };
  };

const plainShell: Shell = async (_agent, command) => ({ ...(await bash(command)), told: '' });

interface Result extends Counted {
  readonly told: string;
}

/** Each commits a file of its own, all at once. */
async function commits(shell: Shell, repo: string): Promise<Result> {
  const answers = await Promise.all(
    AGENTS.map((agent) => {
      const file = `work-${agent}.txt`;
      return shell(
        agent,
        `cd ${repo} && echo "by ${agent}" > ${file} && git add ${file} && git -c user.name=agent -c user.email=agent@mezz.invalid commit -qm "work of ${agent}" -- ${file}`,
      );
    }),
  );
  const { out } = await bash(`${git(repo)} rev-list --count main`);
  return { done: AGENTS.length, kept: Number(out) - 1, told: answers.find(({ told }) => told)?.told ?? '' };
}

/** All read one file, then each writes it anew with a line of its own; who is refused reads it again. */
async function lines(shell: Shell, repo: string): Promise<Result> {
  const path = join(repo, 'shared.txt');
  let told = '';
  const seen = await Promise.all(AGENTS.map(async (agent) => (await shell(agent, `cat ${path}`)).out));
  await Promise.all(
    AGENTS.map(async (agent) => {
      for (let tries = 0; tries <= AGENTS.length; tries++) {
        const text = `${seen[agent]}line of ${NAMES[agent]}`;
        const answer = await shell(agent, `cat > ${path} <<'EOF'\n${text}\nEOF`);
        if (answer.told === '') return;
        told = answer.told;
        seen[agent] = (await shell(agent, `cat ${path}`)).out;
      }
    }),
  );
  const kept = readFileSync(path, 'utf8').match(/^line of /gm)?.length ?? 0;
  return { done: AGENTS.length, kept, told };
}

/** One changes a file; another, who wants to begin anew, resets the checkout. */
async function reset(shell: Shell, repo: string): Promise<Result> {
  const path = join(repo, 'plan.txt');
  await shell(0, `cat ${path}`);
  await shell(0, `echo "what ann thought of" >> ${path}`);
  const { told } = await shell(1, `cd ${repo} && git reset -q --hard`);
  return { done: 1, kept: readFileSync(path, 'utf8').includes('ann') ? 1 : 0, told };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });

/** Two start a server on one port; one that crashes without a word is lost. */
async function servers(shell: Shell, repo: string): Promise<Result> {
  const port = await freePort();
  const serve = `require('http').createServer((q, s) => s.end()).listen(process.env.PORT, '127.0.0.1')`;
  const command = (agent: number) =>
    `cd ${repo}; PORT=${port} ${process.execPath} -e "${serve}" >/dev/null 2>&1 & echo $! > ${repo}/.git/pid-${agent}`;
  await shell(2, command(2));
  for (let polls = 0; polls < POLLS && !(await listens(port)); polls++) await sleep(POLL_MS);
  const { told } = await shell(3, command(3));
  await bash(`sleep 0.5; for f in ${repo}/.git/pid-*; do kill $(cat $f); done`);
  // Who was told had none started: it knows, and takes another port.
  return { done: told === '' ? 2 : 1, kept: 1, told };
}

const STORIES = [
  ['commits at once', commits],
  ['lines written to one file', lines],
  ['changes that a peer resets', reset],
  ['servers on one port', servers],
] as const;

export async function shareCheckout(room: Room): Promise<Shared[]> {
  const alone = await newCheckout(join(room.directory, 'alone'));
  const together = await newCheckout(join(room.directory, 'together'));
  const agents: Launch[] = [];
  for (const name of NAMES) agents.push(await room.agent(name));
  const told: Shared[] = [];
  for (const [what, story] of STORIES) {
    const { told: _none, ...direct } = await story(plainShell, alone);
    const { told: refused, ...mezz } = await story(askingShell(room, agents), together);
    told.push({ what, direct, mezz, told: refused });
  }
  return told;
}

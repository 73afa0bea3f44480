/**
 * What the models of four agents in one checkout have them do, whoever the agents are: each goes on by what it was told
 * of its last act. They meet where one must have acted before another does, and what is there then is counted.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../limits.ts';
import type { Counted } from './clobber.ts';
import { Points } from './points.ts';

export const NAMES = ['ann', 'bob', 'cem', 'dai'] as const;
export type Name = (typeof NAMES)[number];

/** One act: `shell` is a command, `read` and `write` are of a file, by the client's own tools for that. */
export interface Act {
  readonly does: 'shell' | 'read' | 'write';
  readonly what: string;
  readonly text?: string;
  /** Not before this. */
  readonly after?: Promise<void>;
}

/** Somebody did not let an agent do what it meant to: mezz, git, or the agent's own client. */
export interface Refused {
  readonly agent: Name;
  readonly act: string;
  readonly by: 'mezz' | 'git' | 'client';
  readonly told: string;
}

/** What came of it, by story. */
export interface Outcome {
  readonly stories: ReadonlyMap<Story, Counted>;
  readonly refused: readonly Refused[];
}

export const STORIES = {
  commits: 'commits at once',
  lines: 'lines written to one file by redirects',
  reset: 'changes that a peer resets',
  servers: 'servers on one port',
  own: 'a file written anew that a peer changed since it was read',
} as const;
export type Story = keyof typeof STORIES;

type Work = Generator<Act, void, string>;

const REFUSALS: readonly (readonly [Refused['by'], RegExp])[] = [
  // Codex repeats the command behind it.
  ['mezz', /mezz: [^\n"]+?(?=\.? Command: |[\n"]|$)/],
  ['client', /[^\n".]*(?:modified since|Failed to find expected lines)[^\n"]*/],
  ['git', /(?:fatal|error): [^\n"]+/],
];

/** Points of the work, and how many come there. */
const POINTS = {
  begun: NAMES.length,
  committed: NAMES.length,
  read: NAMES.length,
  written: NAMES.length,
  planned: 1,
  reset: 1,
  served: 1,
  counted: 1,
  noted: 1,
  changed: 1,
} as const;

const FILES = { 'shared.txt': 'first line\n', 'plan.txt': 'plan\n', 'notes.txt': 'notes\n' };
const WHO = { 'user.name': 'agent', 'user.email': 'agent@mezz.invalid', 'commit.gpgsign': 'false' };

interface Seat {
  readonly work: Work;
  readonly acts: (Act | undefined)[];
}

export class Plan {
  readonly repo: string;
  readonly #ports: readonly [number, number];
  readonly #points = new Points(POINTS);
  readonly #stories = new Map<Story, Counted>();
  readonly #refused: Refused[] = [];
  readonly #seats: ReadonlyMap<Name, Seat>;
  #commits = 0;

  private constructor(repo: string, ports: readonly [number, number], hasClients: boolean) {
    this.repo = repo;
    this.#ports = ports;
    this.#seats = new Map(NAMES.map((name) => [name, { work: this.#work(name, hasClients), acts: [] }]));
  }

  /** A new checkout in this directory, and what four agents do in it. `hasClients`: they have more tools than a shell. */
  static async begin(directory: string, hasClients: boolean): Promise<Plan> {
    mkdirSync(directory, { recursive: true });
    for (const [file, text] of Object.entries(FILES)) writeFileSync(join(directory, file), text);
    git(directory, 'init', '-q', '-b', 'main');
    for (const [name, value] of Object.entries(WHO)) git(directory, 'config', name, value);
    git(directory, 'add', '.');
    git(directory, 'commit', '-qm', 'start');
    return new Plan(directory, [await freePort(), await freePort()], hasClients);
  }

  /** The agent's act number `n`, told what became of the one before; undefined: it is done. To ask again changes nothing. */
  act(name: Name, n: number, told: string): Act | undefined {
    const { work, acts } = this.#seats.get(name) as Seat;
    if (n < acts.length) return acts[n];
    const last = acts.at(-1);
    if (last) this.#hear(name, last, told);
    const value = work.next(told).value ?? undefined;
    acts.push(value);
    return value;
  }

  /** Ends what the agents left running, and says what came of their work. */
  end(): Outcome {
    const folder = join(this.repo, '.git');
    // A server that only now finds its port free ends when it sees this.
    writeFileSync(join(folder, 'over'), '');
    for (const file of readdirSync(folder).filter((one) => one.startsWith('serves-')))
      end(join(folder, file));
    return { stories: this.#stories, refused: this.#refused };
  }

  *#work(name: Name, hasClients: boolean): Work {
    yield* this.#commit(name);
    yield* this.#writeLine(name);
    if (name === 'ann') yield* this.#think();
    if (name === 'bob') yield* this.#reset();
    if (name === 'cem') yield* this.#serve();
    if (name === 'dai') yield* this.#serveToo();
    if (hasClients && name === 'ann') yield* this.#rewrite();
    if (hasClients && name === 'bob') yield* this.#note();
  }

  /** All at once, each a file of its own, as agents commit: whatever there is. */
  *#commit(name: Name): Work {
    const file = `work-${name}.txt`;
    this.#points.reach('begun', name);
    const command = `echo ${name} > ${file} && git add -A && git commit -qm "work of ${name}"`;
    const told = yield this.#shell(command, this.#points.when('begun'));
    if (refusalOf(told) === undefined) this.#commits++;
    this.#points.reach('committed', name, () => {
      this.#stories.set('commits', { done: this.#commits, kept: wholeCommits(this.repo) });
    });
  }

  /** All have read the file before any of them writes it anew, with a line of its own; who is refused reads again. */
  *#writeLine(name: Name): Work {
    let seen = linesIn(yield this.#shell('cat shared.txt', this.#points.when('committed')));
    this.#points.reach('read', name);
    for (let tries = 0; tries <= NAMES.length; tries++) {
      const text = [...seen, `line of ${name}`].join('\n');
      const told = yield this.#shell(`cat > shared.txt <<'EOF'\n${text}\nEOF`, this.#points.when('read'));
      if (refusalOf(told)?.by !== 'mezz') break;
      seen = linesIn(yield this.#shell('cat shared.txt'));
    }
    this.#points.reach('written', name, () => {
      const kept = this.#text('shared.txt').match(/^line of /gm)?.length ?? 0;
      this.#stories.set('lines', { done: NAMES.length, kept });
    });
  }

  *#think(): Work {
    yield this.#shell('cat plan.txt', this.#points.when('written'));
    yield this.#shell('echo "what ann thought of" >> plan.txt');
    this.#points.reach('planned', 'ann');
  }

  /** Who wants to begin anew resets the checkout. */
  *#reset(): Work {
    yield this.#shell('git reset -q --hard', this.#points.when('planned'));
    this.#stories.set('reset', { done: 1, kept: this.#text('plan.txt').includes('ann') ? 1 : 0 });
    this.#points.reach('reset', 'bob');
  }

  *#serve(): Work {
    yield this.#shell(this.#server('cem', this.#ports[0]), this.#points.when('reset'));
    this.#points.reach('served', 'cem');
    // A client that ends takes its server with it.
    yield this.#shell('ls', this.#points.when('counted'));
  }

  /** On the port of a peer's server: one that crashes without a word is lost, who is told takes another port. */
  *#serveToo(): Work {
    const [port, other] = this.#ports;
    const listens = this.#points.when('served').then(() => untilListening(port));
    const told = yield this.#shell(this.#server('dai', port), listens);
    if (refusalOf(told)?.by === 'mezz') {
      yield this.#shell(this.#server('dai', other));
      yield this.#shell('ls', untilListening(other));
    }
    const serving = ['cem', 'dai'].filter((name) => existsSync(join(this.repo, '.git', `serves-${name}`)));
    this.#stories.set('servers', { done: 2, kept: serving.length });
    this.#points.reach('counted', 'dai');
  }

  /** What clients see to by themselves: a file is written anew that a peer has changed since it was read. */
  *#rewrite(): Work {
    const what = join(this.repo, 'notes.txt');
    yield { does: 'read', what, after: this.#points.when('reset') };
    this.#points.reach('noted', 'ann');
    yield { does: 'write', what, text: 'notes of ann', after: this.#points.when('changed') };
    this.#stories.set('own', { done: 1, kept: this.#text('notes.txt').includes('bob') ? 1 : 0 });
  }

  *#note(): Work {
    yield this.#shell('echo "what bob noted" >> notes.txt', this.#points.when('noted'));
    this.#points.reach('changed', 'bob');
  }

  #hear(agent: Name, act: Act, told: string): void {
    const refusal = refusalOf(told);
    if (refusal) this.#refused.push({ agent, act: nameOf(act), ...refusal });
  }

  #shell(command: string, after: Promise<void> = Promise.resolve()): Act {
    return { does: 'shell', what: `cd ${this.repo} && ${command}`, after };
  }

  /** Ended with the plan; where nobody does that any more, by itself. */
  #server(name: Name, port: number): string {
    const serve = `require('http').createServer((q, s) => s.end()).listen(process.env.PORT, '127.0.0.1', () => { const fs = require('fs'); if (fs.existsSync('.git/over')) process.exit(); fs.writeFileSync('.git/serves-${name}', String(process.pid)); }); setTimeout(process.exit, ${LIMITS.demoServerMs.value})`;
    const mark = `.git/serves-${name}`;
    // Some clients end what a command leaves running, before it has a session of its own: it waits, as agents do.
    return `{ PORT=${port} setsid ${process.execPath} -e "${serve}" >/dev/null 2>&1 </dev/null & }; until [ -e ${mark} ]; do kill -0 $! 2>/dev/null || break; sleep 0.1; done`;
  }

  #text(file: string): string {
    return readFileSync(join(this.repo, file), 'utf8');
  }
}

const refusalOf = (told: string): Pick<Refused, 'by' | 'told'> | undefined =>
  REFUSALS.flatMap(([by, words]) => {
    const found = words.exec(told)?.[0];
    return found === undefined ? [] : [{ by, told: found.trim() }];
  })[0];

/** The last command of a line, or what is done to which file. */
const nameOf = ({ does, what }: Act): string =>
  does === 'shell'
    ? (what.split('\n', 1)[0]?.split(' && ').at(-1) ?? what).slice(0, 60)
    : `${does} ${basename(what)}`;

/** Lines of the shared file in what an agent was told, however its client words it. */
const linesIn = (told: string): string[] =>
  told.match(/(?:first line|line of [a-z]{3})(?=$|[\s"\\])/gm) ?? [];

const git = (repo: string, ...args: string[]): string =>
  execFileSync('git', ['-C', repo, ...args], { encoding: 'utf8' });

/** Commits that hold what their agent did, and nothing else. */
const wholeCommits = (repo: string): number =>
  NAMES.filter((name) => {
    const files = git(repo, 'log', '--format=', '--name-only', `--grep=^work of ${name}$`).trim();
    return files === `work-${name}.txt`;
  }).length;

/** The process that the file names. */
function end(file: string): void {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // A file that is only just being written has none yet, and 0 would be all of this process's own group.
    if (pid > 0) process.kill(pid);
  } catch {
    // It has ended with its agent.
  }
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

async function untilListening(port: number): Promise<void> {
  const end = performance.now() + LIMITS.experimentMs.value;
  while (performance.now() < end && !(await listens(port))) await sleep(LIMITS.kernelPollMs.value);
}

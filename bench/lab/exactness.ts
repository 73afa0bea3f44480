/**
 * Answers of the embedded engine that are stopped at random points while others are written, against the same answers
 * of a process that writes one at a time and is never stopped. Both are the engine's own child processes, asked as the
 * kernel asks them.
 */
import { type Random, seededRandom } from '../../src/base/random.ts';
import { systemClock } from '../../src/drivers/clock.ts';
import { findComponent } from '../../src/drivers/engine/component.ts';
import { EngineHost, type EngineJob, type JobEnd } from '../../src/drivers/engine/host.ts';
import { collectAnswer } from '../../src/wire/collect.ts';
import type { NeutralEvent, NeutralRequest } from '../../src/wire/neutral.ts';
import { CODECS } from '../../src/wire/translate.ts';

export interface Plan {
  readonly modelPath: string;
  readonly windowTokens: number;
  readonly answers: number;
  /** Stops of each answer, at random points. */
  readonly stops: number;
  /** Answers written at once. */
  readonly together: number;
  readonly mostTokens: number;
  /** Of a question. */
  readonly mostWords: number;
  readonly temperature: number;
  readonly seed: number;
}

export interface Outcome {
  /** Points at which an answer was really stopped and went on. */
  readonly points: number;
  /** Of them, while the prompt was read. */
  readonly whileReading: number;
  readonly answers: number;
  readonly identical: number;
  readonly tokens: number;
  /** Events of other answers that came while one was stopped, and tokens of the stopped one itself. */
  readonly others: number;
  readonly own: number;
  /** Steps of the model that ended between the word and the stop, in the engine's process: how many stops took so many. */
  readonly steps: ReadonlyMap<number, number>;
}

const WORDS = 'a kernel is the level between what runs and what it runs on'.split(' ');

/** Questions of 10 words and more, no two of them with the same beginning. */
function requests({ answers, mostTokens, mostWords, temperature }: Plan, random: Random): NeutralRequest[] {
  return Array.from({ length: answers }, (_, at) => {
    const words = Array.from(
      { length: 10 + below(random, mostWords - 10) },
      () => WORDS[below(random, WORDS.length)],
    );
    return CODECS['openai-chat'].decodeRequest({
      model: 'engine/exact',
      messages: [{ role: 'user', content: `${at}: ${words.join(' ')}` }],
      temperature,
      max_completion_tokens: mostTokens,
    });
  });
}

const below = (random: Random, bound: number): number => Math.floor(random.unit() * bound);

function openHost({ modelPath, windowTokens }: Plan, sequences: number): EngineHost {
  const component = findComponent('/nowhere');
  if (component === undefined) throw new Error('node-llama-cpp is not installed');
  return new EngineHost({ component, modelPath, threads: 1, sequences, windowTokens }, systemClock);
}

/** One answer, stopped at its points. */
class Answer {
  readonly #team: Team;
  readonly #points: number[];
  readonly #events: NeutralEvent[] = [];
  readonly #job: EngineJob;
  /** Events of others after which it goes on; undefined while it runs. */
  #until: number | undefined;
  #stopping = false;
  #left: number;
  stopped = false;
  readonly ended: Promise<JobEnd>;

  constructor(team: Team, host: EngineHost, request: NeutralRequest, seed: number, points: number[]) {
    this.#team = team;
    this.#points = points;
    this.#left = points.length;
    const job = { kind: 'generate', request, sampling: { seed } } as const;
    this.#job = host.run(job, (events) => this.#hear(events), new AbortController().signal);
    this.ended = this.#job.ended;
    this.#look();
  }

  get text(): string {
    return JSON.stringify(collectAnswer(this.#events).parts);
  }

  get tokens(): number {
    return this.#events.filter(({ kind }) => kind === 'delta').length;
  }

  #hear(events: readonly NeutralEvent[]): void {
    if (this.stopped) this.#team.own += events.filter(({ kind }) => kind === 'delta').length;
    this.#events.push(...events);
    this.#team.heard++;
    this.#look();
    this.#team.look();
  }

  /** Is this a point at which it is to stop? */
  #look(): void {
    if (this.#stopping || this.#left === 0 || this.tokens < (this.#points[0] as number)) return;
    this.#points.shift();
    this.#left--;
    this.#stopping = true;
    void this.#job.suspend().then(({ steps }) => this.#stop(steps));
  }

  #stop(steps: number): void {
    const team = this.#team;
    team.points++;
    if (this.#events.length < 2) team.whileReading++;
    team.steps.set(steps, (team.steps.get(steps) ?? 0) + 1);
    this.stopped = true;
    this.#until = team.heard + 1 + below(team.random, 8);
    team.look();
  }

  /** Goes on when others have gone on long enough, or none is left that could. */
  resume(): void {
    const team = this.#team;
    if (this.#until === undefined || (team.heard < this.#until && team.isMoving)) return;
    team.others += Math.max(0, team.heard - this.#until + 1);
    this.#until = undefined;
    this.stopped = false;
    this.#stopping = false;
    this.#job.proceed();
    this.#look();
  }
}

/** The answers that are written at once, and what was seen of them. */
class Team {
  readonly random: Random;
  readonly members = new Set<Answer>();
  readonly steps = new Map<number, number>();
  heard = 0;
  points = 0;
  whileReading = 0;
  others = 0;
  own = 0;

  constructor(random: Random) {
    this.random = random;
  }

  get isMoving(): boolean {
    return [...this.members].some(({ stopped }) => !stopped);
  }

  look(): void {
    for (const member of this.members) member.resume();
  }
}

export async function measureExactness(plan: Plan): Promise<Outcome> {
  const random = seededRandom(plan.seed);
  const asked = requests(plan, random);
  const alone = openHost(plan, 1);
  const busy = openHost(plan, plan.together);
  try {
    const expected = await writeAlone(alone, asked, plan.seed);
    const team = new Team(random);
    const answers: Answer[] = [];
    const waiting = asked.map((request, at) => ({ request, at }));
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const points = Array.from({ length: plan.stops }, () => below(random, plan.mostTokens));
        const sorted = points.sort((a, b) => a - b);
        const answer = new Answer(team, busy, next.request, plan.seed + next.at, sorted);
        answers[next.at] = answer;
        team.members.add(answer);
        const end = await answer.ended;
        if (end.kind !== 'done') throw new Error(JSON.stringify(end));
        team.members.delete(answer);
        team.look();
      }
    };
    await Promise.all(Array.from({ length: plan.together }, lane));
    const { points, whileReading, others, own, steps } = team;
    return {
      points,
      whileReading,
      others,
      own,
      steps,
      answers: answers.length,
      identical: answers.filter(({ text }, at) => text === expected[at]).length,
      tokens: answers.reduce((sum, { tokens }) => sum + tokens, 0),
    };
  } finally {
    alone.close();
    busy.close();
  }
}

async function writeAlone(
  host: EngineHost,
  asked: readonly NeutralRequest[],
  seed: number,
): Promise<string[]> {
  const texts: string[] = [];
  for (const [at, request] of asked.entries()) {
    const answer = new Answer(new Team(seededRandom(1)), host, request, seed + at, []);
    const end = await answer.ended;
    if (end.kind !== 'done') throw new Error(JSON.stringify(end));
    texts.push(answer.text);
  }
  return texts;
}

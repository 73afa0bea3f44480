import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { UsageFailure } from '../../exit.ts';
import { LIMITS } from '../../limits.ts';
import { send } from '../http.ts';
import { until } from '../race.ts';
import type { Action, Description } from './description.ts';
import { fill, fillText, type Places } from './places.ts';

export interface Done {
  /** The program ended with 0, or the answer's status was below 400. */
  readonly ok: boolean;
  readonly text: string;
}

/** Does it, and says what came of it; what cannot be done at all is not ok. */
export async function act(action: Action, places: Places): Promise<Done> {
  if ('run' in action) return run(fill([...action.run], places), fill({ ...action.env }, places));
  const { url, method, headers, body } = action;
  try {
    const reply = await send({
      url: fillText(url, places),
      method,
      headers: fill({ ...headers }, places),
      body: body ? JSON.stringify(fill(body, places)) : '',
    });
    return { ok: reply.status < 400, text: reply.text };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

/** As `act`; the experiment fails where it does not go well. */
export async function must(action: Action, places: Places, what: string): Promise<string> {
  const { ok, text } = await act(action, places);
  if (!ok) throw new UsageFailure(`${what} failed: ${text.trim().slice(0, 200)}`);
  return text.trim();
}

function run([program = '', ...args]: string[], env: Record<string, string>): Promise<Done> {
  const options = {
    env: { ...process.env, ...env },
    timeout: LIMITS.subjectAnswerMs.value,
    maxBuffer: LIMITS.subjectTextBytes.value,
  };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, out, err) => {
      resolve({ ok: error === null, text: error === null ? out : `${out}${err}` || error.message });
    });
  });
}

/** The product's own process, where its description says how it is started. */
export class Process {
  readonly #start: NonNullable<Description['start']>;
  readonly #places: Places;
  #child: ChildProcess | undefined;

  constructor(start: NonNullable<Description['start']>, places: Places) {
    this.#start = start;
    this.#places = places;
  }

  async start(): Promise<void> {
    const [program = '', ...args] = fill([...this.#start.run], this.#places);
    const env = { ...process.env, ...fill({ ...this.#start.env }, this.#places) };
    const child = spawn(program, args, { env, stdio: 'ignore' });
    this.#child = child;
    let ended: string | undefined;
    child.once('error', (error) => {
      ended = error.message;
    });
    child.once('exit', (code) => {
      ended ??= `it ended with ${code}`;
    });
    const url = fillText(this.#start.ready, this.#places);
    await until(`${program} answers at ${url}`, async () => {
      if (ended !== undefined) throw new UsageFailure(`${[program, ...args].join(' ')}: ${ended}`);
      return isAnswered(url);
    });
  }

  async crash(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** Anything that is an answer: a product may have nothing at the address that it is asked for. */
const isAnswered = (url: string): Promise<boolean> =>
  send({ url, method: 'GET', headers: {}, body: '' }).then(
    () => true,
    () => false,
  );

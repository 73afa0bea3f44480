/** What this agent can do. A tool does one thing, says what it did in words a model can use, and throws when it failed. */
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

type Input = Record<string, string>;
export interface Tool {
  readonly what: string;
  /** Its arguments, all of them texts, and what each means. */
  readonly takes: Input;
  readonly use: (input: Input, signal: AbortSignal) => string | Promise<string>;
}

/** What a model gets to read of one result, in characters: the rest would push out the conversation. */
const MOST_TEXT = 20_000;
const MOST_BYTES = 10_000_000;
const COMMAND_SECONDS = 120;
const SPAWN_SECONDS = 1800;

/** `notes` is the file that `remember` writes; `again` starts one more of these shells, an agent of its own, with a task. */
export function toolsOf(notes: string, again: (task: string) => readonly string[]): Record<string, Tool> {
  return {
    read: {
      what: 'Read a text file, or list a directory.',
      takes: { path: 'the file or directory' },
      use: ({ path = '' }) =>
        statSync(path).isDirectory() ? readdirSync(path).join('\n') : readFileSync(path, 'utf8'),
    },
    write: {
      what: 'Write a text file, in place of what it held.',
      takes: { path: 'the file', text: 'all that shall be in it' },
      use({ path = '', text = '' }) {
        writeFileSync(path, text);
        return `written: ${text.length} characters to ${path}`;
      },
    },
    run: {
      what: `Run a command in sh. It has no keyboard, and ${COMMAND_SECONDS} seconds.`,
      takes: { command: 'the command' },
      async use({ command = '' }, signal) {
        const { out, err } = await finish(['sh', '-c', command], COMMAND_SECONDS, signal);
        return out + err || '(it printed nothing)';
      },
    },
    spawn: {
      what: 'Give a task to a sub-agent that knows nothing but what you write, and wait for its answer.',
      takes: { task: 'the task, with everything that is needed for it' },
      use: async ({ task = '' }, signal) => (await finish(again(task), SPAWN_SECONDS, signal)).out.trim(),
    },
    remember: {
      what: 'Keep a note for later sessions.',
      takes: { note: 'one line' },
      use({ note = '' }) {
        appendFileSync(notes, `${note.replaceAll(/\s+/g, ' ')}\n`, { mode: 0o600 });
        return `kept as the last line of ${notes}`;
      },
    },
  };
}

/** What earlier sessions kept, the latest of it: all of this is in the system prompt. */
export const notesIn = (path: string): string =>
  existsSync(path) ? readFileSync(path, 'utf8').slice(-MOST_TEXT / 4) : '';

export const cut = (text: string): string =>
  text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}\n(cut: the rest is not shown)`;

/** What a model wrote as arguments, which may be anything. The gate is asked about what is done: no path stays relative. */
export function readInput({ takes }: Tool, text: string): Input {
  const given = Object(JSON.parse(text)) as Input;
  for (const name of Object.keys(takes))
    if (typeof given[name] !== 'string') throw new Error(`the argument ${name} is missing, or no text`);
  return takes.path ? { ...given, path: resolve(given.path ?? '') } : given;
}

/** A tool as Chat describes one: its arguments are a JSON schema. */
export function describe([name, { what, takes }]: [string, Tool]) {
  const properties = Object.entries(takes).map(([key, text]) => [key, { type: 'string', description: text }]);
  const schema = { properties: Object.fromEntries(properties), required: Object.keys(takes) };
  const parameters = { type: 'object', ...schema };
  return { type: 'function', function: { name, description: what, parameters } };
}

/** Runs a program to its end and gives what it printed; one that fails, throws it. */
function finish([program = '', ...words]: readonly string[], seconds: number, signal: AbortSignal) {
  // The address is this agent's alone: with it, a command could call models in the agent's name.
  const { MEZZ_URL: _address, ...env } = process.env;
  const options = { env, signal, timeout: seconds * 1000, maxBuffer: MOST_BYTES };
  return new Promise<{ out: string; err: string }>((done, fail) => {
    const child = execFile(program, words, options, (error, out, err) => {
      if (!error) return done({ out, err });
      const how = error.signal ? `ended by ${error.signal}` : `exit ${error.code}`;
      fail(new Error(`${how}\n${out}${err}`.trim()));
    });
    child.stdin?.end();
  });
}

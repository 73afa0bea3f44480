/**
 * A small agent in the terminal, and how an agent is written for mezz: kernel.ts speaks with the kernel, tools.ts is
 * what it can do, conversation.ts is its loop, this file is the keyboard and the screen. It imports nothing of mezz.
 *
 *   mezz sh                       which is: mezz run --client mezz-sh -- node examples/sh/sh.ts
 *   mezz sh -c "what is here?"    the answer on standard output, all else on standard error
 */
import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs, styleText } from 'node:util';
import { type Conversation, textOf, turn, type Watcher } from './conversation.ts';
import { Kernel, Refused } from './kernel.ts';
import { notesIn, toolsOf } from './tools.ts';

const { env, stdin, stdout, stderr } = process;
const { values } = parseArgs({
  options: { command: { type: 'string', short: 'c' }, model: { type: 'string' }, json: { type: 'boolean' } },
});
const notes = env.MEZZ_NOTES ?? 'mezz-notes.txt';
// One more of these shells is this agent's child: it inherits the mark MEZZ_AGENT, which begins with the agent's number.
const shell = [process.execPath, env.MEZZ_BIN ?? '', 'sh'];
const again = (task: string) => [...shell, '--model', talk.model, '-c', task];
const system = `You are a helpful agent in a terminal. You work in ${process.cwd()} on ${process.platform}. Be brief.
A gate decides about each tool call. What it refuses stays undone: do not try another way, say it.
Notes from earlier sessions:
${notesIn(notes) || 'none'}`;
const talk: Conversation = {
  kernel: new Kernel(env.MEZZ_URL ?? 'http://127.0.0.1:7717'),
  tools: toolsOf(notes, again),
  model: values.model ?? 'lab',
  messages: [{ role: 'system', content: system }],
};

const print = (text: string) => void stdout.write(text);
/** A line beside the answer, plain where the stream is no terminal; what went wrong is told whole. */
const note: Watcher['note'] = (style, line) => {
  const room = style === 'red' ? line.length : (stderr.columns ?? 120) - 4;
  const fitting = `  ${line.replaceAll(/\n\s*/g, ' ').slice(0, room)}`;
  stderr.write(`${styleText(style, fitting, { stream: stderr })}\n`);
};

/** What went wrong, with the exit code that `mezz help exit-codes` has for it. */
function reasonOf(error: unknown) {
  if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED')
    return { code: 'unreachable', message: 'no kernel answers. Next: mezz sh', exit: 7 };
  const { code, status } = error instanceof Refused ? error : { code: 'failed', status: 0 };
  const byStatus: Record<number, number> = { 401: 4, 402: 6, 403: 4, 404: 3 };
  return { code, message: textOf(error), exit: code === 'awaiting_approval' ? 5 : (byStatus[status] ?? 1) };
}

/** One question, one answer; gives the exit code. */
async function answerOnce(question: string): Promise<number> {
  if (question.trim() === '') return note('red', 'nothing was asked') ?? 2;
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const printJson = (name: string, more: object) => print(`${JSON.stringify({ schema: name, ...more })}\n`);
  try {
    const answer = await turn(talk, question, { text: values.json ? () => {} : print, note }, stop.signal);
    if (values.json) printJson('mezz.sh/1', { model: talk.model, answer });
    else print('\n');
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    const { exit, ...reason } = reasonOf(error);
    if (values.json) printJson('mezz.error/1', { error: reason });
    stderr.write(`${reason.message}\n`);
    return exit;
  }
}

/**
 * What is typed, or undefined for Ctrl-D; lines pasted at once are one question. The keyboard is ours only while a line
 * is typed: during an answer Ctrl-C is a signal, to this process and to the command it runs.
 */
function readLine(history: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdin, output: stdout, prompt: '> ', history: [...history] });
    const typed: string[] = [];
    const close = () => setImmediate(() => lines.close());
    lines.on('line', (line) => typed.push(line) === 1 && close());
    lines.on('SIGINT', () => stdout.write('^C\n') && typed.push('') && close());
    lines.on('history', (lately) => history.splice(0, history.length, ...lately));
    lines.on('close', () => resolve(typed.length > 0 ? typed.join('\n').trim() : undefined));
    lines.prompt();
  });
}

const HELP = `/model <name>  let another model answer (mezz model lists them)
/new           start a new conversation; notes stay, in ${notes}
Ctrl-C stops an answer, Ctrl-D leaves.
`;

async function converse(): Promise<number> {
  print(`${talk.model} answers. /help says what can be typed, Ctrl-D leaves.\n`);
  const history: string[] = [];
  let stop = new AbortController();
  process.on('SIGINT', () => stop.abort());
  for (;;) {
    await talk.kernel.tell('Stop');
    const line = await readLine(history);
    if (line === undefined) return print('\n') ?? 0;
    if (line === '/new') talk.messages.length = 1;
    if (line.startsWith('/model ')) talk.model = line.slice('/model '.length).trim();
    if (line.startsWith('/')) print(`${talk.model} answers.\n${HELP}`);
    if (line === '' || line.startsWith('/')) continue;
    stop = new AbortController();
    await talk.kernel.tell('UserPromptSubmit');
    try {
      await turn(talk, line, { text: print, note }, stop.signal);
      print('\n');
    } catch (error) {
      const why = stop.signal.aborted ? 'stopped' : reasonOf(error).message;
      print('\n');
      note('red', why);
    }
  }
}

if (values.command !== undefined) process.exitCode = await answerOnce(values.command);
else process.exitCode = stdin.isTTY ? await converse() : await answerOnce(await readAll(stdin));

/**
 * run/ owns the programs that the command line starts for agents: their start, signals, end and leftovers.
 * Invariant: a program keeps the terminal, its signals and its exit code; after its end nothing of it is left running
 * that still carries its mark. It must not know: what a client needs, or what the kernel decides.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Launch } from '../../base/control.ts';
import type { ClientAdapter, Preparation } from '../adapters/adapter.ts';
import { readTextIfThere } from '../files.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { Family, startTicks } from './family.ts';
import { newMark, reapLeftovers } from './leftovers.ts';

/** How a program ended: its own exit code, or the signal that ended it; neither when it could not be started. */
interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly failure?: NodeJS.ErrnoException;
}

/** A shell's exit code for it: its own, 128+n, 126 (cannot be executed) or 127 (not found). */
export function exitCodeOf({ code, signal, failure }: Ending): number {
  if (failure) return failure.code === 'ENOENT' ? 127 : 126;
  return code ?? 128 + (signal ? osConstants.signals[signal] : 0);
}

/** The terminal sends Ctrl-C to the program by itself; a signal to this process alone is handed on. */
function handSignals(child: ChildProcess): () => void {
  const handlers: [NodeJS.Signals, () => void][] = [
    ['SIGINT', () => {}],
    ['SIGQUIT', () => {}],
    ['SIGTERM', () => child.kill('SIGTERM')],
    ['SIGHUP', () => child.kill('SIGHUP')],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

/** With several programs at once nobody has the keyboard, and each line says whose it is. */
function labelLines(session: Session, child: ChildProcess, name: string): Promise<unknown> {
  const copy = (stream: NodeJS.ReadableStream | null, sink: { write(text: string): unknown }) =>
    new Promise<void>((done) => {
      if (!stream) return done();
      const lines = createInterface({ input: stream });
      lines.on('line', (line) => sink.write(`[${name}] ${line}\n`));
      lines.on('close', done);
    });
  return Promise.all([copy(child.stdout, session.terminal.out), copy(child.stderr, session.terminal.err)]);
}

function waitForEnd(child: ChildProcess): Promise<Ending> {
  return new Promise((done) => {
    child.once('error', (failure) => {
      if (child.pid === undefined) done({ code: null, signal: null, failure });
    });
    child.once('exit', (code, signal) => done({ code, signal }));
  });
}

/** Tells the kernel; a kernel that is gone must not take the user's program with it. */
async function tell(session: Session, telling: Promise<unknown>): Promise<void> {
  try {
    await telling;
  } catch (error) {
    session.terminal.note(`mezz: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Starts the program, with the terminal as its own, and waits for its end. The agent is told to the kernel as started
 * and as exited, and what it left running is ended. Returns the exit code.
 */
async function superviseProgram(
  session: Session,
  launch: Launch,
  preparation: Preparation,
  alone: boolean,
): Promise<number> {
  const mark = newMark(launch.pid);
  const [program = '', ...args] = preparation.command;
  const child = spawn(program, args, {
    cwd: launch.cwd,
    stdio: alone ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    env: { ...session.env, ...preparation.env, MEZZ_AGENT: mark },
  });
  const letGo = handSignals(child);
  const ended = waitForEnd(child);
  const printed = alone ? undefined : labelLines(session, child, launch.name);
  const agent = String(launch.pid);
  if (child.pid !== undefined) {
    const ticks = startTicks(child.pid);
    const started = { agent, osPid: child.pid, ...(ticks === undefined ? {} : { startTicks: ticks }) };
    await tell(session, session.control.call('agent.started', started));
  }
  const family = new Family();
  const looks = setInterval(
    () => child.pid !== undefined && family.look(child.pid),
    LIMITS.familyLookMs.value,
  );
  const ending = await ended;
  clearInterval(looks);
  const left = await reapLeftovers(mark, family);
  await printed;
  letGo();
  const code = exitCodeOf(ending);
  if (ending.failure) session.terminal.note(...startFailure(program, ending.failure));
  if (left > 0)
    session.terminal.note(
      `mezz: ended ${left === 1 ? 'a process' : `${left} processes`} that ${launch.name} left running`,
    );
  const exitCode = ending.signal === null ? code : null;
  await tell(session, session.control.call('agent.exited', { agent, exitCode, signal: ending.signal }));
  return code;
}

/** Why a program did not start, and what to do about it. */
function startFailure(program: string, { code, message }: NodeJS.ErrnoException): string[] {
  return code === 'ENOENT'
    ? [`mezz: there is no program ${program} on the PATH`, 'Next: install it, or name it by its path']
    : [`mezz: ${program} cannot be started: ${message}`, 'Next: look whether the file may be executed'];
}

/** Runs one program as the agent of `launch`; its temporary files are gone afterwards. Returns the exit code. */
export async function runProgram(
  session: Session,
  adapter: ClientAdapter,
  launch: Launch,
  command: readonly string[],
  alone: boolean,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-'));
  try {
    const preparation = adapter.prepare(launch, command, {
      env: session.env,
      home: homedir(),
      directory,
      mezz: session.mezz,
      readText: (path) => readTextIfThere(session.cwd, path),
    });
    for (const { path, text } of preparation.files) writeFileSync(path, text, { mode: 0o600 });
    session.terminal.note(...preparation.notes.map((note) => `mezz: ${note}`));
    return await superviseProgram(session, launch, preparation, alone);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

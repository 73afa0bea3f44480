import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import { UsageFailure } from './exit.ts';
import { formatTime } from './format.ts';
import { LIMITS } from './limits.ts';
import type { Session } from './session.ts';
import { plainCell } from './table.ts';
import type { Style, Terminal } from './terminal.ts';

/** Where a kernel in the background logs to; what does not fit any more is in `<path>.1`. */
export const kernelLogPath = (stateDir: string): string => join(stateDir, 'kernel.log');

export interface KernelLogOptions {
  readonly json?: boolean;
  readonly follow?: boolean;
  /** How many of the newest lines. */
  readonly number: number;
  /** Lines from this instant on, ms since 1970. */
  readonly sinceMs?: number;
}

const STYLES: Readonly<Record<string, Style>> = { error: 'red', warn: 'yellow', debug: 'dim' };

/** The text from `offset` bytes on; a file that has become shorter was emptied and is read from its start. */
function readFrom(path: string, offset: number): { text: string; end: number } {
  try {
    const { size } = statSync(path);
    const bytes = readFileSync(path).subarray(size < offset ? 0 : offset);
    return { text: bytes.toString('utf8'), end: size < offset ? bytes.length : offset + bytes.length };
  } catch {
    return { text: '', end: 0 };
  }
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Prints the kernel's log: it is a file, so it can be read while no kernel runs, which is when it matters most. */
export async function showKernelLog(session: Session, options: KernelLogOptions): Promise<void> {
  const { terminal, stateDir } = session;
  const path = kernelLogPath(stateDir);
  let { text, end } = readFrom(path, 0);
  if (text === '' && !options.follow)
    throw new UsageFailure(`There is no log at ${path}: no kernel ran in the background here`, 'mezz up', 3);
  const old = linesOf(readFrom(`${path}.1`, 0).text);
  const recent = [...old, ...linesOf(text)].filter((line) => isRecentEnough(line, options.sinceMs));
  printLines(session, recent.slice(-options.number), options);
  while (options.follow) {
    await sleep((LIMITS.watchSeconds.value * 1000) / 2);
    const more = readFrom(path, end);
    // A line without its end is read again when it is whole.
    const whole = more.text.lastIndexOf('\n') + 1;
    end = more.end - Buffer.byteLength(more.text.slice(whole));
    text = more.text.slice(0, whole);
    printLines(session, linesOf(text), options);
  }
  if (terminal.interactive && !options.json) terminal.note(`from ${path}`);
}

const isRecentEnough = (line: string, sinceMs: number | undefined): boolean => {
  if (sinceMs === undefined) return true;
  const record = parseJson(line);
  return isRecord(record) && Date.parse(String(record.at)) >= sinceMs;
};

function printLines(session: Session, lines: readonly string[], options: KernelLogOptions): void {
  const { terminal } = session;
  for (const line of lines) {
    const record = parseJson(line);
    if (!isRecord(record)) terminal.print(plainCell(line, Number.POSITIVE_INFINITY));
    else if (options.json) terminal.printJson(record, false);
    else terminal.print(formatRecord(terminal, record, session.now()));
  }
}

/** `12:03:04  warn   backend.limited  backend=openai times=3` */
function formatRecord(terminal: Terminal, record: JsonRecord, nowMs: number): string {
  const { at, level, event, ...fields } = record;
  const style = STYLES[String(level)];
  const word = String(level).padEnd(5);
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const text = plainCell([String(event), ...rest].join('  '), Number.POSITIVE_INFINITY);
  return `${formatTime(Date.parse(String(at)), nowMs)}  ${style ? terminal.style(style, word) : word}  ${text}`;
}

/** Why a kernel did not come up, from what its log says since `offset`. */
export function readFailure(path: string, offset: number): { message: string; remedy: string | undefined } {
  const lines = linesOf(readFrom(path, offset).text);
  const failed = lines
    .map((line) => parseJson(line))
    .findLast((record) => isRecord(record) && record.event === 'kernel.not_started');
  if (isRecord(failed))
    return {
      message: String(failed.message),
      remedy: typeof failed.remedy === 'string' ? failed.remedy : undefined,
    };
  return { message: lines.slice(-12).join('\n'), remedy: undefined };
}

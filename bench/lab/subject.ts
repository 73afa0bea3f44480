/** A process under measurement: started from a file of this folder, read by lab/meter.ts, ended by its own pid. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Reading } from './meter.ts';

const METER = new URL('./meter.ts', import.meta.url).href;

export interface Subject {
  readonly name: string;
  readonly pid: number;
  /** What the process said when it was ready. */
  readonly said: Readonly<Record<string, string>>;
  read(): Promise<Reading>;
  stop(): Promise<void>;
}

export interface Start {
  /** A file of this folder, or an absolute path. */
  readonly file: string;
  readonly args?: readonly string[];
  readonly node?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Where the process does not report by itself: asked until it answers true. */
  readonly ready?: () => Promise<boolean>;
}

export async function startSubject(name: string, start: Start): Promise<Subject> {
  const path = start.file.startsWith('/')
    ? start.file
    : fileURLToPath(new URL(`./${start.file}`, import.meta.url));
  const child = fork(path, [...(start.args ?? [])], {
    execArgv: ['--import', METER, ...(start.node ?? [])],
    env: { ...process.env, ...start.env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended early (${String(code)})`);
  });
  gone.catch(() => {});
  const said = await Promise.race([start.ready ? poll(start.ready) : firstMessage(child), gone]);
  return {
    name,
    pid: child.pid as number,
    said,
    read: () => Promise.race([askReading(child), gone]),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function firstMessage(child: ChildProcess): Promise<Record<string, string>> {
  const [message] = await once(child, 'message');
  return message as Record<string, string>;
}

async function poll(ready: () => Promise<boolean>): Promise<Record<string, string>> {
  while (!(await ready())) await new Promise((resolve) => setTimeout(resolve, 50));
  return {};
}

async function askReading(child: ChildProcess): Promise<Reading> {
  child.send('read');
  const [answer] = (await once(child, 'message')) as [{ reading: Reading }];
  return answer.reading;
}

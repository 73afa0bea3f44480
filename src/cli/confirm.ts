import { createInterface } from 'node:readline/promises';
import type { Session } from './session.ts';

/** Asks a person at the terminal; without one nobody is asked and the answer is no. */
export async function confirm(session: Session, question: string): Promise<boolean> {
  if (!session.terminal.interactive || !process.stdin.isTTY) return false;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

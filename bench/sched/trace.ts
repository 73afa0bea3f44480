/** Real sessions as programs: the calls of one user turn, with what each computes and the gap before it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Tokens that a slot of the engine reads and writes in a second. */
export const PREFILL = 8_000;
export const DECODE = 50;
const BLOCK = 64;
const LONGEST_GAP_S = 600;

export interface Step {
  /** Tokens of the whole input, and of it those that no cache of the session has. */
  readonly input: number;
  readonly fresh: number;
  readonly output: number;
  /** Seconds of service when the cache is warm. */
  readonly serviceS: number;
  /** Seconds between the end of the call before and this one. */
  readonly gapS: number;
}
export interface Program {
  readonly steps: readonly Step[];
  readonly serviceS: number;
  /** What it takes alone on a warm engine: service and gaps. */
  readonly aloneS: number;
}

type Row = readonly [number, number, number, number, number, number, string, string, number, number];

/** The sessions in two halves by a hash of their id: one to learn from, the other to be measured on. */
export function readTrace(): { readonly train: Program[]; readonly test: Program[] } {
  const file = new URL('../data/claude-code-programs.jsonl.gz', import.meta.url);
  const [, ...lines] = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  const halves: { train: Program[]; test: Program[] } = { train: [], test: [] };
  for (const line of lines) {
    const { id, steps } = JSON.parse(line) as { id: string; steps: (Row | object)[] };
    const isTrain = (createHash('sha256').update(id).digest()[0] as number) % 2 === 1;
    halves[isTrain ? 'train' : 'test'].push(...programsOf(steps));
  }
  return halves;
}

/** A program begins at each step that is no tool's result; sub-agents are left out. */
function programsOf(steps: readonly (Row | object)[]): Program[] {
  const runs: Step[][] = [];
  for (const row of steps) {
    if (!Array.isArray(row)) continue;
    const [, input, output, reused, , , kind, , , thinkS] = row as unknown as Row;
    if (kind !== 'T' || runs.length === 0) runs.push([]);
    const run = runs.at(-1) as Step[];
    const fresh = Math.max(0, input - BLOCK * reused);
    const gapS = run.length === 0 ? 0 : Math.min(LONGEST_GAP_S, thinkS);
    run.push({ input, fresh, output, serviceS: fresh / PREFILL + output / DECODE, gapS });
  }
  return runs.map((run) => {
    const serviceS = run.reduce((sum, step) => sum + step.serviceS, 0);
    return { steps: run, serviceS, aloneS: serviceS + run.reduce((sum, step) => sum + step.gapS, 0) };
  });
}

/** Counters as the rows hold them, and how a limit's dimension reads them. */
import type { LimitView } from '../base/money.ts';
import type { NanoUsd, Usage } from '../base/usage.ts';

export interface Counts {
  requests: number;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: NanoUsd;
}

export const noCounts = (): Counts => ({
  requests: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  cost: 0,
});

export function addUse(counts: Counts, usage: Usage, cost: NanoUsd, requests: number): void {
  counts.requests += requests;
  counts.input += usage.input;
  counts.cacheRead += usage.cacheRead;
  counts.cacheWrite += usage.cacheWrite;
  counts.output += usage.output;
  counts.reasoning += usage.reasoning;
  counts.cost += cost;
}

/** What was used between two states of the same counters. */
export const difference = (now: Counts, before: Counts): Counts => ({
  requests: now.requests - before.requests,
  input: now.input - before.input,
  cacheRead: now.cacheRead - before.cacheRead,
  cacheWrite: now.cacheWrite - before.cacheWrite,
  output: now.output - before.output,
  reasoning: now.reasoning - before.reasoning,
  cost: now.cost - before.cost,
});

/** What the counters say in one dimension; `tokens` are all of them, cached or not. */
export function usedOf(counts: Counts, dimension: Exclude<LimitView['dimension'], 'share'>): number {
  switch (dimension) {
    case 'usd':
      return counts.cost;
    case 'requests':
      return counts.requests;
    case 'output':
      return counts.output;
    case 'tokens':
      return counts.input + counts.cacheRead + counts.cacheWrite + counts.output;
  }
}

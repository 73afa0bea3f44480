/** The child process: one model, asked by messages. It ends when the kernel is gone. */
import { writeFileSync } from 'node:fs';
import type { FromChild, Job, ToChild } from './protocol.ts';
import type { Latch } from './steps.ts';
import { Weights } from './weights.ts';

const say = (message: FromChild): void => {
  process.send?.(message);
};
/** The jobs that run: what ends each, and what stops it for a while. */
const running = new Map<number, { readonly stop: AbortController; readonly latch: Latch }>();
let weights: Weights | undefined;

async function open(message: Extract<ToChild, { kind: 'open' }>): Promise<void> {
  yieldMemory();
  try {
    weights = await Weights.open(message, () => say({ kind: 'loading' }));
    say({ kind: 'ready' });
  } catch (error) {
    say({ kind: 'unusable', message: error instanceof Error ? error.message : String(error) });
  }
}

/** Where memory runs out, the system takes it from here first and not from the kernel. */
function yieldMemory(): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // A sandbox may hide it; then the system chooses by size, and this process is the larger one.
  }
}

async function perform(id: number, job: Job, weights: Weights): Promise<void> {
  const stop = new AbortController();
  const latch = weights.newLatch();
  running.set(id, { stop, latch });
  try {
    const answer = await answerOf(id, job, weights, latch, stop.signal);
    if (answer !== undefined && 'status' in answer) say({ kind: 'refused', id, refusal: answer });
    else say({ kind: 'done', id, ...(answer === undefined ? {} : { result: { ...answer } }) });
  } catch (error) {
    const message = `The engine failed: ${error instanceof Error ? error.message : String(error)}`;
    say({ kind: 'refused', id, refusal: { status: 500, message } });
  } finally {
    running.delete(id);
  }
}

async function answerOf(id: number, job: Job, weights: Weights, latch: Latch, signal: AbortSignal) {
  switch (job.kind) {
    case 'generate':
      return weights.generate(
        job.request,
        job.sampling,
        (event) => say({ kind: 'events', id, events: [event] }),
        latch,
        signal,
      );
    case 'embed':
      return weights.embed(job.texts);
    case 'count': {
      const tokens = weights.count(job.request);
      return typeof tokens === 'number' ? { tokens } : tokens;
    }
  }
}

/** Closes the latch of a job, and says when it has stopped and how many steps that took. */
function suspend(id: number, weights: Weights): void {
  const before = weights.stepsEnded;
  running.get(id)?.latch.close(() => say({ kind: 'suspended', id, steps: weights.stepsEnded - before }));
}

process.on('message', (message: ToChild) => {
  if (message.kind === 'open') void open(message);
  else if (message.kind === 'stop') running.get(message.id)?.stop.abort();
  else if (message.kind === 'proceed') running.get(message.id)?.latch.open();
  else if (weights && message.kind === 'suspend') suspend(message.id, weights);
  else if (weights && message.kind === 'job') void perform(message.id, message.job, weights);
});
process.on('disconnect', () => process.exit(0));

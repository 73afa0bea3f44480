/** What the scheduler tells callers whom it cannot serve. */
import { type Refusal, refusal } from '../base/errors.ts';
import type { Waiting } from './queue.ts';

export const unserved = ({ resources }: Waiting): Refusal =>
  refusal('stale', `None of the backends this call could use is there any more: ${resources.join(', ')}.`, {
    remedy: 'send the call again; `mezz backend` lists the backends',
  });

export const full = (queue: number, retryAfterMs: number): Refusal =>
  refusal('busy', `${queue} calls wait already, as many as may.`, {
    rule: 'limit:scheduling.queue',
    retryAfterMs,
    remedy: `try again in ${Math.ceil(retryAfterMs / 1000)} s; mezz ps shows who waits for what`,
  });

export const late = ({ resources }: Waiting, retryAfterMs: number): Refusal =>
  refusal('busy', `The call's deadline came while it waited for ${resources.join(' or ')}.`, {
    retryAfterMs,
  });

/** What the scheduler's tests share: a call with as little in it as can be. */

import { History } from './history.ts';
import type { PolicyCall, PolicyConfig } from './policy.ts';
import type { Waiting } from './queue.ts';

export const aCall = (call: string, more: Partial<PolicyCall> = {}): PolicyCall => ({
  call,
  agent: 1,
  owner: 'me',
  nice: 0,
  arrivedAt: 0,
  deadlineAt: Number.POSITIVE_INFINITY,
  inTokens: 1_000,
  outTokens: 100,
  image: 'test',
  ...more,
});

export const aWaiting = (call: string, more: Partial<Waiting> = {}): Waiting => ({
  ...aCall(call),
  resources: ['x'],
  onGrant: () => {},
  onRefuse: () => {},
  ...more,
});

export const NO_CONFIG: PolicyConfig = {
  resources: [],
  tuning: { weights: {}, reload: 1 },
  history: new History().table,
};

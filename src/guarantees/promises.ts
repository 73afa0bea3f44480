/** Every promise. One is added with the test that proves it and leaves when the test does. */
import type { Promised } from './promise.ts';
import { CALL_PROMISES } from './promises/calls.ts';
import { EFFECT_PROMISES } from './promises/effects.ts';
import { ENGINE_PROMISES } from './promises/engine.ts';
import { LOGIN_PROMISES } from './promises/logins.ts';
import { MCP_PROMISES } from './promises/mcp.ts';
import { ORDER_PROMISES } from './promises/order.ts';
import { PREEMPTION_PROMISES } from './promises/preemption.ts';
import { PROGRAM_PROMISES } from './promises/programs.ts';
import { LIMIT_PROMISES } from './promises/ratelimits.ts';
import { RECORD_PROMISES } from './promises/records.ts';
import { RESULT_PROMISES } from './promises/results.ts';
import { RIGHT_PROMISES } from './promises/rights.ts';
import { TOOL_PROMISES } from './promises/tools.ts';
import { WATCHING_PROMISES } from './promises/watching.ts';

export const PROMISES: readonly Promised[] = [
  ...CALL_PROMISES,
  ...ORDER_PROMISES,
  ...LIMIT_PROMISES,
  ...RIGHT_PROMISES,
  ...RECORD_PROMISES,
  ...PROGRAM_PROMISES,
  ...TOOL_PROMISES,
  ...MCP_PROMISES,
  ...RESULT_PROMISES,
  ...LOGIN_PROMISES,
  ...EFFECT_PROMISES,
  ...WATCHING_PROMISES,
  ...ENGINE_PROMISES,
  ...PREEMPTION_PROMISES,
];

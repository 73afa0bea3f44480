/** What the operators' verbs work with. Only kernel.ts can make one. */

import type { Agent } from '../../agents/table.ts';
import type {
  ControlVerbs,
  Finding,
  HookTrial,
  LevelView,
  VerbName,
  VerbRequest,
  VerbResponse,
} from '../../base/control.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { OrderView, SchedChange } from '../../base/order.ts';
import type { Processes } from '../../base/ports.ts';
import type { BackendDraft, SettingsChange } from '../../base/sheets.ts';
import type { Outcomes, ToolOutcome } from '../../base/syscall.ts';
import type { ToolFile, ToolImport } from '../../base/tools.ts';
import type { EnginePlaces } from '../../drivers/engine/backend.ts';
import type { Gate } from '../../gate/gate.ts';
import type { RetentionRule } from '../../journal/retention.ts';
import type { Policy } from '../../scheduler/policy.ts';

export interface ControlContext {
  readonly gate: Gate;
  readonly processes: Processes;
  readonly origin: string;
  readonly stateDir: string;
  readonly version: string;
  readonly startedAt: number;
  warnings(): string[];
  readonly engine: EnginePlaces;
  /** The levels of mediation and the promises, as they are for one agent. */
  sheet(agent: Agent): Promise<{ levels: LevelView[]; guarantees: string[] }>;
  doctor(trials: readonly HookTrial[] | undefined): Promise<Finding[]>;
  config(): ControlVerbs['config']['response'];
  configLimits(): ControlVerbs['config.limits']['response'];
  /** What the settings keep, at this instant. */
  retention(): RetentionRule;
  reload(): Promise<string[]>;
  /** The order of calls, as the settings and operators have it. */
  readonly ordering: {
    view(): OrderView;
    set(change: SchedChange): Promise<OrderView | Refusal>;
    find(name: string): Promise<Policy<unknown> | Refusal>;
  };
  /** A call of a tool that mezz offers, as this agent. */
  callTool(agent: Agent, name: string, args: JsonRecord): Promise<Outcomes['tool.call'] | Refusal>;
  /** A person's word on a tool call in doubt. */
  resolveCall(call: string, as: 'done' | 'retry' | 'abandon'): Promise<ToolOutcome | Refusal>;
  importTools(files: readonly ToolFile[], writes: boolean): Promise<ToolImport>;
  addBackend(backend: BackendDraft): Promise<SettingsChange>;
  /** Ends the kernel after the answer to this request has left. */
  shutDown(graceMs: number): void;
}

export type Handler<V extends VerbName> = (
  context: ControlContext,
  request: VerbRequest<V>,
) => Promise<VerbResponse<V> | Refusal>;
export type Handlers<V extends VerbName> = { readonly [K in V]: Handler<K> };

/** The one agent a selector names, or why it names none or several. */
export function selectAgent(context: ControlContext, selector: string): Agent | Refusal {
  const found = context.gate.parts.agents.find(selector);
  if (found.length === 1) return found[0] as Agent;
  if (found.length === 0)
    return refusal('not_found', `There is no agent "${selector}".`, { remedy: 'mezz ps --all lists them' });
  const names = found.map((agent) => `${agent.name} (${agent.pid})`).join(', ');
  return refusal('bad_request', `"${selector}" fits several agents: ${names}.`, { remedy: 'use the pid' });
}

/** Who may start anything now: agents and their parents, what holds them back, what an operator was promised, approvals. */
import { APPROVAL, FREEZE, KEY } from '../../src/db/schema/access.ts';
import { AGENT } from '../../src/db/schema/agents.ts';
import type { Request } from './requests.ts';
import type { Entry, View, Views } from './views.ts';

/** Access policies of the simulation, by name; `asks` and `forbids` say the same as the text. */
export const POLICIES = {
  plain: `@id("models") permit(principal, action, resource is Model);
@id("hosted") forbid(principal, action, resource is Model)
unless { context.hostedTools.isEmpty() || context.approved };
@id("tools") permit(principal, action, resource is Tool);
@id("danger") forbid(principal, action, resource == Tool::"generic/Danger") unless { context.approved };`,
  open: `@id("all") permit(principal, action, resource);`,
  strict: `@id("models") permit(principal, action, resource is Model) when { context.hostedTools.isEmpty() };
@id("tools") permit(principal, action, resource is Tool);
@id("write") forbid(principal, action, resource == Tool::"generic/Write");
@id("danger") forbid(principal, action, resource == Tool::"generic/Danger") unless { context.approved };`,
  picky: `@id("models") permit(principal, action, resource is Model);
@id("hosted") forbid(principal, action, resource is Model)
unless { context.hostedTools.isEmpty() || context.approved };
@id("not-west") forbid(principal, action, resource is Model) when { context.backend == "west" };
@id("tools") permit(principal, action, resource is Tool);
@id("danger") forbid(principal, action, resource == Tool::"generic/Danger") unless { context.approved };`,
} as const;
export type PolicyName = keyof typeof POLICIES;

interface Question {
  state: 'open' | 'approved' | 'denied' | 'expired' | 'used';
  readonly agent: number;
  readonly expiresAt: number;
}

export class Standing {
  readonly #views: Views;
  #questions = new Map<string, Question>();
  /** What operators were told is in force: `all`, `agent 3`, `key k...`. */
  readonly #bars = new Set<string>();
  /** What decides now, and what an operator was told decides. */
  policy: PolicyName = 'plain';
  promisedPolicy: PolicyName = 'plain';
  /** Applied, and no operator was told yet: what waits may have been decided by any of them. */
  readonly untold: PolicyName[] = [];

  constructor(views: Views) {
    this.#views = views;
  }

  chain(agent: number, view: View = this.#views.queued): number[] {
    const chain = [agent];
    for (let row = view.get(AGENT, agent); row?.parent != null; row = view.get(AGENT, row.parent))
      chain.push(row.parent);
    return chain;
  }

  /** Why none of these agents may start a call, as far as the kernel itself has written. */
  heldBack(chain: readonly number[]): string | undefined {
    const { queued } = this.#views;
    if (queued.get(FREEZE, 'all')) return 'all are frozen';
    for (const pid of chain) {
      const hold = queued.get(AGENT, pid)?.hold;
      if (hold !== 'none') return `agent ${pid} is ${hold}`;
      if (queued.get(FREEZE, String(pid))) return `agent ${pid} is frozen`;
    }
    return undefined;
  }

  /** Is this agent paused, or was it when the kernel last knew what is stored? */
  isPaused(agent: number): boolean {
    return this.#views.versions(AGENT, agent).some(({ hold }) => hold === 'paused');
  }

  // --- what operators were told

  enforce(bar: string): void {
    this.#bars.add(bar);
  }

  lift(bar: string): void {
    this.#bars.delete(bar);
  }

  bar(agent: number, key: string): string | undefined {
    const names = ['all', `key ${key}`];
    for (const pid of this.chain(agent)) names.push(`agent ${pid} frozen`, `agent ${pid} stopped`);
    return names.find((name) => this.#bars.has(name));
  }

  // --- approvals

  fold({ kind, agent, body }: Entry): void {
    if (kind === 'approval.open')
      this.#questions.set(String(body.approval), {
        state: 'open',
        agent,
        expiresAt: Number(body.expiresAt),
      });
    const question = this.#questions.get(String(body.approval));
    if (kind === 'approval.close' && question) question.state = body.state as Question['state'];
  }

  /** Uses an approval up, or says why it admits nothing. */
  spend(approval: string, agent: number, digest: string, at: number): string | undefined {
    const question = this.#questions.get(approval);
    if (!question) return 'nobody opened';
    if (question.state !== 'approved') return `is ${question.state}`;
    if (question.agent !== agent) return `was given to agent ${question.agent}`;
    if (at >= question.expiresAt) return 'has expired';
    question.state = 'used';
    const row = this.approvalRow(approval);
    return row?.digest === digest ? undefined : 'was given for other arguments';
  }

  isOpen(approval: string): boolean {
    return this.#views.versions(APPROVAL, approval).some(({ state }) => state === 'open');
  }

  approvals(): Iterable<[string, Question]> {
    return this.#questions;
  }

  approvalRow(approval: string) {
    return this.#views.queued.get(APPROVAL, approval);
  }

  /** Must a person be asked about this request under the policies in force? */
  asks(request: Request): boolean {
    if (this.policy === 'open') return false;
    return request.kind === 'tool.call' ? request.tool === 'Danger' : request.hosted;
  }

  /** May this request never start under these policies? */
  forbids(request: Request, policy: PolicyName): boolean {
    if (policy !== 'strict') return false;
    return request.kind === 'tool.call' ? request.tool === 'Write' : request.hosted;
  }

  /** May no model call run there under these policies? */
  forbidsBackend(backend: string, policy: PolicyName): boolean {
    return policy === 'picky' && backend === 'west';
  }

  /** A new life: what is on the disk is in force, the policies are those it starts with. */
  restart(): void {
    const { durable } = this.#views;
    this.#questions = new Map();
    this.#bars.clear();
    this.policy = 'plain';
    this.promisedPolicy = 'plain';
    this.untold.length = 0;
    for (const entry of durable.entries) {
      this.fold(entry);
      const used = entry.kind === 'call.start' ? this.#questions.get(String(entry.body.approval)) : undefined;
      if (used) used.state = 'used';
    }
    for (const { scope } of durable.all(FREEZE))
      this.#bars.add(scope === 'all' ? 'all' : `agent ${scope} frozen`);
    for (const { pid, hold } of durable.all(AGENT))
      if (hold === 'stopped' || hold === 'exited') this.#bars.add(`agent ${pid} stopped`);
    for (const { id, revokedAt } of durable.all(KEY)) if (revokedAt !== null) this.#bars.add(`key ${id}`);
  }
}

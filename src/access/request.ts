/** What access is asked, in plain values: who wants to do what to which resource, and under which facts. */
import type { JsonRecord } from '../base/json.ts';

export interface Principal {
  readonly pid: number;
  readonly name: string;
  readonly owner: string;
  readonly client: string;
  /** 0 for an agent without a parent. */
  readonly depth: number;
  readonly groups: readonly string[];
}

export interface AccessRequest {
  /** The acting agent first, then its ancestors; every one of them must be permitted. */
  readonly chain: readonly Principal[];
  readonly action: string;
  readonly resource: {
    readonly type: 'Model' | 'Tool';
    readonly id: string;
    readonly parents: readonly string[];
  };
  readonly args: JsonRecord;
  readonly labels: readonly string[];
  readonly facts: {
    readonly backend?: string;
    readonly account?: string;
    /** The provider-hosted tools of a model request that act behind the gate. */
    readonly hostedTools: readonly string[];
    /** Those of them that the settings permit. */
    readonly permittedHostedTools: readonly string[];
    readonly level: string;
    readonly localHour: number;
  };
  readonly approved: boolean;
}

/**
 * config/ owns `mezz.yaml`: its schema, what each setting means, and its mistakes told with line and column.
 * Invariant: a Config is whole and checked, or there is none; it names where keys are and never holds one. It must
 * not know what runs: it hands out plain values, and kernel.ts gives them to their owners.
 */
import type { AccountId, OwnerId } from '../base/ids.ts';
import type { BackendSpec, ToolServerSpec } from '../base/ports.ts';
import type { NanoUsd } from '../base/usage.ts';
import type { Cap } from '../budget/ledger.ts';
import type { EngineOptions } from '../drivers/engine/options.ts';
import type { LabOptions } from '../drivers/lab/options.ts';
import type { ModelRoute } from '../gate/catalog.ts';
import type { Stated } from '../scheduler/stated.ts';

/** Where the kernel finds a backend's key. The key itself is never written in mezz.yaml. */
export type KeySource = { readonly env: string } | { readonly file: string };

export interface BackendConfig {
  readonly spec: BackendSpec;
  readonly key?: KeySource;
  /** Set where mezz itself is the model server: no model, and labelled so. */
  readonly lab?: LabOptions;
  /** Set where the model runs in a child process of mezz itself. */
  readonly engine?: EngineOptions;
}

/** Nano-dollars per million tokens. `free` costs nothing and is still counted. */
export type Price =
  | 'free'
  | {
      readonly input: NanoUsd;
      readonly output: NanoUsd;
      readonly cacheRead: NanoUsd;
      readonly cacheWrite: NanoUsd;
    };

/** A row of the model table; without `price` the shipped price list decides, and a model it does not know is refused. */
export interface ModelConfig extends ModelRoute {
  readonly price?: Price;
}

export interface AccountConfig {
  readonly id: AccountId;
  readonly parent?: AccountId;
  readonly owner?: OwnerId;
  readonly stated?: Stated;
}

/** `account:<id>`, `agent:<pid>` or `owner:<id>` may use `cap` in a period. */
export type LimitConfig = Cap;

export interface Config {
  /** The agents' port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  readonly backends: readonly BackendConfig[];
  readonly models: readonly ModelConfig[];
  readonly accounts: readonly AccountConfig[];
  readonly limits: readonly LimitConfig[];
  /** `files` are absolute paths of access policies that are loaded beside the profile. */
  readonly access: { readonly profile: 'default' | 'observe'; readonly files: readonly string[] };
  readonly scheduling: {
    readonly policy: string;
    readonly maxWaitMs: number;
    readonly queue: number;
    /** Shares of owners; one that is not named has 1. */
    readonly weights: Readonly<Record<OwnerId, number>>;
  };
  readonly journal: {
    readonly bodies: 'keep' | 'digest' | 'off';
    readonly keepMs: number;
    readonly keepBytes: number;
    /** Entries, and the rows of calls that they prove. */
    readonly entriesMs: number;
  };
  /** How long a call is held open for a person's answer, and when an unanswered question counts as denied. */
  readonly ask: { readonly holdMs: number; readonly expiresMs: number };
  /** More repeats of one call within the window, or faster spending, becomes a question. */
  readonly loop: { readonly repeats: number; readonly windowMs: number; readonly nanoUsdPerHour: NanoUsd };
  /** What happens to a call that a provider's rate limit refuses: it waits for the limit, so long at most, or it fails. */
  readonly rateLimit: { readonly on: 'wait' | 'sleep' | 'fail'; readonly maxHoldMs: number };
  /** Whose answers wait until each tool call in them is decided; `mezz agent hold` overrides it for one agent. */
  readonly hold: 'all' | 'none';
  /** Provider-hosted tools that act (`code_interpreter`, `mcp`) and are permitted all the same, by type. */
  readonly hostedTools: readonly string[];
  /** Tool servers that mezz starts. */
  readonly tools: readonly ToolConfig[];
}

export interface ToolConfig extends ToolServerSpec {
  /** Where its operator's manifest is; `manifest` is what it says. */
  readonly manifestFile?: string;
  /** Of an HTTP service: sent to it as a bearer token. Of an address that speaks MCP: its client's secret or private key. */
  readonly key?: KeySource;
  /** Of its variables and headers those that are secrets: the text of each is no part of the settings. */
  readonly secrets?: readonly ToolSecret[];
}

export interface ToolSecret {
  readonly of: 'env' | 'headers';
  readonly name: string;
  readonly from: KeySource;
}

/** A mistake by its setting's path; read.ts finds the line. `atName`: it is the name that is wrong. */
export interface Issue {
  readonly at: readonly (string | number)[];
  readonly atName?: boolean;
  readonly message: string;
  readonly remedy: string;
}

/** A mistake in mezz.yaml: where it is, what it is, what to type instead. Never holds the value of a secret. */
export interface ConfigProblem {
  readonly file: string;
  /** From 1; 0 when the problem is the file itself. */
  readonly line: number;
  readonly column: number;
  /** The setting: `backends.anthropic.slots`. */
  readonly at: string;
  readonly message: string;
  readonly remedy: string;
}

export function formatProblem(problem: ConfigProblem): string {
  const where = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  return `${where}: ${problem.at ? `${problem.at}: ` : ''}${problem.message}. ${problem.remedy}`;
}

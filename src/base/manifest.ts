/**
 * What a tool does to what, as data: one file describes the tools of one server, or of one client. The files that mezz
 * ships and those that operators write have the same form (`schema/manifest.schema.json`).
 */
import type { Json, JsonRecord } from './json.ts';

/**
 * `append` commutes with itself; `external` leaves the machine and cannot be taken back, only made up for; `delta`
 * changes what is there, so it must run alone and no more; `replace` puts something in its place, so it must also know
 * what is there.
 */
export type Access = 'read' | 'append' | 'external' | 'delta' | 'replace';

/**
 * What making a tool call once more would do, where nobody knows whether it took effect. `pure`: it changes nothing;
 * `idempotent`: no more than the first; `keyed`: its server knows a repetition by the key it is given; `checkable`: its
 * server can be asked whether the first took effect; `unsafe`: the effect twice.
 */
export type RetryClass = 'pure' | 'idempotent' | 'keyed' | 'checkable' | 'unsafe';

export interface Resource {
  /** `file:{path}`: the argument's value takes the place of its name. The kinds of keys are in the schema. */
  readonly key: string;
  readonly access: Access;
}

/**
 * What is done about a call in doubt that nobody could be asked about: a person is (`ask`), it is made once more, or it
 * counts as done or as given up.
 */
export type DoubtRule = 'ask' | 'retry' | 'done' | 'abandon';

/** A call that tells whether another took effect. */
export interface Check {
  /** A tool of the same server. */
  readonly tool: string;
  /** Its arguments: templates over the first call's, as in keys. */
  readonly input: Readonly<Record<string, string>>;
  /** The first call took effect exactly when the text of the answer holds this, a template too. */
  readonly done: string;
}

/** A call that takes another back. */
export interface Undo {
  /** A tool of the same server. */
  readonly tool: string;
  /** Its arguments. A text that is one placeholder is the value itself, whatever its type. */
  readonly input: Readonly<Record<string, Json>>;
  /** It does not take back what was done, it makes up for it: the world has seen the first. */
  readonly compensates?: boolean;
}

export interface Manifest {
  /** None: it touches nothing that another agent could. */
  readonly resources?: readonly Resource[];
  /** It touches what this command line touches: a template, most often one argument. */
  readonly shell?: string;
  /** The argument that says where a command line runs. */
  readonly dir?: string;
  /** It touches the files of the patch that one of these arguments holds. */
  readonly patch?: readonly string[];
  /** What a second sending would do; `unsafe` where nobody says. */
  readonly retry?: RetryClass;
  /** Of a `checkable` tool: how the server is asked. */
  readonly check?: Check;
  /** Of a call in doubt; its server's setting where nobody says. */
  readonly doubt?: DoubtRule;
  readonly undo?: Undo;
  /** What each sending of a call costs, in USD: it counts against budgets as a model's does. */
  readonly costUsd?: number;
  /** How long a call may run; the bound of all tools where nobody says. */
  readonly timeoutMs?: number;
}

/** Who has an instance of a server to itself: nobody, each agent, or one agent at a time. */
export type InstanceMode = 'shared' | 'per-agent' | 'leased';

export interface ManifestFile {
  readonly about?: string;
  /** The names that the described server gives itself. */
  readonly software?: readonly string[];
  /** The client whose own tools these are. */
  readonly client?: string;
  /** The package, with its version, whose definitions this was compared with. */
  readonly tested?: string;
  readonly instance?: InstanceMode;
  readonly tools: Readonly<Record<string, Manifest>>;
  /** Reserved: what flows where is said by access control. */
  readonly flow?: JsonRecord;
}

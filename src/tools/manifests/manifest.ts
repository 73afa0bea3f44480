/** What a tool touches, as data: keys are templates over its arguments, or a reader of one argument gives them. */
import type { RetryClass } from '../../base/syscall.ts';
import type { Access } from '../effects.ts';

export interface Resource {
  /** `file:{file_path}`: the argument's value takes the place of its name. */
  readonly key: string;
  readonly access: Access;
}

export interface Manifest {
  readonly resources?: readonly Resource[];
  /** The argument that a reader of shell commands or patches gets. */
  readonly shell?: string;
  readonly patch?: readonly string[];
  /** What a second sending would do; `unsafe` where nobody says. */
  readonly retry?: RetryClass;
  /** Of a `checkable` tool: how the server is asked. */
  readonly check?: Check;
}

/** A call that tells whether another took effect. */
export interface Check {
  /** A tool of the same server. */
  readonly tool: string;
  /** Its arguments: templates over the first call's, as in keys. */
  readonly input: Readonly<Record<string, string>>;
  /** The first call took effect exactly when the text of the answer holds this, a template too. */
  readonly done: string;
}

export type Manifests = Readonly<Record<string, Manifest>>;

const one = (key: string, access: Access): Manifest => ({ resources: [{ key, access }] });
export const reads = (key: string): Manifest => ({ ...one(key, 'read'), retry: 'pure' });
export const changes = (key: string): Manifest => one(key, 'delta');
export const replaces = (key: string): Manifest => one(key, 'replace');
/** It touches nothing that another agent could. */
export const NOTHING: Manifest = {};

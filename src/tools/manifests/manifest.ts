/** What a tool touches, as data: keys are templates over its arguments, or a reader of one argument gives them. */
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
}

export type Manifests = Readonly<Record<string, Manifest>>;

const one = (key: string, access: Access): Manifest => ({ resources: [{ key, access }] });
export const reads = (key: string): Manifest => one(key, 'read');
export const changes = (key: string): Manifest => one(key, 'delta');
export const replaces = (key: string): Manifest => one(key, 'replace');
/** It touches nothing that another agent could. */
export const NOTHING: Manifest = {};

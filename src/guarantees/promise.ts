/** The form of a promise. */
import type { CoverageLevel } from '../base/control.ts';

/** What must hold for one agent before a promise does. */
export type Need =
  /** The default profile: access policies refuse. */
  | 'enforcing'
  /** The agent's client asks the gate before each of its own tools. */
  | 'hooked'
  /** The agent's answers wait until each tool call in them is decided. */
  | 'held'
  /** A strict limit covers the agent. */
  | 'strict'
  /** The journal keeps bodies. */
  | 'bodies';

export interface Facts {
  readonly profile: 'default' | 'observe';
  readonly coverage: CoverageLevel;
  readonly held: boolean;
  readonly strict: boolean;
  readonly bodies: 'keep' | 'digest' | 'off';
}

export interface Promised {
  readonly id: string;
  readonly group: 'gate' | 'wire' | 'order' | 'money' | 'access' | 'keys' | 'tools' | 'journal' | 'code';
  /** One sentence, true as it stands. */
  readonly text: string;
  readonly restsOn: string;
  readonly bypassedBy: string;
  readonly needs?: readonly Need[];
  /** Tests that fail when the promise is broken: file from the root, full name of the test (… for a `${}` in it). */
  readonly tests: readonly (readonly [file: string, name: string])[];
}

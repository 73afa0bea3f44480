import type { Command } from 'commander';
import type { Session } from './session.ts';

/** A file of commands/: it adds its commands, with options and actions, to the program. */
export interface CommandFile {
  define(program: Command, session: Session): void;
}
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandFile>;
}

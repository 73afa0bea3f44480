import { UsageFailure } from './exit.ts';

/** Quotes a word for a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** How a shell is told a variable, and to give a program more arguments. */
interface Shell {
  set(name: string, value: string): string;
  wrap(program: string, args: readonly string[]): string;
}

const fishWord = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
const powershellWord = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const SHELLS: Readonly<Record<string, Shell>> = {
  posix: {
    set: (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
    wrap: (program, args) => `${program}() { command ${[program, ...args].map(shellWord).join(' ')} "$@"; }`,
  },
  fish: {
    set: (name, value) => `set -gx ${name} ${fishWord(value)}`,
    wrap: (program, args) =>
      `function ${program}; command ${program} ${args.map(fishWord).join(' ')} $argv; end`,
  },
  powershell: {
    set: (name, value) => `$env:${name} = ${powershellWord(value)}`,
    wrap: (program, args) =>
      `function ${program} { & (Get-Command ${program} -CommandType Application)[0] ${args.map(powershellWord).join(' ')} @args }`,
  },
};

export const SHELL_NAMES = Object.keys(SHELLS);

export function findShell(name: string): Shell {
  const shell = Object.hasOwn(SHELLS, name) ? SHELLS[name] : undefined;
  if (shell) return shell;
  throw new UsageFailure(
    `mezz writes no variables for the shell "${name}"`,
    `one of: ${SHELL_NAMES.join(', ')}`,
  );
}

import { readFileSync } from 'node:fs';
import { ERRORS } from '../base/errors.ts';
import { EXITS } from './exit.ts';
import { GROUPS } from './registry.ts';
import type { Session } from './session.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** The package's own version. */
export function packageVersion(): string {
  // From src/cli in a checkout, from dist in a package: package.json is found by walking up.
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const found: unknown = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8'));
      if (typeof found === 'object' && found !== null && 'version' in found) return String(found.version);
    } catch {
      // One level too low: try the next.
    }
  }
  return '0.0.0';
}

export async function version(session: Session, json: boolean): Promise<void> {
  const here = packageVersion();
  if (json)
    session.terminal.printJson({ schema: 'mezz.version/1', version: here, node: process.versions.node });
  else session.terminal.print(`mezz ${here}`);
}

export function printHelp(terminal: Terminal): void {
  terminal.print(
    'mezz: the kernel between your agents and the models and tools they use',
    '',
    'usage: mezz <command> [options]',
  );
  const width = Math.max(...GROUPS.flatMap((group) => group.commands.map((command) => command.name.length)));
  for (const group of GROUPS) {
    terminal.print('', terminal.style('bold', group.title));
    for (const { name, summary } of group.commands) terminal.print(`  ${name.padEnd(width)}  ${summary}`);
  }
  terminal.print(
    '',
    'mezz <command> --help shows its options; lists take --json, --quiet and --watch.',
    'mezz help exit-codes lists the exit codes; mezz help environment the variables mezz reads.',
    'mezz is an orchestration layer on Linux or macOS, not an operating system: what it promises rests on them.',
  );
}

/** Prints a help topic; true when there is one of that name (commands are not topics). */
export function printTopic(topic: string, terminal: Terminal): boolean {
  if (topic === 'exit-codes' || topic === 'exits') {
    terminal.print(
      ...renderTable(
        [
          { head: 'EXIT', cell: ([code]) => String(code), right: true },
          { head: 'MEANING', cell: ([, meaning]) => meaning },
        ],
        EXITS,
      ),
      '128+n   `mezz run`: the program was ended by signal n; otherwise its own exit code',
      '',
      ...renderTable(
        [
          { head: 'ERROR', cell: ([code]) => code },
          { head: 'EXIT', cell: ([, spec]) => String(spec.exit), right: true },
          { head: 'HTTP', cell: ([, spec]) => String(spec.status), right: true },
          { head: 'MEANING', cell: ([, spec]) => spec.meaning },
        ],
        Object.entries(ERRORS),
      ),
    );
    return true;
  }
  if (topic === 'environment') {
    terminal.print(
      'MEZZ_HOME         the state directory; else $XDG_STATE_HOME/mezz, else ~/.local/state/mezz',
      '                  (macOS: ~/Library/Application Support/mezz)',
      'NO_COLOR          any value: no colours',
      'FORCE_COLOR       any value but 0: colours also into a pipe',
      'XDG_CACHE_HOME    where compiled code is cached; else ~/.cache',
    );
    return true;
  }
  return false;
}

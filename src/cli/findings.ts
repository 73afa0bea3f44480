import type { Finding } from '../base/control.ts';
import type { Style, Terminal } from './terminal.ts';

const STYLES: Readonly<Record<Finding['level'], Style>> = {
  ok: 'green',
  note: 'cyan',
  warn: 'yellow',
  fail: 'red',
};

/** One line a finding, its remedy below it. */
export function printFindings(terminal: Terminal, findings: readonly Finding[]): void {
  for (const { level, id, text, remedy } of findings) {
    terminal.print(`${terminal.style(STYLES[level], level.padEnd(4))}  ${text} [${id}]`);
    if (remedy) terminal.print(`      Next: ${remedy}`);
  }
}

/** The exit code findings stand for: 1 when one of them failed. */
export const findingsExit = (findings: readonly Finding[]): number =>
  findings.some((finding) => finding.level === 'fail') ? 1 : 0;

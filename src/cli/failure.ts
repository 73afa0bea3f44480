import { ControlFailure } from '../sdk/failure.ts';
import { UsageFailure } from './exit.ts';
import type { Terminal } from './terminal.ts';

/**
 * Says what did not happen, why (rule or limit) and what to type next; returns the exit code. With `--json` the same
 * as `{"schema":"mezz.error/1","error":Refusal}` on standard output, so that a script reads one stream.
 */
export function reportFailure(error: unknown, terminal: Terminal, json: boolean): number {
  if (error instanceof ControlFailure) {
    const { refusal } = error;
    if (json) terminal.printJson({ schema: 'mezz.error/1', error: refusal });
    const rule = refusal.rule ? ` [${refusal.rule}]` : '';
    terminal.note(`${terminal.style('red', 'mezz:')} ${refusal.message}${rule}`);
    if (refusal.approval) terminal.note(`Next: mezz approve ${refusal.approval}`);
    else if (refusal.remedy) terminal.note(`Next: ${refusal.remedy}`);
    return error.exit;
  }
  if (error instanceof UsageFailure) {
    if (json)
      terminal.printJson({
        schema: 'mezz.error/1',
        error: { code: 'bad_request', message: error.message, remedy: error.remedy },
      });
    terminal.note(`${terminal.style('red', 'mezz:')} ${error.message}`);
    if (error.remedy) terminal.note(`Next: ${error.remedy}`);
    return error.exit;
  }
  if (isExplained(error)) {
    terminal.note(`${terminal.style('red', 'mezz:')} ${error.message}`, `Next: ${error.remedy}`);
    return 1;
  }
  // Neither the kernel's refusal nor the user's mistake: a bug here, shown whole.
  terminal.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
}

/** What keeps a kernel from starting comes with the next step, whatever its class: cli/ knows none of them. */
const isExplained = (error: unknown): error is Error & { readonly remedy: string } =>
  error instanceof Error && 'remedy' in error && typeof error.remedy === 'string';

/** Tool calls in doubt, below what else waits for a person. */
import type { DoubtView } from '../base/tools.ts';
import { formatAge } from './format.ts';
import type { Session } from './session.ts';

export function printDoubts({ terminal, now }: Session, doubts: readonly DoubtView[]): void {
  for (const { call, agentName, tool, at } of doubts)
    terminal.print(
      '',
      `In doubt: ${tool} of ${agentName}, ${formatAge(at, now())} (${call}). It may or may not have taken effect.`,
      `  mezz tool resolve ${call} --done, --retry or --abandon`,
    );
}

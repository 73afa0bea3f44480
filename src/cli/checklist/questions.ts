import { ACCESS } from './access.ts';
import { ADMITTING } from './admitting.ts';
import type { Condition, Evidence, Question } from './condition.ts';
import { PAUSING } from './pausing.ts';
import type { Room } from './room.ts';
import { SCHEDULING } from './scheduling.ts';
import { TOOLS } from './tools.ts';

export const QUESTIONS: readonly Question[] = [SCHEDULING, PAUSING, TOOLS, ACCESS, ADMITTING];

/** Tries a condition. An experiment that broke off has shown nothing. */
export async function tryCondition(room: Room, condition: Condition): Promise<Evidence> {
  const { experiment, missing } = condition;
  if (!experiment) return { verdict: 'not built', saw: missing ?? '', calls: [] };
  return experiment(room).catch((error: unknown) => ({
    verdict: 'cannot tell' as const,
    saw: error instanceof Error ? error.message : String(error),
    calls: [],
  }));
}

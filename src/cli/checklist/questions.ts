import { ACCESS } from './access.ts';
import { ADMITTING } from './admitting.ts';
import type { Condition, Evidence, Question } from './condition.ts';
import { PAUSING } from './pausing.ts';
import { SCHEDULING } from './scheduling.ts';
import type { Subject } from './subject.ts';
import { TOOLS } from './tools.ts';

export const QUESTIONS: readonly Question[] = [SCHEDULING, PAUSING, TOOLS, ACCESS, ADMITTING];

/** Tries a condition. An experiment that broke off has shown nothing. */
export async function tryCondition(subject: Subject, condition: Condition): Promise<Evidence> {
  const { experiment, missing = '' } = condition;
  if (!experiment)
    return subject.isOwn
      ? { verdict: 'not built', saw: missing, calls: [] }
      : { verdict: 'cannot tell', saw: 'there is no experiment for it yet', calls: [] };
  return experiment(subject).catch((error: unknown) => ({
    verdict: 'cannot tell' as const,
    saw: error instanceof Error ? error.message : String(error),
    calls: [],
  }));
}

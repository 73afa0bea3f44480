/** The four levels of mediation: which of them one agent has, what each covers, and what it does not. */
import type { CoverageLevel, LevelView } from '../base/control.ts';
import { type KnownTrial, knownText } from './trials.ts';

/** What is known of one agent. */
export interface Mediation {
  /** The level it has really reached: its hooks have asked, tool calls were seen. */
  readonly level: CoverageLevel;
  /** Are its model's answers held back until their tool calls are decided? */
  readonly held: boolean;
  /** The last trial of its client's hooks. */
  readonly trial: KnownTrial | undefined;
}

export function levelsOf({ level, held, trial }: Mediation): LevelView[] {
  const hooked = level === 'hooked' || level === 'enclosed';
  const proof = trial ? knownText(trial) : 'its hooks were not tried here yet (mezz doctor)';
  return [
    {
      level: 'seen',
      holds: level !== 'none',
      covers: "tool calls in the model's answers are recorded and joined with their results",
      misses: 'it stops nothing, and sees nothing the agent does without an answer that came through mezz',
    },
    {
      level: 'held',
      holds: held,
      covers: "a tool call in the model's answer waits at the gate; a denied one goes back to the model",
      misses: 'what the client does without asking its model, and processes that a tool starts',
    },
    {
      level: 'hooked',
      holds: hooked,
      covers: `the client asks the gate before each of its own tools${hooked ? `; ${proof}` : ''}`,
      misses:
        'a client that does not ask or obey, processes that a shell command starts, connections of its own',
    },
    {
      level: 'enclosed',
      holds: level === 'enclosed',
      covers: 'the gate is the only way out of the sandbox',
      misses: 'mezz has no sandbox yet: no agent is enclosed',
    },
  ];
}

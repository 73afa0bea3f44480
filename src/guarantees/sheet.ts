/** What holds for one agent now: its levels of mediation and the promises, from the kernel's own rows. */
import { isHeld, levelOf } from '../agents/coverage.ts';
import type { Agent } from '../agents/table.ts';
import type { LevelView } from '../base/control.ts';
import type { BackendId } from '../base/ids.ts';
import { levelsOf as preemptionLevels } from '../gate/levels.ts';
import type { Parts } from '../gate/parts.ts';
import { levelsOf } from './levels.ts';
import { sheetLines } from './registry.ts';
import { readTrials } from './trials.ts';

export async function agentSheet(
  parts: Parts,
  agent: Agent,
): Promise<{ levels: LevelView[]; guarantees: string[] }> {
  const chain = parts.agents.chain(agent);
  const held = isHeld(chain, parts.settings.holdAll);
  const trials = await readTrials(parts.store);
  // A sub-agent is run by the program of the agent at the root of its chain.
  const client = chain.at(-1)?.client;
  const scopes = [`owner:${agent.owner}`, ...chain.map(({ pid }) => `agent:${pid}`)];
  return {
    levels: levelsOf({
      level: agent.level,
      held,
      trial: trials.find((trial) => trial.client === client),
    }),
    guarantees: [
      ...(await preemptionLines(parts)),
      ...sheetLines({
        profile: parts.access.profile,
        coverage: levelOf(chain, parts.settings.holdAll),
        held,
        strict: scopes.some((scope) => parts.ledger.limits(scope).some(({ strict }) => strict)),
        bodies: parts.settings.bodies,
      }),
    ],
  };
}

/** How far its calls can be preempted, by backend. */
async function preemptionLines(parts: Parts): Promise<string[]> {
  const levels = await preemptionLevels(parts);
  return [...levels]
    .filter(([id]) => parts.backends.has(id as BackendId))
    .map(([id, { level, why }]) => `held: preemption of calls at ${id}: ${level} (${why})`);
}

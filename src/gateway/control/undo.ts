/** The verb `undo`. */
import { refusal } from '../../base/errors.ts';
import type { UndoView } from '../../base/tools.ts';
import { CALL } from '../../db/schema/journal.ts';
import type { Gate } from '../../gate/gate.ts';
import { toolOf, type Undone, undo } from '../../gate/undo.ts';
import { type Handlers, selectAgent } from './context.ts';

export const undoVerbs: Handlers<'undo'> = {
  async undo(context, { agent: selector, call, since = 0, dryRun = false }) {
    const { gate } = context;
    if ((selector === undefined) === (call === undefined))
      return refusal('bad_request', 'Undo one agent, or one call.', { remedy: 'mezz undo --help' });
    if (call !== undefined) {
      if (!(await gate.parts.store.get(CALL, [call])))
        return refusal('not_found', `There is no call ${call}.`, { remedy: 'mezz logs lists them' });
      return {
        steps: await tell(gate, await undo(gate, { of: { call }, sinceMs: since, isDry: dryRun }), dryRun),
      };
    }
    const agent = selectAgent(context, selector ?? '');
    if ('code' in agent) return agent;
    const agents = new Set<number>(gate.parts.agents.tree(agent).map(({ pid }) => pid));
    return {
      steps: await tell(gate, await undo(gate, { of: { agents }, sinceMs: since, isDry: dryRun }), dryRun),
    };
  },
};

const tell = ({ parts }: Gate, steps: readonly Undone[], isDry: boolean): Promise<UndoView[]> =>
  Promise.all(steps.map(async (step) => ({ ...viewOf(step, isDry), tool: await toolOf(parts, step.row) })));

function viewOf(
  { row: { call, key, kind }, skip, failed, by }: Undone,
  isDry: boolean,
): Omit<UndoView, 'tool'> {
  const done = isDry ? 'would' : 'undone';
  return {
    ...{ call, key, kind: kind as UndoView['kind'] },
    state: failed ? 'failed' : skip === undefined ? done : 'left',
    why: failed?.message ?? skip ?? '',
    by: by ?? null,
  };
}

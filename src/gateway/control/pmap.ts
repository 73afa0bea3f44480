/** The verb that says what an agent's context is made of: its fullest last request, taken apart. */
import { isRecord, parseJson } from '../../base/json.ts';
import type { ContextFill, Piece, PieceSum } from '../../base/sheets.ts';
import { CALL } from '../../db/schema/journal.ts';
import { rebuildRequest } from '../../journal/context.ts';
import { takeStock } from '../../wire/anatomy.ts';
import { LIMITS } from '../limits.ts';
import { type Handlers, selectAgent } from './context.ts';
import { fillOf } from './sheets.ts';
import { agentViews } from './views.ts';

export const pmapVerbs: Handlers<'pmap'> = {
  async pmap(context, { agent: selector }) {
    const agent = selectAgent(context, selector);
    if ('code' in agent) return agent;
    const { parts } = context.gate;
    const last = await parts.store.range(CALL, {
      by: ['agent', 'arrivedAt'],
      prefix: [agent.pid],
      reverse: true,
      limit: LIMITS.sheetLast.value,
    });
    const fill = fillOf(last, (model) => parts.catalog.windowOf(model) ?? null);
    const body = fill ? await rebuildRequest(parts.store, fill.call) : undefined;
    const parsed = body ? parseJson(body.toString('utf8')) : undefined;
    const pieces = body && isRecord(parsed) ? takeStock(parsed, body.length) : [];
    const [view] = agentViews(context.gate, [agent]);
    return {
      agent: { pid: agent.pid, name: agent.name, client: agent.client, state: view?.state ?? 'ready' },
      context: fill,
      bytes: body?.length ?? 0,
      pieces: sumUp(pieces, fill),
      largest: pieces
        .filter(({ what }) => what !== 'rest')
        .sort((a, b) => b.bytes - a.bytes)
        .slice(0, LIMITS.sheetPieces.value),
      why: whyNothing(fill, body),
    };
  },
};

function sumUp(pieces: readonly Piece[], fill: ContextFill | null): PieceSum[] {
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
  return [...Map.groupBy(pieces, ({ what }) => what)].map(([what, same]) => {
    const bytes = same.reduce((sum, piece) => sum + piece.bytes, 0);
    return { what, count: same.length, bytes, tokens: fill && Math.round((fill.tokens * bytes) / total) };
  });
}

function whyNothing(fill: ContextFill | null, body: Buffer | undefined): string | null {
  if (!fill) return 'No answered model call of it is known.';
  return body ? null : 'The body of its request is not stored (journal.bodies, retention or mezz forget).';
}

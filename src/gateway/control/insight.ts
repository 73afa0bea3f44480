/** Verbs that explain: calls, traces, waits, backends, models. */

import { refusal } from '../../base/errors.ts';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import type { BackendView, ModelView, PreemptionView } from '../../base/models.ts';
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import type { Gate } from '../../gate/gate.ts';
import { levelsOf, recordTrial } from '../../gate/levels.ts';
import { type Handlers, selectAgent } from './context.ts';
import { modelFiles } from './engine.ts';
import { agentViews, allWaits, callView, waitView } from './views.ts';

type InsightVerb = 'calls' | 'trace' | 'why' | 'backends' | 'backend.tried' | 'models';

/** A call by its id or a unique beginning of it. */
async function findCall(gate: Gate, selector: string): Promise<CallRow | undefined> {
  const [first, second] = await gate.parts.store.range(CALL, {
    from: selector,
    to: `${selector}~`,
    limit: 2,
  });
  return second && first?.id !== selector ? undefined : first;
}

function bodyOf(entry: { readonly body: string }): JsonRecord {
  const body = parseJson(entry.body);
  return isRecord(body) ? body : {};
}

/** What a journal entry still tells about its step when the step itself is forgotten. */
function detailOf(entry: { readonly body: string }): string {
  const { transforms } = bodyOf(entry);
  return Array.isArray(transforms) && transforms.length > 0 ? `transforms ${transforms.join(', ')}` : '';
}

export const insightVerbs: Handlers<InsightVerb> = {
  async calls(context, request) {
    const limit = Math.max(1, Math.min(1000, request.limit ?? 50));
    const from = request.since ?? 0;
    const { store } = context.gate.parts;
    let rows: CallRow[];
    if (request.agent === undefined)
      rows = await store.range(CALL, { by: ['arrivedAt'], from, reverse: true, limit });
    else {
      const agent = selectAgent(context, request.agent);
      if ('code' in agent) return agent;
      rows = await store.range(CALL, {
        by: ['agent', 'arrivedAt'],
        prefix: [agent.pid],
        from,
        reverse: true,
        limit,
      });
    }
    const wanted = request.state === undefined ? rows : rows.filter((row) => row.state === request.state);
    return { calls: wanted.map(callView) };
  },

  async trace({ gate }, { call }) {
    const flight = [...gate.flights.values()].find((candidate) => candidate.call.id.startsWith(call));
    const row = flight?.row ?? (await findCall(gate, call));
    if (!row) return refusal('not_found', `There is no call "${call}".`, { remedy: 'mezz logs lists them' });
    const entries = await gate.parts.store.entries({ call: row.id, limit: 100 });
    const steps =
      flight?.steps ??
      gate.recentSteps.get(row.id) ??
      entries.map((entry) => ({
        atMs: entry.at - row.arrivedAt,
        stage: entry.kind,
        detail: detailOf(entry),
      }));
    const bodies = entries.map((entry) => ({
      ...bodyOf(entry),
      seq: entry.seq,
      kind: entry.kind,
      at: entry.at,
    }));
    return { call: callView(row), steps: [...steps], entries: bodies };
  },

  async why(context, { subject }) {
    const { gate } = context;
    const all = allWaits(gate);
    const byCall = all.filter((wait) => wait.call.startsWith(subject));
    if (byCall.length > 0) return { waits: byCall.map((wait) => waitView(gate, wait)), text: [] };
    const row = /^c[0-9a-z]{6,}/.test(subject) ? await findCall(gate, subject) : undefined;
    if (row)
      return {
        waits: [],
        text: [`Call ${row.id} waits for nothing: it is ${row.state}${row.code ? ` (${row.code})` : ''}.`],
      };
    const agent = selectAgent(context, subject);
    if ('code' in agent) return agent;
    const waits = all.filter((wait) => wait.agent === agent.pid).map((wait) => waitView(gate, wait));
    const [view] = agentViews(gate, [agent]);
    const text =
      waits.length > 0
        ? []
        : [
            `${agent.name} waits for nothing: it is ${view?.state}${view?.waitsFor ? ` (${view.waitsFor})` : ''}.`,
          ];
    return { waits, text };
  },

  async backends({ gate }) {
    const { catalog, scheduler, backends } = gate.parts;
    const levels = await levelsOf(gate.parts);
    const views = [...catalog.backends.values()].map(
      (spec): BackendView => ({
        id: spec.id,
        url: spec.url,
        dialects: spec.dialects,
        credential: spec.credential,
        account: spec.account,
        slots: spec.slots,
        busy: scheduler.busy(spec.id),
        waiting: scheduler.waiting(spec.id),
        preemption: levels.get(spec.id) as PreemptionView,
        label: spec.label ?? null,
        ready: backends.has(spec.id) && (spec.credential !== 'kernel' || catalog.hasKey(spec.id)),
        keyHeld: catalog.hasKey(spec.id),
        hints: spec.hints ?? [],
        cache: scheduler.admitted(spec.id) ?? null,
      }),
    );
    return { backends: views };
  },

  async 'backend.tried'({ gate }, { backend, trial }) {
    const { parts } = gate;
    const spec = [...parts.catalog.backends.values()].find(({ id }) => id === backend);
    if (!spec)
      return refusal('not_found', `There is no backend "${backend}".`, { remedy: 'mezz backend lists them' });
    await recordTrial(parts, spec, trial);
    return { preemption: (await levelsOf(parts)).get(backend) as PreemptionView };
  },

  async models(context) {
    const { gate } = context;
    const { catalog, prices } = gate.parts;
    const views = catalog.routes.map((route): ModelView => {
      const price = prices.priceOf(route.alias ?? route.pattern);
      return {
        name: route.pattern,
        backends: route.backends,
        alias: route.alias ?? null,
        price:
          price === undefined
            ? null
            : price === 'free'
              ? 'free'
              : { input: price.input, output: price.output },
        // No list knows a glob: the models it stands for may differ.
        window: (route.pattern.includes('*') ? route.window : catalog.windowOf(route.pattern)) ?? null,
      };
    });
    return { models: views, files: modelFiles(context) };
  },
};

/**
 * What of the observed belongs in the log: trouble when it begins, once a minute while it lasts, and its end. Never a
 * line per call: the journal has those.
 */
import type { Clock } from '../base/clock.ts';
import type { Observer } from '../base/observer.ts';
import { LIMITS } from './limits.ts';
import type { Level, Log } from './log.ts';

export interface Watcher extends Observer {
  committed(tookMs: number, batches: number): void;
}

interface Open {
  readonly since: number;
  toldAt: number;
  count: number;
}

/** Upstream outcomes that say something about the backend, not about the call. */
const UNREACHABLE: ReadonlySet<string> = new Set(['unreachable', 'upstream_timeout', 'upstream_cut']);
/** Refusals at the door that an operator wants to know of: somebody without a key, or a web page. */
const STRANGERS: ReadonlySet<string> = new Set(['unauthorized', 'host_refused', 'origin_refused']);

export function watchTrouble(log: Log, clock: Clock): Watcher {
  const open = new Map<string, Open>();
  const happened = (level: Level, event: string, subject: string, fields: Record<string, unknown>) => {
    const now = clock.now();
    const key = `${event} ${subject}`;
    const known = open.get(key);
    const trouble = known ?? { since: now, toldAt: Number.NEGATIVE_INFINITY, count: 0 };
    trouble.count++;
    if (now - trouble.toldAt >= LIMITS.troubleMs.value) {
      log[level](event, { ...fields, times: trouble.count });
      trouble.toldAt = now;
      trouble.count = 0;
    }
    open.set(key, trouble);
    if (open.size > LIMITS.troubles.value) open.delete(open.keys().next().value as string);
  };
  const over = (event: string, subject: string): number | undefined => {
    const trouble = open.get(`${event} ${subject}`);
    open.delete(`${event} ${subject}`);
    return trouble && clock.now() - trouble.since;
  };
  return {
    decided: () => {},
    ended({ backend, status, outcome }) {
      if (backend === null) return;
      if (UNREACHABLE.has(outcome))
        return happened('warn', 'backend.unreachable', backend, { backend, code: outcome });
      if (status === 0) return;
      const downMs = over('backend.unreachable', backend);
      if (downMs !== undefined) log.info('backend.reachable', { backend, downMs });
      if (status === 429) happened('warn', 'backend.limited', backend, { backend, status });
      if (status >= 500) happened('warn', 'backend.failing', backend, { backend, status });
    },
    refusedAtDoor: (code) => {
      if (STRANGERS.has(code)) happened('warn', 'door.refused', code, { code });
    },
    committed(tookMs, batches) {
      if (tookMs >= LIMITS.slowCommitMs.value)
        happened('warn', 'store.slow', '', { commitMs: Math.round(tookMs), batches });
    },
  };
}

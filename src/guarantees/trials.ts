/** The last trial of each client's hooks, kept with the installation so that a sheet can say what was proven and when. */
import type { HookTrial } from '../base/control.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { META } from '../db/schema/meta.ts';
import type { Store } from '../db/store.ts';
import type { Journal } from '../journal/journal.ts';

export interface KnownTrial {
  readonly client: string;
  readonly version: string | null;
  readonly outcome: HookTrial['outcome'];
  readonly at: number;
}

const PREFIX = 'hooks/';

/** Remembers trials; one in which nothing was called proves nothing, and leaves what was known before. */
export async function recordTrials(
  journal: Journal,
  trials: readonly HookTrial[],
  at: number,
): Promise<void> {
  const proofs = trials.filter(({ outcome }) => outcome !== 'no-call' && outcome !== 'not-installed');
  if (proofs.length === 0) return;
  await journal.append({
    entries: proofs.map(({ client, outcome }) => ({
      kind: 'config',
      agent: 0,
      body: { hooks: client.slice(0, 64), outcome },
    })),
    puts: proofs.map(({ client, version, outcome }) => ({
      table: META,
      row: { k: PREFIX + client, v: JSON.stringify({ client, version, outcome, at }) },
    })),
  });
}

export async function readTrials(store: Store): Promise<KnownTrial[]> {
  const rows = await store.range(META, { from: PREFIX, to: `${PREFIX}~`, limit: 100 });
  return rows.map((row) => parseJson(row.v)).filter((value) => isRecord(value)) as unknown as KnownTrial[];
}

const OUTCOMES: Readonly<Partial<Record<HookTrial['outcome'], string>>> = {
  refused: 'proven',
  'let-through': 'found not to hold',
  'never-asked': 'found not to ask',
};

/** "hooks of codex 0.169.0 proven on 2026-11-25". */
export const knownText = ({ client, version, outcome, at }: KnownTrial): string =>
  `hooks of ${client}${version === null ? '' : ` ${version}`} ${OUTCOMES[outcome]} on ${new Date(at).toISOString().slice(0, 10)}`;

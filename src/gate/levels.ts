/**
 * How far a call that runs at a backend can be preempted, as it is known: built in, tried, or told by what its dialects
 * allow. Nothing is asked of a backend here, so that nothing is charged; a trial is made by ordinary calls and kept with
 * the installation.
 */
import { isRecord, parseJson } from '../base/json.ts';
import type { BackendTrial, PreemptionView } from '../base/models.ts';
import type { BackendSpec } from '../base/ports.ts';
import { META } from '../db/schema/meta.ts';
import type { Parts } from './parts.ts';

/** A trial of the backend that was at this address. */
interface KnownTrial extends BackendTrial {
  readonly url: string;
  readonly at: number;
}

const PREFIX = 'level/';

/** Remembers what a trial came to. */
export async function recordTrial(parts: Parts, spec: BackendSpec, trial: BackendTrial): Promise<void> {
  const known: KnownTrial = { ...trial, url: spec.url, at: parts.clock.now() };
  await parts.journal.append({
    entries: [
      { kind: 'config', agent: 0, body: { tried: spec.id, outcome: trial.outcome, ...inMessages(trial) } },
    ],
    puts: [{ table: META, row: { k: PREFIX + spec.id, v: JSON.stringify(known) } }],
  });
}

const inMessages = ({ messages }: BackendTrial) => (messages ? { messages: messages.outcome } : {});

/** The levels of every backend in force. */
export async function levelsOf(parts: Parts): Promise<ReadonlyMap<string, PreemptionView>> {
  const rows = await parts.store.range(META, {
    from: PREFIX,
    to: `${PREFIX}~`,
    limit: parts.catalog.backends.size + 100,
  });
  const trials = new Map(rows.map(({ k, v }) => [k.slice(PREFIX.length), parseJson(v)]));
  return new Map(
    [...parts.catalog.backends.values()].map((spec) => {
      const trial = trials.get(spec.id);
      const known = isRecord(trial) && trial.url === spec.url ? (trial as unknown as KnownTrial) : undefined;
      return [spec.id, levelOf(spec, known)];
    }),
  );
}

function levelOf(spec: BackendSpec, trial: KnownTrial | undefined): PreemptionView {
  if (spec.keeps !== undefined) return { level: 'G5', allows: 'G5', triedAt: null, why: builtIn(spec.keeps) };
  const triedAt = trial?.at ?? null;
  if (spec.credential !== 'local') return { level: 'G1', allows: 'G2', triedAt: null, why: HOSTED };
  const isSet = spec.continues !== undefined || spec.prefills === true;
  const goesOn = [trial, trial?.messages].some((one) => one?.outcome === 'went-on');
  const allows = goesOn || (isSet && !trial) ? 'G3' : 'G2';
  const why = trial
    ? [...triedTexts(spec, trial)].join('. ')
    : `not tried: mezz backend try ${spec.id}${setText(spec)}`;
  return { level: isSet ? 'G3' : 'G1', allows, triedAt, why };
}

/** What came of Chat, and of Messages where it was tried. */
function* triedTexts(spec: BackendSpec, trial: KnownTrial): Iterable<string> {
  const { continues, prefills, dialects } = spec;
  const { messages } = trial;
  if (!messages || dialects.includes('openai-chat'))
    yield triedText(trial) + (continues ? SET[continues] : trial.outcome === 'went-on' ? OFFERED : '');
  if (messages)
    yield `In Messages: ${triedText(messages)}${prefills ? PREFILLS : messages.outcome === 'went-on' ? PREFILLS_OFFERED : ''}`;
}

const setText = ({ continues, prefills }: BackendSpec): string =>
  `${continues ? SET[continues] : ''}${prefills ? PREFILLS : ''}`;

const GOES_ON =
  '; mezz.yaml says that it continues: streams of Chat that are text so far are broken off and go on';
const SET = {
  words: `${GOES_ON} from their last words`,
  tokens: `${GOES_ON} from their tokens, or from their last words where they have tools or not every token was told`,
};
const OFFERED =
  '. With continues: true in mezz.yaml (tokens for llama-server), streams of Chat are broken off and go on';
const PREFILLS =
  '; mezz.yaml says that it prefills: streams of Messages that are text so far are broken off and go on from their last words';
const PREFILLS_OFFERED = '. With prefills: true in mezz.yaml, streams of Messages are broken off and go on';

const builtIn = (keeps: number): string =>
  `built in: it stops between any two tokens and goes on exactly; ${keeps} kept beside those that run`;
const HOSTED =
  'as its dialects allow; nothing was tried, as tokens are charged. Broken off and asked again, an answer is charged twice: mezz does not';

function triedText({ outcome, promptTokens, cachedTokens }: BackendTrial): string {
  if (outcome === 'no-answer') return 'the trial got no answer';
  if (outcome === 'refused') return 'tried: it refuses to go on with an answer that was broken off';
  if (outcome === 'other-words') return 'tried: it went on with other words than the answer had';
  const cached =
    cachedTokens === null
      ? 'it does not say what of it was cached'
      : `${cachedTokens} of ${promptTokens ?? '?'} tokens were cached`;
  return `tried: it went on with the words the answer had; ${cached}`;
}

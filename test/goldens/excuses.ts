/** What a loss report excuses: each loss that it names takes its part out of what was meant, and nothing else may be gone. */
import type { Json, JsonRecord } from '../../src/base/json.ts';
import { type Asked, joinTurns, type Turn } from './meaning.ts';

type Change = (asked: Asked) => Asked;

const turns =
  (change: (turn: Turn) => Turn): Change =>
  (asked) => ({ ...asked, turns: asked.turns.map(change) });
const setting =
  (name: string, change: (value: Json) => Json | undefined): Change =>
  (asked) => {
    const value = asked.settings[name];
    const changed = value === undefined ? undefined : change(value);
    const { [name]: _gone, ...rest } = asked.settings;
    return { ...asked, settings: changed === undefined ? rest : { ...rest, [name]: changed } };
  };
const gone = (): undefined => undefined;
const isStored = (url: string): boolean => /^file[-_]/.test(url);

const EXCUSES: readonly (readonly [RegExp, Change])[] = [
  [/\.reasoning$/, turns((turn) => ({ ...turn, thoughts: [] }))],
  [
    /\.is_error$/,
    turns((turn) => ({ ...turn, results: turn.results.map((result) => ({ ...result, isError: false })) })),
  ],
  [
    /result\.image \(sent as user\)$/,
    turns((turn) => ({
      ...turn,
      shown: [...turn.results.flatMap(({ shown }) => shown), ...turn.shown],
      results: turn.results.map((result) => ({ ...result, shown: [] })),
    })),
  ],
  [
    /role \w+ \(sent as user\)$/,
    turns((turn) => (turn.role === 'system' ? { ...turn, role: 'user' } : turn)),
  ],
  [/\.file \(sent as text\)$/, turns((turn) => plainFiles(turn))],
  [
    /refusal \(sent as text\)$/,
    turns((turn) => ({ ...turn, text: `${turn.text}\n${turn.refusal}`, refusal: '' })),
  ],
  [/image\.detail$/, turns((turn) => roughly(turn))],
  [/(\.image|\.file)$/, turns((turn) => withoutStored(turn))],
  [/^stop sequences$/, setting('stop', gone)],
  [/^stop \(the first 4/, setting('stop', (stop) => (Array.isArray(stop) ? stop.slice(0, 4) : stop))],
  [/^temperature \(1/, setting('temperature', () => 1)],
  [/^max_tokens \(a default/, setting('max', gone)],
  [/^response format json_object$/, setting('format', gone)],
];

const plainFiles = (turn: Turn): Turn => {
  const [texts, shown] = [turn.shown.filter(isPlain), turn.shown.filter((url) => !isPlain(url))];
  const results = turn.results.map((result) => ({
    ...result,
    text: [result.text, ...result.shown.filter(isPlain).map(plain)].filter(Boolean).join('\n'),
    shown: result.shown.filter((url) => !isPlain(url)),
  }));
  return { ...turn, results, shown, text: [turn.text, ...texts.map(plain)].join('\n') };
};
const isPlain = (url: string): boolean => url.startsWith('text:');
const plain = (url: string): string => url.slice('text:'.length);

const roughly = (turn: Turn): Turn => {
  const rough = (shown: readonly string[]) => shown.map((url) => url.split(' ', 1)[0] as string);
  const results = turn.results.map((result) => ({ ...result, shown: rough(result.shown) }));
  return { ...turn, results, shown: rough(turn.shown) };
};

const withoutStored = (turn: Turn): Turn => ({
  ...turn,
  shown: turn.shown.filter((url) => !isStored(url)),
  results: turn.results.map((result) => ({ ...result, shown: result.shown.filter((url) => !isStored(url)) })),
});

/** What must still be meant. */
export function excuse(asked: Asked, losses: readonly string[]): Asked {
  const changes = EXCUSES.filter(([name]) => losses.some((loss) => name.test(loss)));
  const left = changes.reduce((meant, [, change]) => change(meant), asked);
  return { ...left, turns: sorted(joinTurns(left.turns)), settings: usable(left) };
}

/** Lines and pictures of a turn keep no order among each other where one dialect puts results first. */
const sorted = (all: readonly Turn[]): Turn[] =>
  all.map((turn) => ({
    ...turn,
    text: turn.text.split('\n').sort().join('\n'),
    shown: [...turn.shown].sort(),
    results: turn.results.map((result) => ({ ...result, shown: [...result.shown].sort() })),
  }));

/** Which tool to call means nothing where there is none. */
function usable({ tools, settings }: Asked): JsonRecord {
  const { choice: _choice, single: _single, ...rest } = settings;
  if (tools.length === 0) return rest;
  // That only one may be called says nothing where none may.
  const { single: _none, ...callless } = settings;
  return settings.choice === 'none' ? callless : settings;
}

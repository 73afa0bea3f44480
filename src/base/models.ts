/** Backends, models and the embedded engine, as the control protocol tells and changes them. */
import { HINTS } from './model.ts';
import type { BackendDraft, SettingsChange, WindowFit } from './sheets.ts';
import type { NanoUsd } from './usage.ts';
import {
  count,
  flag,
  listOf,
  long,
  type Members,
  maybe,
  object,
  oneOf,
  orNull,
  type Requests,
  text,
  type Verb,
} from './verb.ts';

/** A backend's cache of prefixes: what it should hold, and how much of it turns that are not over want. */
export interface CacheView {
  /** Tokens; null: without bound, as far as is known. */
  readonly windowTokens: number | null;
  /** Learned from what answers report, in place of set in mezz.yaml. */
  readonly learned: boolean;
  readonly turns: number;
  readonly tokens: number;
  /** Which share of the prefixes was found there lately; null: none was reported. */
  readonly found: number | null;
}
/**
 * How far a running call can be preempted. G0: calls that wait are reordered; G1: a turn stops before its next call; G2:
 * broken off and asked again; G3: broken off and continued from what it said; G4: that with the same tokens at any
 * temperature; G5: stopped between any two tokens, nothing computed again; G6: that across a restart.
 */
export type PreemptionLevel = 'G0' | 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6';

/** What is known of a backend's level. */
export interface PreemptionView {
  /** What mezz does with its calls. */
  readonly level: PreemptionLevel;
  /** The highest that it allows, as far as is known. */
  readonly allows: PreemptionLevel;
  readonly why: string;
  /** Wall time of the last trial in ms; null: none was made. */
  readonly triedAt: number | null;
}
/** What came of going on with an answer that was broken off. */
export interface BackendTrial {
  readonly outcome: 'went-on' | 'other-words' | 'refused' | 'no-answer';
  /** Tokens of the last prompt, and those of them that the backend had still; null: it does not say. */
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  /** The same in Messages, where it speaks that beside Chat, or alone. */
  readonly messages?: Omit<BackendTrial, 'messages'>;
}

export interface BackendView {
  readonly id: string;
  readonly url: string;
  readonly dialects: readonly string[];
  readonly credential: string;
  readonly account: string;
  readonly slots: number;
  readonly busy: number;
  readonly waiting: number;
  readonly preemption: PreemptionView;
  readonly label: string | null;
  /** Is the credential it needs there? Never the credential. */
  readonly ready: boolean;
  /** Does mezz hold a key for it, so that an agent needs none? */
  readonly keyHeld: boolean;
  /** What it is told of a call's priority and session. */
  readonly hints: readonly string[];
  /** null: its provider's matter. */
  readonly cache: CacheView | null;
}
export interface ModelView {
  readonly name: string;
  readonly backends: readonly string[];
  readonly alias: string | null;
  /** Per million tokens in nano-dollars, `free`, or null when unknown. */
  readonly price: { readonly input: NanoUsd; readonly output: NanoUsd } | 'free' | null;
  /** Tokens of context, prompt and answer together, or null when unknown; a glob is as wide as its own row says. */
  readonly window: number | null;
}
/** A model file that the embedded engine can run, asked for as `engine/<id>`. */
export interface ModelFileView {
  readonly id: string;
  /** What the file calls itself, or that it is damaged. */
  readonly name: string;
  readonly architecture: string;
  readonly path: string;
  readonly bytes: number;
  /** As it was when the file came here. */
  readonly sha256: string;
  /** Where it came from. */
  readonly source: string;
  readonly licence: string | null;
  /** Tokens of the longest conversation it was trained on. */
  readonly windowTokens: number | null;
  /** Does it know how a conversation is written? */
  readonly chat: boolean;
  /** The process that holds it in memory, while one does. */
  readonly osPid: number | null;
}
/** The library that the engine is made of: here or not, and how it comes here. */
export interface EngineView {
  readonly installed: boolean;
  /** Where `mezz model engine install` puts it. */
  readonly directory: string;
  /** What is installed, exactly; null where there is no binary for this machine. */
  readonly packages: readonly string[] | null;
  readonly bytes: number;
  readonly licence: string;
  /** Where the models are. */
  readonly models: string;
}

export interface ModelVerbs {
  backends: Verb<Record<string, never>, { backends: BackendView[] }>;
  models: Verb<Record<string, never>, { models: ModelView[]; files: ModelFileView[] }>;
  engine: Verb<Record<string, never>, EngineView>;
  /** Takes a model file in: a copy of `path`, or with `move` the file itself; without a path the tiny model is made. */
  'model.add': Verb<
    { path?: string; name?: string; source?: string; licence?: string; move?: boolean },
    { model: ModelFileView }
  >;
  'model.remove': Verb<{ name: string }, { removed: string }>;
  /** Writes a local backend and its models into mezz.yaml and puts them in force; what is there stays. */
  'backend.add': Verb<BackendDraft, SettingsChange>;
  /** Remembers what a trial of a local backend came to. */
  'backend.tried': Verb<{ backend: string; trial: BackendTrial }, { preemption: PreemptionView }>;
  /** What a model takes, and what agents of a client sent at first, where some were seen. */
  window: Verb<{ model: string; client: string }, WindowFit>;
}

type OneTrial = Omit<BackendTrial, 'messages'>;
const TRIAL: Members<OneTrial> = {
  outcome: oneOf('went-on', 'other-words', 'refused', 'no-answer'),
  promptTokens: orNull(count()),
  cachedTokens: orNull(count()),
};
export const MODEL_VERBS: Requests<ModelVerbs> = {
  backends: {},
  models: {},
  engine: {},
  'model.add': {
    path: maybe(long),
    name: maybe(text),
    source: maybe(long),
    licence: maybe(long),
    move: maybe(flag),
  },
  'model.remove': { name: text },
  'backend.add': {
    id: text,
    url: long,
    dialects: listOf(text),
    slots: count(1),
    hints: maybe(listOf(oneOf(...HINTS))),
    models: listOf(object<BackendDraft['models'][number]>({ name: text, window: maybe(count(1)) })),
  },
  'backend.tried': {
    backend: text,
    trial: object<BackendTrial>({ ...TRIAL, messages: maybe(object<OneTrial>(TRIAL)) }),
  },
  window: { model: long, client: text },
};

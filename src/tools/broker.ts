/**
 * The broker: looks at what a call is about to touch while it holds the locks, says why it must not run, and looks again
 * when it has ended. Invariant: between the two looks nobody whose call is in conflict passed the gate, as long as the
 * call keeps its locks.
 */
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { Workspace } from '../base/ports.ts';
import type { ToolCall } from '../base/syscall.ts';
import { HOLD } from '../db/schema/tools.ts';
import { type Before, readBefore } from './before.ts';
import { effectsOf } from './catalog.ts';
import { type Effect, isDiscarded, isWrite, overlaps } from './effects.ts';
import { LIMITS } from './limits.ts';
import { Locks } from './locks.ts';
import { Rates } from './rates.ts';
import { type Author, type Fresh, Versions } from './versions.ts';

/** A call as the broker knows it. */
export interface Use {
  readonly call: string;
  readonly agent: number;
  /** The agent's name. */
  readonly name: string;
  readonly tool: string;
  readonly effects: readonly Effect[];
  /** What files held before it. */
  readonly before?: readonly Pick<Before, 'path' | 'hash'>[];
}

/** Why a call must not run as things are. */
export interface Obstruction {
  readonly refusal: Refusal;
  /** What the call was based on, where its agent has seen another version: the file, and what it held. */
  readonly basis?: { readonly path: string; readonly hash: string };
}

/** How a call ended: it did what it was asked for, it did not, or nobody said. */
export type How = 'done' | 'failed' | 'unknown';

/** What a file held before a call and after it; '' where there was no file. */
export interface Change {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** What was noticed: `stale`: a write was refused; `round`: somebody wrote round the gate; `lost`: a write that mezz could not read undid one; `absorbed`: a repetition; `conflict`: it waited for a call that it would have met; `full`: for a place. */
export interface ToolEvent {
  readonly kind: 'stale' | 'round' | 'lost' | 'overrun' | 'absorbed' | 'conflict' | 'full';
  readonly at: number;
  readonly key: string;
  readonly call: string;
  readonly agent: number;
  /** Whose write it was about; 0: nobody that mezz knows. */
  readonly other: number;
}

export interface Counts {
  /** Calls that waited for locks or a place. */
  waits: number;
  /** Of these, calls that would have met another's on one key. */
  conflicts: number;
  /** Writes that were refused, because they would have undone what their agent never saw. */
  stale: number;
  /** Changes that were made round the gate. */
  round: number;
  /** Changes that a command which mezz cannot read may have undone. */
  lost: number;
  /** Calls that kept their locks until the bound. */
  overrun: number;
  /** Repetitions of a call that were answered from the ledger. */
  absorbed: number;
}

/** The call by which something was noticed. */
type Noticed = Pick<Use, 'call' | 'agent'>;

interface Running extends Use {
  readonly startedAt: number;
  readonly stopTimer: () => void;
  /** The store has a row of it: mezz does not make it itself. */
  readonly isStored: boolean;
}

/** Nothing is seen: for a kernel without files. */
export const NO_WORKSPACE: Workspace = {
  canonical: async (path) => path,
  digest: async () => undefined,
  content: async () => 'other',
  below: async () => undefined,
  restore: async () => 'there are no files',
  checkout: async () => undefined,
  uncommitted: async () => [],
  isListening: async () => false,
  portsOf: async () => [],
};

export class Broker {
  readonly rates: Rates;
  readonly locks: Locks;
  readonly versions: Versions;
  readonly counts: Counts = { waits: 0, conflicts: 0, stale: 0, round: 0, lost: 0, overrun: 0, absorbed: 0 };
  readonly events: ToolEvent[] = [];
  /** How many of each kind there are. */
  readonly #kept = new Map<ToolEvent['kind'], number>();
  readonly #clock: Clock;
  readonly #workspace: Workspace;
  /** Calls that were let go and have not ended. */
  readonly #running = new Map<string, Running>();
  /** Is the agent of a version still there? Told by whoever owns agents. */
  readonly #isThere: (agent: number) => boolean;

  /** Rows of calls that the store may forget. */
  readonly #over: string[] = [];

  constructor(
    clock: Clock,
    workspace: Workspace,
    isThere: (agent: number) => boolean,
    versions = new Versions(),
  ) {
    this.#clock = clock;
    this.rates = new Rates(clock);
    this.locks = new Locks(this.rates);
    this.#workspace = workspace;
    this.#isThere = isThere;
    this.versions = versions;
  }

  /** What the next batch to the store has to take with it. */
  takeFresh(): Fresh {
    const { puts, deletes } = this.versions.takeFresh(this.#clock.now());
    const over = this.#over.splice(0).map((call) => ({ table: HOLD, key: [call] }));
    return { puts, deletes: [...deletes, ...over] };
  }

  effectsOf(call: ToolCall, cwd: string): Promise<Effect[]> {
    return effectsOf(call, call.cwd ?? cwd, this.#workspace);
  }

  /** Is there anything to look at before such a call? What a tool server holds nobody sees from here. */
  hasToLook({ effects }: Pick<Use, 'effects'>): boolean {
    return effects.some(
      (effect) =>
        effect.path !== undefined ||
        effect.access === 'replace' ||
        /^(port|git):/.test(effect.key) ||
        (effect.key.startsWith('file:') && isWrite(effect)),
    );
  }

  /** Looks at what the call touches, under its locks: why it must not run as things are, or undefined. */
  async check(use: Use): Promise<Obstruction | undefined> {
    for (const effect of use.effects) await this.#look(effect, use);
    for (const effect of use.effects) {
      const found =
        (await this.#checkDiscards(effect, use)) ??
        this.#checkVersion(effect, use) ??
        (await this.#checkPort(effect, use));
      if (!found) continue;
      this.counts.stale++;
      return found;
    }
    return undefined;
  }

  /** What the files hold that the call may change: so that it can be shown, and put back. */
  before({ effects }: Use): Promise<Before[]> {
    return readBefore(effects, this.versions, this.#workspace);
  }

  /** What a file holds now, by its SHA-256; '' where there is none. */
  async hashOf(path: string): Promise<string> {
    return (await this.#workspace.digest(path, this.versions.digest(`file:${path}`)))?.hash ?? '';
  }

  restore(...file: Parameters<Workspace['restore']>): Promise<string | undefined> {
    return this.#workspace.restore(...file);
  }

  /** What a file holds now, where it is small enough to be shown. */
  async content(path: string): Promise<Uint8Array | undefined> {
    const found = await this.#workspace.content(path, LIMITS.beforeBytes.value);
    return found === 'other' ? undefined : found?.bytes;
  }

  /**
   * The call was let go, at `at` where that was before the kernel started. `onBound`: it keeps its locks no longer, though
   * nobody said that it has ended; else it has no bound.
   */
  started(use: Use, onBound?: () => void, at?: number): void {
    const startedAt = at ?? this.#clock.now();
    const overrun = () => {
      this.counts.overrun++;
      this.#over.push(use.call);
      for (const { key } of use.effects) this.#note('overrun', key, use, 0);
      onBound?.();
    };
    const leftMs = startedAt + boundOf(use) - this.#clock.now();
    const stopTimer = onBound ? this.#clock.after(Math.max(0, leftMs), overrun) : () => {};
    const isStored = onBound !== undefined || at !== undefined;
    this.#running.set(use.call, { ...use, startedAt, stopTimer, isStored });
  }

  /** Looks at what the call left behind. undefined: it is not known, or another is told of its end already. */
  async ended(call: string, how: How): Promise<readonly Change[] | undefined> {
    const use = this.#running.get(call);
    if (!use) return undefined;
    this.#running.delete(call);
    if (use.isStored) this.#over.push(call);
    use.stopTimer();
    const author: Author = { agent: use.agent, name: use.name, tool: use.tool, call, at: this.#clock.now() };
    const exact = new Set(use.effects.flatMap(({ key, path }) => (path === undefined ? [] : [key])));
    for (const effect of use.effects) {
      if (effect.key.startsWith('port:')) this.versions.wrote(effect.key, author, true);
      if (effect.path !== undefined) await this.#settle(effect, effect.path, author, how);
      else if (isBelieved(effect.key) && !effect.guessed) this.#believe(effect, author, how);
      if (!isWrite(effect) || !effect.key.startsWith('file:')) continue;
      if (effect.guessed) await this.#discover(effect.key, use);
      for (const key of this.versions.below(effect.key))
        if (!exact.has(key)) await this.#settleBelow(key, author);
    }
    return Promise.all((use.before ?? []).map((one) => this.#changed(one)));
  }

  async #changed({ path, hash }: Pick<Before, 'path' | 'hash'>): Promise<Change> {
    const key = `file:${path}`;
    // What is known of it was looked at just now.
    const digest = this.versions.knows(key)
      ? this.versions.digest(key)
      : await this.#workspace.digest(path, undefined);
    return { path, before: hash, after: digest?.hash ?? '' };
  }

  /** Files that a command which mezz cannot read has made or changed, and that nobody has looked at before. */
  async #discover(key: string, { startedAt }: Running): Promise<void> {
    const dirty = await this.#workspace.uncommitted(key.slice('file:'.length));
    for (const { path } of dirty.slice(0, LIMITS.discovered.value)) {
      if (this.versions.knows(`file:${path}`)) continue;
      const digest = await this.#workspace.digest(path, undefined);
      if (digest && digest.changedAt >= startedAt) this.versions.see(`file:${path}`, undefined);
    }
  }

  /** The call waits: for a key that a call of `other` has or comes first for, or (0) for a place. */
  waited(call: Noticed, key: string, other: number): void {
    this.counts.waits++;
    if (other !== 0) this.counts.conflicts++;
    this.#note(other === 0 ? 'full' : 'conflict', key, call, other);
  }

  /** What the store has of a call that was let go is of no use any more. */
  forgetHold(call: string): void {
    this.#over.push(call);
  }

  /** A repetition of this call was answered without being made. */
  absorbed(call: Noticed, tool: string): void {
    this.counts.absorbed++;
    this.#note('absorbed', tool, call, 0);
  }

  /** Calls of the agent that were let go and have not ended. */
  runningOf(agent: number): string[] {
    return [...this.#running.values()].filter((use) => use.agent === agent).map(({ call }) => call);
  }

  /** A call that was let go and has not ended. */
  use(call: string): (Use & { readonly startedAt: number }) | undefined {
    return this.#running.get(call);
  }

  /** Notices what was written round the gate since mezz last looked. */
  async #look({ key, path }: Effect, use: Use): Promise<void> {
    if (path === undefined) return;
    const digest = await this.#workspace.digest(path, this.versions.digest(key));
    if (this.versions.see(key, digest)) this.#wroteRound(key, use);
  }

  /** A change that no ended call made: by a command that still runs and whose writes are guessed, or round the gate. */
  #wroteRound(key: string, noticed: Noticed): void {
    const at = this.#clock.now();
    const running = [...this.#running.values()].find(
      ({ call, effects }) =>
        call !== noticed.call && effects.some((one) => isWrite(one) && overlaps(one.key, key)),
    );
    if (running) {
      const { agent, name, tool, call } = running;
      return this.versions.wrote(key, { agent, name, tool, call, at }, false);
    }
    this.counts.round++;
    this.#note('round', key, noticed, 0);
    this.versions.wrote(key, { agent: 0, name: '', tool: '', call: '', at }, false);
  }

  async #settle(effect: Effect, path: string, author: Author, how: How): Promise<void> {
    const { key, access } = effect;
    const digest = await this.#workspace.digest(path, this.versions.digest(key));
    const changed = this.versions.see(key, digest);
    if (changed && isWrite(effect)) this.versions.wrote(key, author, access === 'replace');
    else if (changed) this.#wroteRound(key, author);
    else if (access === 'read' && how === 'done') this.versions.stamp(author.agent, key);
  }

  /**
   * What a server or an address holds nobody sees from here: what its tools say that they do is what is known of it. The
   * parts of a server are in it; addresses below another are resources of their own, which only a `replace` takes along.
   * Whoever has never read it may have no way to, so only who has is held to it.
   */
  #believe({ key, access }: Effect, author: Author, how: How): void {
    const { versions } = this;
    const isOfServer = key.startsWith('server:');
    if (access === 'read') {
      if (how !== 'done') return;
      if (!versions.knows(key)) versions.see(key, undefined);
      for (const one of isOfServer ? versions.below(key) : [key]) versions.stamp(author.agent, one);
    } else if (how !== 'failed') {
      const covers = access === 'replace' || (access === 'delta' && isOfServer);
      for (const one of covers ? versions.below(key) : [key])
        if (versions.knows(one)) versions.wrote(one, author, false);
    }
  }

  /** What a write changed below the key that it named, or that was guessed for it. */
  async #settleBelow(key: string, author: Author): Promise<void> {
    const digest = await this.#workspace.digest(key.slice('file:'.length), this.versions.digest(key));
    if (!this.versions.see(key, digest)) return;
    const undone = this.versions.unseen(author.agent, key);
    if (undone && undone.author.agent !== 0) {
      this.counts.lost++;
      this.#note('lost', key, author, undone.author.agent);
    }
    this.versions.wrote(key, author, false);
  }

  /** A `replace` must know what it replaces: what its agent has read, or nothing that a living peer wrote. */
  #checkVersion({ key, access, path }: Effect, use: Use): Obstruction | undefined {
    if (access !== 'replace' || key.startsWith('port:')) return undefined;
    const unseen = this.versions.unseen(use.agent, key);
    if (!unseen || (!unseen.sawBefore && (isBelieved(key) || !this.#isPeer(unseen.author)))) return undefined;
    this.#note('stale', key, use, unseen.author.agent);
    const since = unseen.sawBefore ? `since ${use.name} last read it` : `and ${use.name} has not read it`;
    const obstructed = obstruction(
      `${nameOf(key)} was changed by ${this.#tell(unseen.author)}, ${since}: this would undo it.`,
      { rule: 'tools:stale', remedy: howToSee(key) },
    );
    const isFile = path !== undefined && key.startsWith('file:') && unseen.saw !== undefined;
    return { ...obstructed, ...(isFile ? { basis: { path, hash: unseen.saw } } : {}) };
  }

  async #checkPort({ key }: Effect, use: Use): Promise<Obstruction | undefined> {
    const port = /^port:(\d+)$/.exec(key)?.[1];
    const taker = port === undefined ? undefined : this.versions.author(key);
    if (!taker || taker.agent === use.agent || !this.#isPeer(taker)) return undefined;
    if (!(await this.#workspace.isListening(Number(port)))) return undefined;
    this.#note('stale', key, use, taker.agent);
    return obstruction(`A server listens on port ${port} that was started by ${this.#tell(taker)}.`, {
      rule: 'tools:port',
      remedy: 'use another port, or the server that is there',
    });
  }

  /** What is in no commit and was written by a living peer is thrown away by nobody else. */
  async #checkDiscards({ key, discards }: Effect, use: Use): Promise<Obstruction | undefined> {
    if (!discards) return undefined;
    const place = key.slice('file:'.length);
    const root = (await this.#workspace.checkout(place))?.root ?? place;
    const dirty = await this.#workspace.uncommitted(root);
    const hit = dirty.filter((file) => isDiscarded(file.tracked, discards)).map(({ path }) => `file:${path}`);
    const theirs = hit.flatMap((one) => {
      const author = this.versions.author(one);
      const isBelow = one === key || one.startsWith(`${key}/`);
      return isBelow && author && author.agent !== use.agent && this.#isPeer(author) ? [{ one, author }] : [];
    });
    const [first] = theirs;
    if (!first) return undefined;
    this.#note('stale', first.one, use, first.author.agent);
    const more = theirs.length > 1 ? ` and ${theirs.length - 1} more` : '';
    return obstruction(
      `${nameOf(first.one)}${more} holds changes by ${this.#tell(first.author)} that no commit has: this would throw them away.`,
      {
        rule: 'tools:discards',
        remedy: 'name your own files only, or see to it that the others are committed first',
      },
    );
  }

  #isPeer(author: Author): boolean {
    return author.agent !== 0 && this.#isThere(author.agent);
  }

  #tell({ agent, name, tool, call, at }: Author): string {
    const ago = `${Math.max(0, Math.round((this.#clock.now() - at) / 1000))} s ago`;
    return agent === 0
      ? `somebody round mezz, noticed ${ago}`
      : `${name} (${agent}) with ${tool}, ${ago}, call ${call}`;
  }

  #note(
    kind: ToolEvent['kind'],
    key: string,
    { call, agent }: Pick<Use, 'call' | 'agent'>,
    other: number,
  ): void {
    this.events.push({ kind, at: this.#clock.now(), key, call, agent, other });
    const kept = (this.#kept.get(kind) ?? 0) + 1;
    this.#kept.set(kind, Math.min(kept, LIMITS.events.value));
    // What happens often pushes out nothing of another kind.
    if (kept > LIMITS.events.value)
      this.events.splice(
        this.events.findIndex((event) => event.kind === kind),
        1,
      );
  }
}

/** How long a call keeps its locks whose client never says that it has ended (ms). */
export const boundOf = ({ effects }: Pick<Use, 'effects'>): number =>
  effects.every((effect) => effect.guessed || !isWrite(effect))
    ? LIMITS.guessHoldMs.value
    : LIMITS.holdMs.value;

const obstruction = (message: string, more: Pick<Refusal, 'rule' | 'remedy'>): Obstruction => ({
  refusal: refusal('stale', message, more),
});

/** Nobody can look at it from here. */
const isBelieved = (key: string): boolean => /^(?:server|url):/.test(key);

/** `file:/a/b` is told as the path; a branch or HEAD by what it is. */
function nameOf(key: string): string {
  if (key.endsWith('/refs/stash')) return `The stash (${key.slice(4)})`;
  if (key.endsWith('/HEAD')) return `The branch that is checked out (${key.slice(4)})`;
  return key.startsWith('git:')
    ? `The branch ${key.replace(/^.*\/refs\/heads\//, '')}`
    : key.replace(/^(?:file|url):/, '');
}

function howToSee(key: string): string {
  if (key.endsWith('/refs/stash')) return 'look at it first (git stash list), then name your own';
  if (key.startsWith('git:')) return 'look at it first (git status; git log), then decide again';
  return 'read it again, then write what holds both changes';
}

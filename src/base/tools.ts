/** Tools and what their calls hold, as the control protocol tells it. */
import type { JsonRecord } from './json.ts';
import type { Access, Manifest, ManifestFile } from './manifest.ts';
import type { WaitView } from './order.ts';
import type { SettingsChange } from './sheets.ts';
import {
  flag,
  json,
  listOf,
  long,
  maybe,
  object,
  oneOf,
  type Requests,
  type Selector,
  text,
  type Verb,
  whole,
} from './verb.ts';

/** What one tool call holds; nobody else may touch it in a way that conflicts until it ends. */
export interface LockView {
  readonly call: string;
  readonly agent: number;
  readonly name: string;
  readonly tool: string;
  readonly heldMs: number;
  readonly keys: readonly {
    readonly key: string;
    readonly access: Access;
    /** A command that mezz cannot read may write anywhere below the key. */
    readonly guessed: boolean;
  }[];
}

/** `stale`: a write was refused; `round`: changed round the gate; `lost`: perhaps undone; `overrun`: kept until the bound; `absorbed`: a repetition of the call, answered from the ledger; `conflict`: it waited for a call of another that it would have met; `full`: it waited for a place. */
export interface ToolEventView {
  readonly kind: 'stale' | 'round' | 'lost' | 'overrun' | 'absorbed' | 'conflict' | 'full';
  readonly at: number;
  readonly key: string;
  readonly call: string;
  readonly agent: number;
  /** Whose change it was about; 0: nobody that mezz knows. */
  readonly other: number;
}

/** Since the kernel started. */
export interface LocksView {
  readonly held: readonly LockView[];
  readonly waiting: readonly WaitView[];
  readonly counts: {
    readonly waits: number;
    /** Of these, calls that would have met another's on one key. */
    readonly conflicts: number;
    readonly stale: number;
    readonly round: number;
    readonly lost: number;
    readonly overrun: number;
    readonly absorbed: number;
    /** Keys whose version is remembered. */
    readonly known: number;
  };
  readonly events: readonly ToolEventView[];
}

/** A tool that mezz offers. `changed`: its definition is not the one that was accepted, so nobody sees it. */
export interface ToolView {
  readonly name: string;
  readonly server: string;
  readonly tool: string;
  readonly digest: string;
  readonly state: 'accepted' | 'changed';
  readonly text: string;
}

/** What is known of a tool, and by whom: `none` means that it may write anything of its server. */
export interface KnownView {
  readonly name: string;
  readonly source: 'operator' | 'shipped' | 'http' | 'annotations' | 'none';
  readonly manifest: Manifest | null;
}

/** What is wrong with a description of a server's tools, or with having none. */
export interface LintView {
  readonly server: string;
  readonly problem: string;
  readonly remedy: string;
}

export interface ToolServerView {
  readonly id: string;
  readonly command: readonly string[];
  /** Where it is, or its document, in place of a command. */
  readonly address: string | null;
  /** Why it offers nothing, as it was asked last. */
  readonly problem: string | null;
  readonly osPid: number | null;
  /** Calls that run there now. */
  readonly calls: number;
  /** Its processes; `agent` 0: everybody's. `leasedUntil`: at least so long the agent keeps it. */
  readonly instances: readonly {
    readonly agent: number;
    readonly fence: number;
    readonly calls: number;
    readonly osPid: number | null;
    readonly leasedUntil: number | null;
  }[];
  /** Calls in a row that got no answer. */
  readonly failures: number;
  /** Until when it gets no call because of them; null where it gets all. */
  readonly shutUntil: number | null;
  /** Until when it has asked for no call; null where it takes them. */
  readonly restsUntil: number | null;
  /** Calls that were refused for that, or for its calls a minute. */
  readonly refused: number;
  /** The last it said on its error stream. */
  readonly said: string;
  /** Of the login that a remote one may want. */
  readonly login: LoginState;
}

/** `none`: nobody asked for one; `needed`, `expired`, `more`: the server refused the last request for want of one. */
export type LoginState = 'none' | 'in' | 'needed' | 'expired' | 'more';

/** How the login at a remote tool server stands; `scope`: what it allows, where that is said. */
export interface LoginView {
  readonly server: string;
  readonly state: LoginState;
  readonly scope: string | null;
}

/** A tool call that may or may not have taken effect; a person decides. */
export interface DoubtView {
  readonly call: string;
  readonly agent: number;
  readonly agentName: string;
  readonly tool: string;
  /** What a second sending would do. */
  readonly retry: string;
  readonly at: number;
}

/** One change and what became of it: taken back by the call `by`, left (`why`), or failed (`why`); in a dry run `would`. */
export interface UndoView {
  readonly call: string;
  /** What the call was of. */
  readonly tool: string;
  readonly key: string;
  /** `compensation`: the world has seen it, and it is made up for. `none`: no call is known that takes it back. */
  readonly kind: 'file' | 'inverse' | 'compensation' | 'none';
  readonly state: 'undone' | 'would' | 'left' | 'failed';
  readonly why: string;
  readonly by: string | null;
}

/** A tool server as another program's settings have it. */
export interface ToolDraft {
  readonly id: string;
  readonly command?: readonly string[];
  readonly cwd?: string;
  readonly url?: string;
  readonly env?: Readonly<Record<string, ToolValue>>;
  readonly headers?: Readonly<Record<string, ToolValue>>;
  /** What looks like a secret: it is not taken over, at most the place where it is to be found. */
  readonly left: readonly string[];
  /** What does not work as it is written there. */
  readonly notes: readonly string[];
}

/** A text, or the variable that holds it. */
export type ToolValue = string | { readonly env: string };

export interface ToolFile {
  readonly path: string;
  readonly text: string;
}

export interface ToolImport extends SettingsChange {
  /** What is added, as mezz.yaml holds it. */
  readonly lines: readonly string[];
  /** What was not taken over, `server: NAME`. */
  readonly left: readonly string[];
  /** What is to be known of what is added. */
  readonly notes: readonly string[];
}

export interface ToolVerbs {
  /** Takes back what an agent and those below it changed, or one call, the newest first. */
  undo: Verb<{ agent?: string; call?: string; since?: number; dryRun?: boolean }, { steps: UndoView[] }>;
  locks: Verb<{ agent?: string }, LocksView>;
  /** All, or those that one agent sees. */
  tools: Verb<{ agent?: string }, { tools: ToolView[]; problems: string[] }>;
  'tool.servers': Verb<Record<string, never>, { servers: ToolServerView[] }>;
  /** Made as this agent, and decided as its own. */
  'tool.call': Verb<Selector & { name: string; args: JsonRecord }, { result: JsonRecord; isError: boolean }>;
  /** `done`: it took effect; `retry`: it is made once more; `abandon`: it is not. */
  'tool.resolve': Verb<
    { call: string; as: 'done' | 'retry' | 'abandon' },
    { call: string; outcome: 'done' | 'failed' | 'given_up'; text: string }
  >;
  /** Without `write` it only says what would be written. */
  'tool.import': Verb<{ files: readonly ToolFile[]; write: boolean }, ToolImport>;
  /** What a server offers now against what was accepted. */
  'tool.diff': Verb<{ server: string }, { changes: { name: string; text: string }[] }>;
  'tool.accept': Verb<{ server: string }, { tools: ToolView[] }>;
  /** Begins one: where a person agrees. The browser ends it at `redirect`, on loopback. */
  'tool.login': Verb<{ server: string; redirect: string }, { url: string }>;
  /** `query`: what the browser brought to `redirect`. */
  'tool.loggedin': Verb<{ server: string; query: string }, { login: LoginView }>;
  'tool.logout': Verb<{ server: string }, { login: LoginView; wasIn: boolean }>;
  /** Of one server, or of all; `problems`: why one does not say what it offers. */
  'tool.manifest': Verb<{ server?: string }, { tools: KnownView[]; problems: string[] }>;
  'tool.lint': Verb<{ server?: string }, { problems: LintView[] }>;
  /** A draft for a server: nothing of it holds until an operator says so. */
  'tool.learn': Verb<{ server: string }, { manifest: ManifestFile }>;
}
export const TOOL_VERBS: Requests<ToolVerbs> = {
  undo: { agent: maybe(text), call: maybe(text), since: maybe(whole), dryRun: maybe(flag) },
  locks: { agent: maybe(text) },
  tools: { agent: maybe(text) },
  'tool.servers': {},
  'tool.call': { agent: text, name: text, args: json },
  'tool.resolve': { call: text, as: oneOf('done', 'retry', 'abandon') },
  'tool.import': { files: listOf(object<ToolFile>({ path: long, text: long })), write: flag },
  'tool.diff': { server: text },
  'tool.accept': { server: text },
  'tool.login': { server: text, redirect: long },
  'tool.loggedin': { server: text, query: long },
  'tool.logout': { server: text },
  'tool.manifest': { server: maybe(text) },
  'tool.lint': { server: maybe(text) },
  'tool.learn': { server: text },
};

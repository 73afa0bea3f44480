/** What drivers implement and the gate calls. A driver acts only on a ticket, and only gate/ can mint one. */
import type { Refusal } from './errors.ts';
import type { AccountId, BackendId, CallId } from './ids.ts';
import type { JsonRecord } from './json.ts';
import type { DoubtRule, InstanceMode, ManifestFile } from './manifest.ts';
import type { RpcError, RpcReply, ServerMethod } from './mcp.ts';
import type { DialectName, HintName, ModelCall, ModelOutcome } from './model.ts';
import type { CredentialKind, Ticket } from './ticket.ts';
import type { LoginState } from './tools.ts';

export type { CredentialKind };

/** `auto`: the client's own login where it brings one that fits, else the kernel's key. */
export type CredentialChoice = CredentialKind | 'auto';

export interface BackendSpec {
  readonly id: BackendId;
  /** Base URL of the dialect, without trailing slash: `https://api.anthropic.com/v1`. */
  readonly url: string;
  readonly dialects: readonly DialectName[];
  readonly credential: CredentialChoice;
  /** Whose logins belong here: `anthropic`, `openai`, `chatgpt`, ... A client's login never goes to another provider. */
  readonly provider: string;
  /** Whose money: a configured account for `kernel` and `local`; for `client` the digest decides per call. */
  readonly account: AccountId;
  /** Calls that may run at once. */
  readonly slots: number;
  /** Tokens that its cache of prefixes holds, where that is known. */
  readonly cacheTokens?: number;
  /** Calls whose state it keeps while they are stopped, beside those that run; absent: none. */
  readonly keeps?: number;
  /** An answer that is broken off can be continued: from its last words, or from the ids of its tokens. */
  readonly continues?: 'words' | 'tokens';
  /** It goes on from a last message of the assistant, in Messages. */
  readonly prefills?: boolean;
  /** What it is told of a call's priority and session; absent: nothing. */
  readonly hints?: readonly HintName[];
  /** Silence after which the upstream counts as dead, ms. */
  readonly idleTimeoutMs: number;
  /** `lab` and other deterministic stand-ins are always labelled. */
  readonly label?: string;
}

/** The processes of agents' programs, which the kernel did not start itself. */
export interface Processes {
  /** Is this very process still there? `start`: ticks from boot to its start, or null where the system does not say. */
  isThere(osPid: number, start: number | null): boolean;
  /** Asks it to end (SIGTERM) and, when it is still there after a grace, ends it (SIGKILL). */
  end(osPid: number, start: number | null): void;
}

/** A call that runs and that its backend can stop between two tokens. */
export interface Suspendable {
  /** Stops it and keeps its state; false where it ended before that. Nothing of its answer is lost. */
  suspend(): Promise<boolean>;
  proceed(): void;
}

export interface ModelBackend {
  readonly spec: BackendSpec;
  perform(ticket: Ticket, call: ModelCall): Promise<ModelOutcome>;
  /** A call that it performs just now, where it can stop it. */
  suspendable?(call: CallId): Suspendable | undefined;
  /** The whole names of what it serves under a pattern of the model table, where it knows them itself. */
  models?(): readonly string[];
  close(): Promise<void>;
}

/** What a file holds, without its content. `stat` alone tells that nothing can have changed. */
export interface Digest {
  readonly stat: string;
  readonly hash: string;
  /** Wall time in ms. */
  readonly changedAt: number;
}

export interface Content {
  readonly bytes: Uint8Array;
  /** Who may read, write and run it: the bits of POSIX. */
  readonly mode: number;
}

/** Processes by number, or those that `pgrep` finds with these arguments. */
export type ProcessNames = { readonly pids: readonly number[] } | { readonly like: readonly string[] };

export interface Checkout {
  readonly root: string;
  /** What this worktree has of its own: HEAD and the index. */
  readonly gitDir: string;
  /** What all worktrees of the repository share. */
  readonly commonDir: string;
  /** `refs/heads/main`; undefined when HEAD is no branch. */
  readonly branch: string | undefined;
}

/** The files, checkouts and ports that agents work on. It looks, and changes nothing but by `restore`. */
export interface Workspace {
  /** Absolute, links resolved as far as the path exists, in the case the disk has. */
  canonical(path: string, cwd: string): Promise<string>;
  /** undefined where there is no file. `known` is given back when the file cannot have changed since. */
  digest(path: string, known: Digest | undefined): Promise<Digest | undefined>;
  /** What a file holds; undefined where there is nothing, `other` for a directory and what is larger. */
  content(path: string, maxBytes: number): Promise<Content | undefined | 'other'>;
  /** Files in a directory and below it, absolute; undefined where it is none, or more is in it. */
  below(directory: string, most: number): Promise<readonly string[] | undefined>;
  /**
   * Puts a file's bytes in place, whole or not at all; undefined takes the file away. A file that is there keeps its
   * mode. Says why it cannot.
   */
  restore(
    path: string,
    content: (Omit<Content, 'mode'> & Partial<Content>) | undefined,
  ): Promise<string | undefined>;
  checkout(directory: string): Promise<Checkout | undefined>;
  /** Files that differ from the last commit, absolute; `tracked`: git knows them. */
  uncommitted(root: string): Promise<readonly { readonly path: string; readonly tracked: boolean }[]>;
  /** Does a server listen on the port on loopback? */
  isListening(port: number): Promise<boolean>;
  /** The ports that these processes listen on, or those that they started; none where the machine does not tell. */
  portsOf(processes: ProcessNames): Promise<readonly number[]>;
}

/** A program that mezz starts, or a place that it speaks HTTP to, and that offers tools. */
export interface ToolServerSpec {
  /** Its name in mezz.yaml, and the front of its tools' names. */
  readonly id: string;
  /** Empty for one that is reached by `url`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What its operator says of its tools. */
  readonly manifest?: ManifestFile;
  /** Calls that may run there at once; the bound of all servers where nobody says. */
  readonly calls?: number;
  /** Whose its processes are; its manifest says so where nobody does, and else they are everybody's. */
  readonly instance?: InstanceMode;
  /** How long a process that nobody calls stays. */
  readonly idleMs?: number;
  /** How long an agent keeps a leased one after its last call. */
  readonly leaseMs?: number;
  /** Calls it may get in a minute. */
  readonly perMinute?: number;
  /** Characters of a result that an agent is shown; the bound of all servers where nobody says. */
  readonly resultCharacters?: number;
  /** How long a call may take before it becomes a task, for clients that take tasks. */
  readonly taskAfterMs?: number;
  /** What is done about its calls in doubt; a person is asked where nobody says. */
  readonly doubt?: DoubtRule;
  /** Its annotations are believed where nobody else says a word. */
  readonly trusted?: boolean;
  /** Where it speaks MCP over streamable HTTP. */
  readonly url?: string;
  /** Sent with every request to `url`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The one version of the protocol to speak with it; found out by default. */
  readonly protocol?: string;
  readonly auth?: ToolAuth;
  /** It is an HTTP service: where its OpenAPI document is, a path or an address. */
  readonly openapi?: string;
  /** Where the service is, if not where its document says; without a slash at its end. */
  readonly baseUrl?: string;
}

/** Who mezz is at a remote tool server, where a person's login says not enough (OAuth). */
export interface ToolAuth {
  /** As which client it is registered; by default it registers itself. */
  readonly clientId?: string;
  /** The address of a document that says what client it is, and is then the client's id. */
  readonly clientMetadata?: string;
  /** The authorization server that may see the client's secret; by default the one that the first login finds. */
  readonly issuer?: string;
  /** Asked for beside what the server names. */
  readonly scope?: string;
  /** `client_credentials`: no person logs in. */
  readonly grant?: 'login' | 'client_credentials';
  /** It has a private key in place of a secret, and signs so. */
  readonly algorithm?: string;
}

/** The login at a remote tool server; it never shows what it holds. */
export interface ServerLogin {
  readonly state: LoginState;
  readonly scope: string | undefined;
  /** The address at which a person agrees; what comes of it is brought to `redirect`. */
  begin(redirect: string): Promise<{ readonly url: string } | Refusal>;
  /** `query`: what was brought there. */
  finish(query: string): Promise<{ readonly scope: string | undefined } | Refusal>;
  /** Was there one? */
  forget(): boolean;
}

/** What a tool server says of itself: its software's name, and what it offers as it words it. */
export interface Described {
  readonly software: string;
  readonly tools: readonly JsonRecord[];
  /** What the protocol itself says that they do: HTTP's methods. */
  readonly manifest?: ManifestFile;
  readonly prompts?: readonly JsonRecord[];
  readonly resources?: readonly JsonRecord[];
  readonly templates?: readonly JsonRecord[];
  /** MCP's capabilities of a server; nothing but tools where it says nothing. */
  readonly capabilities?: JsonRecord;
  /** What it offers besides that no client could read, and why: nobody is shown it. */
  readonly unreadable?: readonly string[];
  /** How long, in ms, it says that its lists stay as they are. */
  readonly ttlMs?: number;
}

/** The agent's side of a call that runs: what its client can be told and asked meanwhile. */
export interface Asking {
  /** The same for all calls of one key, and of no other. */
  readonly who: string;
  /** What the client says that it can be asked. */
  readonly capabilities: JsonRecord;
  /** The least important log message it wants; undefined: none. */
  readonly logLevel: string | undefined;
  /** Its client answers a result of type `input_required` itself, by calling again. */
  readonly takesInputRequired: boolean;
  readonly wantsProgress: boolean;
  /** A notification about this call. */
  told(method: string, params: JsonRecord): void;
  /** A request of the server's to the client. */
  asked(method: string, params: JsonRecord): Promise<RpcReply>;
}

/** What an agent asks of a server beside a tool's name and arguments. */
export interface ServerRequest {
  readonly method: ServerMethod;
  /** As the server is to read them. */
  readonly params: JsonRecord;
  readonly asking: Asking;
}

/**
 * `broken` by a refusal; the code `in_doubt` says that the call was sent and nothing came back. An `error` is the server's
 * own: its words and its code reach the agent.
 */
export type ToolAnswer =
  | {
      readonly kind: 'called';
      readonly result: JsonRecord;
      readonly isError: boolean;
      readonly error?: RpcError;
    }
  /** `restMs`: for so long the server asks for no call. */
  | { readonly kind: 'broken'; readonly refusal: Refusal; readonly restMs?: number };

/** What a server says unasked: a list of its kind has changed, or the resource `uri`. */
export type ServerChange =
  | { readonly kind: 'tools' | 'prompts' | 'resources' }
  | { readonly kind: 'updated'; readonly uri: string };

/** Who has a leased server to itself, and until when at least. */
export interface Lease {
  readonly agent: number;
  readonly until: number;
}

/** One process of a tool server. */
export interface ToolInstance {
  /** Whose it is; 0: everybody's. */
  readonly agent: number;
  /** The how-manieth process of its server. */
  readonly fence: number;
  readonly calls: number;
  readonly osPid: number | null;
  readonly leasedUntil: number | null;
}

export interface ToolServer {
  readonly spec: ToolServerSpec;
  /** Of the running process, if it runs. */
  readonly osPid: number | undefined;
  /** The last it said on its error stream. */
  readonly said: string;
  /** Where it can want one. */
  readonly login?: ServerLogin | undefined;
  /** Starts it where it does not run. */
  describe(): Promise<Described | Refusal>;
  /** `request`: the same call as its client worded it, and who can be asked meanwhile. */
  call(
    ticket: Ticket,
    tool: string,
    input: JsonRecord,
    signal: AbortSignal,
    request?: ServerRequest,
  ): Promise<ToolAnswer>;
  /** Anything but a tool's call, where it offers more than tools. */
  ask?(ticket: Ticket, request: ServerRequest, signal: AbortSignal): Promise<ToolAnswer>;
  /** Nobody wants to know any more when this resource changes. */
  unwatch?(uri: string): void;
  /** `listener` hears every change from now on; the result ends that. */
  /** Another agent that has the server to itself just now. */
  heldFrom?(agent: number): Lease | undefined;
  /** The agent is gone, or stands still: what it has to itself ends, or what is leased to it. */
  release?(agent: number, isGone: boolean): void;
  /** Its processes. */
  instances?(): readonly ToolInstance[];
  onChange?(listener: (change: ServerChange) => void): () => void;
  close(): Promise<void>;
}

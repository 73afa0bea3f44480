/**
 * adapters/ own what each client must be given so that it works through mezz: variables, arguments, temporary files.
 * Invariant: a user's own files and logins are never written; but for what the user named, mezz looks in them only for
 * whether there is a login and which model is set.
 * It must not know: how a program is started, or what the kernel decides.
 */
import type { Launch } from '../../base/control.ts';
import type { Environment } from '../../sdk/home.ts';

/** What an adapter may look at. Adapters are pure: files are read through `readText`. */
export interface LaunchContext {
  readonly env: Environment;
  readonly home: string;
  /** A directory of this run, gone after it; files of a preparation lie there. */
  readonly directory: string;
  /** The arguments that run mezz: a Node and bin/mezz.js. */
  readonly mezz: readonly string[];
  /** The text of a file, relative to the user's directory, or undefined. */
  readText(path: string): string | undefined;
}

export interface Preparation {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Written with mode 0600 before the start. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Said on standard error before the start. */
  readonly notes: readonly string[];
}

export interface ClientAdapter {
  /** As `mezz ps` shows it. */
  readonly client: string;
  /** The program's file name that this adapter is for. */
  readonly program: string;
  /** Does it make the client's own tools ask the gate? */
  readonly hooks: boolean;
  /** Why mezz does not start it, where it would fail or go round the gate; it is refused with this. */
  readonly unserved?: { readonly message: string; readonly remedy: string };
  /** Tokens of its first request as measured, and where: what a model must hold before anything was done. */
  readonly sends?: { readonly tokens: number; readonly source: string };
  /** The model it will ask for, where its arguments, the environment or its own settings name one. */
  model?(
    args: readonly string[],
    context: Pick<LaunchContext, 'env' | 'home' | 'readText'>,
  ): string | undefined;
  prepare(launch: Launch, command: readonly string[], context: LaunchContext): Preparation;
}

/** The last value of an option (`--model x`, `--model=x`) before `--`. */
export function optionValue(args: readonly string[], names: readonly string[]): string | undefined {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const values = own.flatMap((arg, at) => {
    if (names.includes(arg)) return own[at + 1] ?? [];
    const joined = names.find((name) => name.startsWith('--') && arg.startsWith(`${name}=`));
    return joined === undefined ? [] : arg.slice(joined.length + 1);
  });
  return values.at(-1);
}

/** The agent's own address: its token is in the path, so that the client's own login can use Authorization. */
export const agentUrl = (launch: Launch): string => `${launch.origin}/a/${launch.token}`;

/** With a proxy in the environment, clients would send even loopback requests to it. */
export function bypassProxy(env: Environment): Record<string, string> {
  const proxied = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
  if (!proxied.some((name) => env[name])) return {};
  const direct = [env.NO_PROXY ?? env.no_proxy, '127.0.0.1'].filter(Boolean).join(',');
  return { NO_PROXY: direct, no_proxy: direct };
}

/** Says which settings of the user's are replaced, by name. */
export const replacedNotes = (env: Environment, names: readonly string[]): string[] =>
  names
    .filter((name) => env[name])
    .map((name) => `${name} from your environment is replaced: calls go to mezz, and on from there`);

/** doctor: what really holds on this machine, from what was looked at and tried; never from configuration. */
import type { Finding, HookTrial } from '../base/control.ts';
import type { LoginState } from '../base/tools.ts';
import { lowDisk } from '../drivers/disk.ts';
import { LIMITS } from '../drivers/limits.ts';
import { type KnownTrial, knownText } from './trials.ts';

const LOWEST_NODE = [24, 0, 0];
/** Older versions have a bug that can damage a WAL database when checkpoints race (fixed in 3.51.3). */
const LOWEST_SQLITE = [3, 51, 3];

export interface Examined {
  readonly nodeVersion: string;
  readonly sqliteVersion: string;
  readonly platform: string;
  readonly stateDir: { readonly path: string; readonly mode: number; readonly uid: number };
  /** Who the kernel runs as, and whom the agents it starts run as. */
  readonly uid: number;
  readonly agentUid: number;
  readonly sandboxed: boolean;
  readonly freeBytes: number;
  readonly profile: string;
  readonly backends: readonly ExaminedBackend[];
  readonly logins: readonly { readonly server: string; readonly state: LoginState }[];
  /** Tried just now, or undefined when nothing was tried. */
  readonly trials: readonly HookTrial[] | undefined;
  /** How each client's trial ended the last time. */
  readonly known: readonly KnownTrial[];
}

export interface ExaminedBackend {
  readonly id: string;
  readonly credential: string;
  /** Is the credential it needs there? */
  readonly ready: boolean;
  readonly problem?: { readonly message: string; readonly remedy: string };
}

export function diagnose(examined: Examined): Finding[] {
  const { trials, known } = examined;
  return [
    checkVersion('node', 'Node', examined.nodeVersion, LOWEST_NODE),
    checkVersion('sqlite', 'SQLite', examined.sqliteVersion, LOWEST_SQLITE),
    checkPlatform(examined),
    checkLeftovers(examined),
    checkStateDir(examined),
    checkDisk(examined),
    checkUser(examined),
    checkProfile(examined),
    ...examined.backends.map(checkBackend),
    ...examined.logins.flatMap(checkLogin),
    ...(trials ? trials.map(checkTrial) : [sayUntried(known)]),
  ];
}

const ok = (id: string, text: string): Finding => ({ id, level: 'ok', text, remedy: null });

function checkVersion(id: string, name: string, version: string, lowest: readonly number[]): Finding {
  const parts = version
    .replace(/^v/, '')
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const differs = lowest.findIndex((part, index) => (parts[index] ?? 0) !== part);
  if (differs < 0 || (parts[differs] ?? 0) > (lowest[differs] as number)) return ok(id, `${name} ${version}`);
  const text = `${name} ${version} is older than ${lowest.join('.')}`;
  return { id, level: 'fail', text, remedy: 'install Node 24 or newer (it brings its SQLite along)' };
}

function checkPlatform({ platform }: Examined): Finding {
  if (platform === 'linux' || platform === 'darwin') return ok('platform', `runs on ${platform}`);
  return {
    id: 'platform',
    level: 'warn',
    text: `nothing was tested on ${platform}`,
    remedy: 'use Linux or macOS',
  };
}

function checkLeftovers({ platform }: Examined): Finding {
  if (platform === 'linux') return ok('leftovers', 'what an agent leaves running is found and ended');
  return {
    id: 'leftovers',
    level: 'note',
    text: `on ${platform} mezz ends an agent's program, but cannot find what it leaves running`,
    remedy: 'ps, after mezz run has ended',
  };
}

function checkStateDir({ stateDir, uid }: Examined): Finding {
  const id = 'state-dir';
  if (stateDir.uid !== uid)
    return {
      id,
      level: 'fail',
      text: `${stateDir.path} belongs to another user`,
      remedy: 'set MEZZ_HOME to a directory of your own',
    };
  if ((stateDir.mode & 0o077) !== 0)
    return {
      id,
      level: 'fail',
      text: `${stateDir.path} can be opened by other users (mode ${(stateDir.mode & 0o777).toString(8)})`,
      remedy: `chmod 700 ${stateDir.path}`,
    };
  return ok(id, `${stateDir.path} is closed to other users`);
}

function checkDisk({ freeBytes, stateDir }: Examined): Finding {
  const low = lowDisk(freeBytes);
  if (low === undefined) return ok('disk', `${(freeBytes / 1e9).toFixed(1)} GB free`);
  const level = freeBytes < LIMITS.fullDiskBytes.value ? 'fail' : 'warn';
  const remedy = 'free some space, or mezz gc; mezz du shows what takes it';
  return { id: 'disk', level, text: `${stateDir.path}: ${low}`, remedy };
}

/** Said whenever it is true, asked or not: the one limit of everything else without a sandbox. */
function checkUser({ uid, agentUid, sandboxed }: Examined): Finding {
  if (sandboxed) return ok('same-user', 'agents are enclosed: the gate is their only way out');
  if (uid !== agentUid) return ok('same-user', "agents run as another user and cannot read mezz's directory");
  return {
    id: 'same-user',
    level: 'warn',
    text: "agents run as your own user without a sandbox: one that means to can read mezz's keys, go round its hooks and approve itself",
    remedy: 'run agents you do not trust as another user or in a container',
  };
}

function checkProfile({ profile }: Examined): Finding {
  if (profile !== 'observe') return ok('profile', `access policies decide (profile ${profile})`);
  const remedy = 'mezz policy apply --profile default';
  return {
    id: 'profile',
    level: 'warn',
    text: 'profile observe: everything is recorded, nothing is refused',
    remedy,
  };
}

function checkBackend({ id, credential, ready, problem }: ExaminedBackend): Finding {
  const name = `backend-${id}`;
  if (problem) return { id: name, level: 'fail', text: `${id}: ${problem.message}`, remedy: problem.remedy };
  if (ready) return ok(name, `${id}: ready (${credential})`);
  if (credential === 'kernel')
    return {
      id: name,
      level: 'warn',
      text: `${id}: mezz holds no key for it`,
      remedy: 'set its key in mezz.yaml: key: { env: NAME }',
    };
  return {
    id: name,
    level: 'note',
    text: `${id}: only clients with a login of their own can use it`,
    remedy: null,
  };
}

/** Nothing is said of a server that never asked for one. */
function checkLogin({ server, state }: { server: string; state: LoginState }): Finding[] {
  if (state === 'none') return [];
  const id = `login-${server}`;
  if (state === 'in') return [ok(id, `${server}: logged in`)];
  const how = {
    needed: 'nobody is logged in',
    expired: 'the login has expired',
    more: 'the login allows less than was asked',
  };
  return [{ id, level: 'warn', text: `${server}: ${how[state]}`, remedy: `mezz tool login ${server}` }];
}

/** Nothing was tried: what is known is old, and old is not proven. */
function sayUntried(known: readonly KnownTrial[]): Finding {
  const before = known.map(knownText).join('; ');
  return {
    id: 'hooks',
    level: 'note',
    text: `hooks were not tried now${before === '' ? ', nor ever before' : `; ${before}`}`,
    remedy: 'mezz doctor, without --no-trial',
  };
}

function checkTrial({ client, version, outcome, detail }: HookTrial): Finding {
  const id = `hook-${client}`;
  const name = version === null ? client : `${client} ${version}`;
  switch (outcome) {
    case 'refused':
      return ok(id, `${name}: a call that must be refused was refused before it happened`);
    case 'let-through':
      return {
        id,
        level: 'fail',
        text: `${name}: its hook asked the gate, was told no, and the call happened all the same`,
        remedy: `do not rely on ${client}'s hooks; update it and run mezz doctor again`,
      };
    case 'never-asked':
      return {
        id,
        level: 'fail',
        text: `${name}: a call happened and its hook never asked the gate`,
        remedy: `is the ${client} on PATH the program itself? a wrapper may drop arguments; update it and run mezz doctor again`,
      };
    case 'no-call':
      return {
        id,
        level: 'warn',
        text: `${name}: nothing is proven: ${detail ?? 'it made no call'}`,
        remedy: `update ${client} and run mezz doctor again`,
      };
    case 'not-installed':
      return { id, level: 'note', text: `${client}: not installed here`, remedy: null };
  }
}

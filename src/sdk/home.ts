import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The state directory: `$MEZZ_HOME`, else `$XDG_STATE_HOME/mezz`, else `~/.local/state/mezz`
 * (`~/Library/Application Support/mezz` on macOS). Always absolute.
 */
export function stateDirectory(
  env: Environment = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string {
  if (env.MEZZ_HOME) return resolve(env.MEZZ_HOME);
  if (env.XDG_STATE_HOME) return resolve(env.XDG_STATE_HOME, 'mezz');
  return platform === 'darwin'
    ? join(home, 'Library', 'Application Support', 'mezz')
    : join(home, '.local', 'state', 'mezz');
}

export const controlSocketPath = (stateDir: string): string => join(stateDir, 'control.sock');

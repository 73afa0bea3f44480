/**
 * manifests/ owns what is known of tools: the files mezz ships, their form, the drafts for servers that nobody has
 * described, and what is wrong with a description. Invariant: a file here has the form that operators write, and was
 * compared with the definitions of the package that it names. It must not know what a call does with them.
 */
import type { ManifestFile } from '../../base/manifest.ts';
import CLAUDE_CODE from './claude-code.json' with { type: 'json' };
import CODEX from './codex.json' with { type: 'json' };
import DBHUB from './dbhub.json' with { type: 'json' };
import EVERYTHING from './everything.json' with { type: 'json' };
import FETCH from './fetch.json' with { type: 'json' };
import FILESYSTEM from './filesystem.json' with { type: 'json' };
import GEMINI_CLI from './gemini-cli.json' with { type: 'json' };
import GIT from './git.json' with { type: 'json' };
import GIT_CYANHEADS from './git-cyanheads.json' with { type: 'json' };
import GITHUB from './github.json' with { type: 'json' };
import MEMORY from './memory.json' with { type: 'json' };
import MEZZ from './mezz.json' with { type: 'json' };
import MEZZ_SH from './mezz-sh.json' with { type: 'json' };
import PLAYWRIGHT from './playwright.json' with { type: 'json' };
import SEQUENTIAL_THINKING from './sequential-thinking.json' with { type: 'json' };
import SQLITE from './sqlite.json' with { type: 'json' };
import TIME from './time.json' with { type: 'json' };

/** A test holds each of them to the schema: their types are what it says, not what the compiler sees in their text. */
export const SHIPPED: readonly ManifestFile[] = [
  CLAUDE_CODE,
  CODEX,
  GEMINI_CLI,
  MEZZ_SH,
  DBHUB,
  EVERYTHING,
  FETCH,
  FILESYSTEM,
  GIT,
  GIT_CYANHEADS,
  GITHUB,
  MEMORY,
  MEZZ,
  PLAYWRIGHT,
  SEQUENTIAL_THINKING,
  SQLITE,
  TIME,
] as unknown as readonly ManifestFile[];

const byName = (namesOf: (file: ManifestFile) => readonly string[]): ReadonlyMap<string, ManifestFile> =>
  new Map(SHIPPED.flatMap((file) => namesOf(file).map((name) => [name, file] as const)));

/** By the name that a tool server gives itself. */
export const BY_SOFTWARE = byName(({ software = [] }) => software);

/** By the client whose own tools they are. */
export const BY_CLIENT = byName(({ client }) => (client === undefined ? [] : [client]));

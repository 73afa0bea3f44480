/** Where node-llama-cpp lies: a development dependency of a checkout, or installed for this user by its own command. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ENGINE_VERSION = '3.22.1';
/** What the library and one platform's binary take on the disk. */
export const ENGINE_BYTES = 85_000_000;
export const ENGINE_LICENCE = 'MIT';

const LIBRARY = 'node-llama-cpp';
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
};

/** The packages to install, without what they merely may have: the binaries of every other machine are 640 MB. */
export function enginePackages(platform: string, arch: string): string[] | undefined {
  const binary = BINARIES[`${platform}-${arch}`];
  return binary === undefined
    ? undefined
    : [`${LIBRARY}@${ENGINE_VERSION}`, `@${LIBRARY}/${binary}@${ENGINE_VERSION}`];
}

/** URL of the library's entry file; undefined where it is not installed. `directory` is this user's own place for it. */
export function findComponent(directory: string): string | undefined {
  const own = join(directory, 'node_modules', LIBRARY, 'dist', 'index.js');
  if (existsSync(own)) return pathToFileURL(own).href;
  try {
    const found = import.meta.resolve(LIBRARY);
    return existsSync(fileURLToPath(found)) ? found : undefined;
  } catch {
    return undefined;
  }
}

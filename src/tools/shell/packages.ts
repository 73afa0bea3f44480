/** What package managers touch: the packages of a directory, and the files that say which those are. */
import { tableOf } from '../../base/json.ts';
import type { Touch } from '../effects.ts';

const NODE = ['package.json'];
/** The files that each one writes beside the packages. */
const FILES = tableOf<readonly string[]>({
  npm: [...NODE, 'package-lock.json'],
  pnpm: [...NODE, 'pnpm-lock.yaml'],
  yarn: [...NODE, 'yarn.lock'],
  bun: [...NODE, 'bun.lock'],
  pip: [],
  pip3: [],
  uv: ['pyproject.toml', 'uv.lock'],
  poetry: ['pyproject.toml', 'poetry.lock'],
  cargo: ['Cargo.toml', 'Cargo.lock'],
  go: ['go.mod', 'go.sum'],
  bundle: ['Gemfile', 'Gemfile.lock'],
  gem: [],
  composer: ['composer.json', 'composer.lock'],
});
const INSTALLS =
  /^(?:install|i|ci|add|remove|rm|uninstall|update|upgrade|up|link|dedupe|sync|require|get|tidy|mod|lock|pip)$/;
/** They tell what there is. */
const LOOKS =
  /^(?:view|show|ls|list|outdated|why|info|search|explain|freeze|version|help|env|tree|metadata)$/;
const ELSEWHERE = /^(?:--prefix|-C|--cwd|--dir|--manifest-path)$/;
const ELSEWHERE_HERE = /^--(?:prefix|cwd|dir|manifest-path)=./;
const PYTHON = /^python(?:3(?:\.\d+)?)?$/;

/** undefined: it is no package manager, or does something else: run a script, build. */
export function readPackages(
  name: string,
  options: readonly string[],
  cwd: string,
  join: (dir: string, path: string) => string,
): Touch[] | undefined {
  if (PYTHON.test(name))
    return options[0] === '-m' && options[1] === 'pip'
      ? readPackages('pip', options.slice(2), cwd, join)
      : undefined;
  const files = FILES[name];
  if (!files) return undefined;
  const own = options.find((option) => ELSEWHERE_HERE.test(option));
  if (own !== undefined) {
    const rest = options.filter((option) => option !== own);
    return readPackages(name, rest, join(cwd, own.slice(own.indexOf('=') + 1)), join);
  }
  const at = options.findIndex((option) => ELSEWHERE.test(option));
  const dir = at === -1 ? cwd : join(cwd, options[at + 1] ?? '.');
  const rest = at === -1 ? options : options.filter((_, n) => n !== at && n !== at + 1);
  const verb = rest.find((option) => !option.startsWith('-'));
  if (verb === undefined) return name === 'yarn' && rest.length === 0 ? touches(dir, files, join) : [];
  if (LOOKS.test(verb)) return [];
  if (!INSTALLS.test(verb)) return undefined;
  // Of the whole machine.
  if (rest.includes('-g') || rest.includes('--global')) return [{ on: 'package', dir: '/' }];
  return touches(dir, files, join);
}

const touches = (dir: string, files: readonly string[], join: (a: string, b: string) => string): Touch[] => [
  { on: 'package', dir },
  ...files.map((file) => ({ on: 'file', path: join(dir, file), access: 'delta' }) as const),
];

/** What a shell command touches: git, package managers, redirections, servers on ports; of anything else, a guess. */
import { posix } from 'node:path';
import type { Access } from '../../base/manifest.ts';
import type { Touch } from '../effects.ts';
import { LIMITS } from '../limits.ts';
import { readGit } from './git.ts';
import { readScript, type SimpleCommand, type Word } from './words.ts';

/** Commands that write no file of the agent's project; what they read is no version of anything. */
const HARMLESS = new Set(
  `ls pwd echo printf which type command date true false test [ sleep whoami id uname hostname ps df du grep rg egrep
  fgrep find tree jq sort uniq cut tr awk seq basename dirname realpath readlink export set unset exit return wait jobs
  lsof ss netstat file cmp diff column man history top free uptime env printenv umask ulimit ssh-add : kill`.split(
    /\s+/,
  ),
);
/** They show what a file holds: whoever ran one has seen that version. */
const SHOWS = new Set([
  'cat',
  'head',
  'tail',
  'less',
  'more',
  'nl',
  'tac',
  'bat',
  'wc',
  'stat',
  'md5sum',
  'sha256sum',
  'xxd',
  'od',
]);
const WRITES: Readonly<Record<string, Access>> = {
  rm: 'replace',
  unlink: 'replace',
  truncate: 'replace',
  shred: 'replace',
  rmdir: 'replace',
  touch: 'append',
  chmod: 'append',
  chown: 'append',
  mkdir: 'append',
};
/** The next words are the command. */
const WRAPPERS = new Set([
  'sudo',
  'time',
  'nohup',
  'nice',
  'ionice',
  'exec',
  'builtin',
  'stdbuf',
  'setsid',
  'timeout',
  'env',
]);
const SHELLS = new Set(['bash', 'sh', 'zsh', 'dash']);
const KEYWORDS = new Set(['if', 'then', 'else', 'elif', 'fi', 'do', 'done', 'while', 'until', '{', '}', '!']);
/** What changes installed packages, by package manager. */
const INSTALLS =
  /^(?:install|i|ci|add|remove|rm|uninstall|update|upgrade|up|link|dedupe|sync|require|get|tidy|lock)$/;
const PACKAGERS = new Set([
  'npm',
  'pnpm',
  'yarn',
  'bun',
  'pip',
  'pip3',
  'uv',
  'poetry',
  'cargo',
  'go',
  'bundle',
  'gem',
  'composer',
]);
const HIDDEN_PROGRAM = /\b(?:-exec|-execdir|-delete|-fprintf?|-fls|-ok)\b/;
const PORT = /^(?:--?(?:p|port|listen|bind)(?:=|$)|PORT=)/;

interface Place {
  dir: string;
  /** It is not known where the command is: a `cd` that cannot be read. */
  lost: boolean;
}

const join = (dir: string, path: string): string => posix.resolve(dir, path);

/** Everything the text touches, seen from the directory it runs in. */
export function readShell(text: string, cwd: string, depth = 0): Touch[] {
  const guess: Touch = { on: 'tree', dir: cwd, access: 'delta', guessed: true };
  if (text.length > LIMITS.commandLength.value || depth > LIMITS.commandDepth.value) return [guess];
  const script = readScript(text);
  const place: Place = { dir: cwd, lost: false };
  const touches = script.commands.flatMap((command) => readCommand(command, place, depth));
  return script.hidden || place.lost ? [...touches, guess] : touches;
}

function readCommand({ words, redirects }: SimpleCommand, place: Place, depth: number): Touch[] {
  const written = redirects
    .filter(({ to }) => !to.text.startsWith('/dev/') || to.open)
    .map(({ to, how }) => touchOf(to, how, place));
  const ports = portsOf(words);
  return [...written, ...readWords(unwrap(words), place, depth, ports)];
}

/** Variables, keywords and wrappers before the command itself. */
function unwrap(words: readonly Word[]): readonly Word[] {
  let at = 0;
  for (; at < words.length; at++) {
    const { text } = words[at] as Word;
    if (/^\w+=/.test(text) || KEYWORDS.has(text)) continue;
    if (!WRAPPERS.has(text)) break;
    while (/^(?:-|\d+[smh]?$|\w+=)/.test(words[at + 1]?.text ?? '')) at++;
  }
  return words.slice(at);
}

function readWords(words: readonly Word[], place: Place, depth: number, ports: readonly Touch[]): Touch[] {
  const [command, ...args] = words;
  if (!command) return [];
  const name = command.open ? '' : posix.basename(command.text);
  const options = args.map(({ text }) => text);
  const files = args.filter(({ text, open }) => open || (text !== '' && !text.startsWith('-')));
  const guess: Touch = { on: 'tree', dir: place.dir, access: 'delta', guessed: true };
  if (name === 'cd' || name === 'pushd') return moveTo(args[0], place);
  if (name === 'git') return readGit(args, place.dir, join) ?? [guess];
  if (name === 'find' && HIDDEN_PROGRAM.test(options.join(' '))) return [guess];
  if ((name === 'awk' || name === 'sort') && /(?:>|-i\b|-o\b)/.test(options.join(' '))) return [guess];
  if (HARMLESS.has(name)) return [];
  if (SHOWS.has(name)) return files.filter(({ open }) => !open).map((file) => touchOf(file, 'read', place));
  const access = WRITES[name];
  if (access) return (name === 'mkdir' ? [] : files).map((file) => touchOf(file, access, place));
  if (name === 'tee')
    return files.map((file) => touchOf(file, options.includes('-a') ? 'append' : 'replace', place));
  if (name === 'sed') return readSed(args, place);
  if (name === 'cp' || name === 'mv' || name === 'ln' || name === 'install')
    return readCopy(name, files, place);
  if (SHELLS.has(name)) {
    const at = options.findIndex((option) => /^-\w*c$/.test(option));
    const script = args[at + 1];
    return at === -1 || !script || script.open
      ? [guess, ...ports]
      : readShell(script.text, place.dir, depth + 1);
  }
  if (name === 'fuser')
    return options
      .flatMap((option) => /^(\d+)\/tcp$/.exec(option)?.[1] ?? [])
      .map((port) => ({ on: 'port', port: Number(port) }) as const);
  if (PACKAGERS.has(name) && INSTALLS.test(options.find((option) => !option.startsWith('-')) ?? 'install'))
    return [{ on: 'package', dir: place.dir }, ...written(place)];
  return [guess, ...ports];
}

/** What package managers write beside the packages themselves. */
const written = ({ dir }: Place): Touch[] =>
  ['package.json', 'package-lock.json'].map(
    (file) => ({ on: 'file', path: join(dir, file), access: 'delta' }) as const,
  );

function moveTo(word: Word | undefined, place: Place): Touch[] {
  if (!word || word.open || word.text === '-' || word.text.startsWith('~')) place.lost = true;
  else place.dir = join(place.dir, word.text);
  return [];
}

/** A path that the text does not show whole is its parent directory, never nothing. */
function touchOf({ text, open }: Word, access: Access, { dir }: Place): Touch {
  if (text.startsWith('~')) return { on: 'tree', dir, access: 'delta', guessed: true };
  if (!open) return { on: 'file', path: join(dir, text), access };
  const parent = text.includes('/') ? text.slice(0, text.lastIndexOf('/') + 1) : '.';
  return { on: 'file', path: join(dir, parent), access: access === 'read' ? 'read' : 'delta' };
}

function readSed(args: readonly Word[], place: Place): Touch[] {
  const inPlace = args.some(({ text }) => /^(?:-\w*i|--in-place)/.test(text));
  const plain = args.filter(({ text }) => !text.startsWith('-'));
  const named = args.some(({ text }) => text === '-e' || text === '-f');
  return (named ? plain : plain.slice(1)).map((file) => touchOf(file, inPlace ? 'delta' : 'read', place));
}

function readCopy(name: string, files: readonly Word[], place: Place): Touch[] {
  const [to, ...from] = [...files].reverse();
  if (!to) return [];
  const source: Access = name === 'mv' ? 'replace' : 'read';
  return [touchOf(to, 'replace', place), ...from.map((file) => touchOf(file, source, place))];
}

/** `--port 3000`, `-p 3000`, `PORT=3000`, `http.server 8000`. */
function portsOf(words: readonly Word[]): Touch[] {
  const texts = words.map(({ text }) => text);
  return texts.flatMap((text, at) => {
    const before = texts[at - 1] ?? '';
    const own = PORT.test(text) ? /(\d{2,5})$/.exec(text)?.[1] : undefined;
    const next =
      (PORT.test(before) && !/\d$/.test(before)) || before === 'http.server'
        ? /^(?:[\w.]*:)?(\d{2,5})$/.exec(text)?.[1]
        : undefined;
    const fallback = text === 'http.server' && !/^\d+$/.test(texts[at + 1] ?? '') ? '8000' : undefined;
    const port = Number(own ?? next ?? fallback);
    return port > 0 && port < 65_536 ? [{ on: 'port', port } as const] : [];
  });
}

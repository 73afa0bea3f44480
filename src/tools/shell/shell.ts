/** What a shell command touches: git, package managers, redirections, servers on ports; of anything else, a guess. */

import { posix } from 'node:path';
import { tableOf } from '../../base/json.ts';
import type { Access } from '../../base/manifest.ts';
import type { Touch } from '../effects.ts';
import { LIMITS } from '../limits.ts';
import { readGit } from './git.ts';
import { readPackages } from './packages.ts';
import { killedPorts, killedProcesses, portsOf } from './ports.ts';
import { readScript, type SimpleCommand, type Word } from './words.ts';

/** Commands that write no file of the agent's project; what they read is no version of anything. */
const HARMLESS = new Set(
  `ls pwd echo printf which type command date true false test [ sleep whoami id uname hostname ps df du grep rg egrep
  fgrep find tree jq sort uniq cut tr awk seq basename dirname realpath readlink export set unset exit return wait jobs
  lsof ss netstat file cmp diff column man history top free uptime env printenv umask ulimit ssh-add : wc stat
  md5sum sha256sum [[ for read break continue shift local declare let pgrep`.split(/\s+/),
);
/** They show what a file holds: whoever ran one has seen that version. */
const SHOWS = new Set(['cat', 'head', 'tail', 'less', 'more', 'nl', 'tac', 'bat', 'xxd', 'od']);
const WRITES = tableOf<Access>({
  rm: 'replace',
  unlink: 'replace',
  truncate: 'replace',
  shred: 'replace',
  rmdir: 'replace',
  touch: 'append',
  chmod: 'append',
  chown: 'append',
  mkdir: 'append',
});
/** The next words are the command. */
const WRAPPERS = new Set([
  'sudo',
  'time',
  'nohup',
  'nice',
  'ionice',
  'exec',
  'command',
  'builtin',
  'stdbuf',
  'setsid',
  'timeout',
  'env',
]);
const SHELLS = new Set(['bash', 'sh', 'zsh', 'dash']);
const KEYWORDS = new Set(['if', 'then', 'else', 'elif', 'fi', 'do', 'done', 'while', 'until', '{', '}', '!']);
/** Of commands that otherwise only look: options that write a file, or run another program. */
const WRITING = tableOf<RegExp>({
  find: /(?:^| )-(?:exec|execdir|ok|okdir|delete|fprint0?|fprintf|fls)(?: |$)/,
  awk: />|\|\s*["&g]|\bsystem\(|\binplace\b/,
  sort: /(?:^| )(?:-\w*o|--output)/,
  uniq: /(?:^| )[^- ]\S* [^- ]/,
  tree: /(?:^| )-o(?: |$)/,
  less: /(?:^| )-\w*[oO]/,
  xxd: /(?:^| )-r/,
  history: /(?:^| )-\w*[acnrw]/,
});

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
  const { commands, hidden } = readScript(text);
  const place: Place = { dir: cwd, lost: false };
  const touches = [...readAll(commands, place, depth), ...killedPorts(commands)];
  return hidden || place.lost ? [...touches, guess] : touches;
}

/** One after the other: where a command goes, those behind it are. */
function readAll(commands: readonly SimpleCommand[], place: Place, depth: number): Touch[] {
  return commands.flatMap((command) => {
    if (!command.inside) return readCommand(command, place, depth);
    const own = { ...place };
    const touches = readAll(command.inside, own, depth);
    if (own.lost) place.lost = true;
    return touches;
  });
}

function readCommand({ words, redirects }: SimpleCommand, place: Place, depth: number): Touch[] {
  const written = redirects
    .filter(({ to }) => !to.text.startsWith('/dev/') || to.open)
    .map(({ to, how }) => touchOf(to, how, place));
  return [...written, ...readWords(unwrap(words), place, depth, portsOf(words))];
}

/** Variables, keywords and wrappers before the command itself. */
function unwrap(words: readonly Word[]): readonly Word[] {
  let at = 0;
  for (; at < words.length; at++) {
    const { text } = words[at] as Word;
    if (/^\w+=/.test(text) || KEYWORDS.has(text)) continue;
    // `command -v` asks whether there is one.
    if (!WRAPPERS.has(text) || (text === 'command' && /^-[vV]$/.test(words[at + 1]?.text ?? ''))) break;
    while (/^(?:-|\d+[smh]?$|\w+=)/.test(words[at + 1]?.text ?? '')) at++;
  }
  return words.slice(at);
}

function readWords(words: readonly Word[], place: Place, depth: number, ports: readonly Touch[]): Touch[] {
  const [command, ...args] = words;
  if (!command) return [];
  const name = command.open ? '' : posix.basename(command.text);
  const options = args.map(({ text }) => text);
  const files = filesOf(args);
  const guess: Touch = { on: 'tree', dir: place.dir, access: 'delta', guessed: true };
  if (name === 'cd' || name === 'pushd') return moveTo(args[0], place);
  if (name === 'git') return readGit(args, place.dir, join) ?? [guess];
  if (WRITING[name]?.test(options.join(' '))) return [guess];
  if (name === 'export') return [...ports];
  if (name === 'curl') return readCurl(args, place) ?? [guess];
  if (/^(?:kill|pkill|killall)$/.test(name)) return killedProcesses(name, args);
  if (HARMLESS.has(name) || asksOnly(name, options)) return [];
  if (SHOWS.has(name)) return files.filter(({ open }) => !open).map((file) => touchOf(file, 'read', place));
  const access = WRITES[name];
  if (name === 'rm' && options.some((option) => /^(?:-\w*[rR]|--recursive)/.test(option)))
    return files.map((file) => throwsAway(touchOf(file, 'replace', place)));
  if (access) return (name === 'mkdir' ? [] : files).map((file) => touchOf(file, access, place));
  if (name === 'tee')
    return files.map((file) => touchOf(file, options.includes('-a') ? 'append' : 'replace', place));
  if (name === 'sed' || (name === 'perl' && options.some((option) => /^-\w*i/.test(option))))
    return readSed(args, place);
  if (name === 'cp' || name === 'mv' || name === 'ln' || name === 'install')
    return readCopy(name, args, place);
  const script = scriptOf(name, args);
  if (script) return script.open ? [guess, ...ports] : readShell(script.text, place.dir, depth + 1);
  return readPackages(name, options, place.dir, join) ?? [guess, ...ports];
}

/** Words that are no options: all behind `--`. */
function filesOf(args: readonly Word[]): readonly Word[] {
  const end = args.findIndex(({ text, open }) => text === '--' && !open);
  const options = end === -1 ? args : args.slice(0, end);
  const files = options.filter(({ text, open }) => open || (text !== '' && !text.startsWith('-')));
  return end === -1 ? files : [...files, ...args.slice(end + 1)];
}

/** Programs that look at what is elsewhere, or only set up the shell. */
function asksOnly(name: string, options: readonly string[]): boolean {
  if (name === 'source' || name === '.') return /(?:^|\/)activate$/.test(options[0] ?? '');
  return name === 'gh' && !options.some((option) => /^(?:checkout|clone|download|sync|create)$/.test(option));
}

/** It writes what `-o` names; undefined: files of names that it does not show. */
function readCurl(args: readonly Word[], place: Place): Touch[] | undefined {
  if (args.some(({ text }) => /^(?:-\w*[OTJK]|--(?:remote-name|upload-file|config))/.test(text)))
    return undefined;
  return args.flatMap((word, at) => {
    const [, own] = /^--output=(.*)$/s.exec(word.text) ?? [];
    const to = own === undefined ? args[at + 1] : { ...word, text: own };
    if (own === undefined && !/^(?:-[a-zA-Z]*o|--output)$/.test(word.text)) return [];
    return !to || to.text.startsWith('/dev/') ? [] : [touchOf(to, 'replace', place)];
  });
}

/** The script that a shell, `eval` or `trap` is given; undefined: none is. */
function scriptOf(name: string, args: readonly Word[]): Word | undefined {
  if (name === 'trap') return args[0];
  if (name === 'eval')
    return { text: args.map(({ text }) => text).join(' '), open: args.some(({ open }) => open) };
  if (!SHELLS.has(name)) return undefined;
  const at = args.findIndex(({ text }) => /^-\w*c$/.test(text));
  return at === -1 ? undefined : args[at + 1];
}

/** A directory that goes takes with it what others have not committed there. */
const throwsAway = (touch: Touch): Touch => (touch.on === 'file' ? { ...touch, discards: 'all' } : touch);

function moveTo(word: Word | undefined, place: Place): Touch[] {
  const isLong = place.dir.length + (word?.text.length ?? 0) > LIMITS.pathLength.value;
  if (!word || word.open || word.text === '-' || word.text.startsWith('~') || isLong) place.lost = true;
  else place.dir = join(place.dir, word.text);
  return [];
}

/** A path that the text does not show whole is its parent directory, never nothing. */
function touchOf({ text, open, anywhere }: Word, access: Access, { dir }: Place): Touch {
  if (anywhere || text.startsWith('~')) return { on: 'tree', dir, access: 'delta', guessed: true };
  if (!open) return { on: 'file', path: join(dir, text), access };
  const parent = text.includes('/') ? text.slice(0, text.lastIndexOf('/') + 1) : '.';
  return { on: 'file', path: join(dir, parent), access: access === 'read' ? 'read' : 'delta' };
}

function readSed(args: readonly Word[], place: Place): Touch[] {
  const inPlace = args.some(({ text }) => /^(?:-\w*i|--in-place)/.test(text));
  // A script that is named by an option is no file, nor is the first word where none is.
  const isScript = (at: number): boolean => /^-\w*[ef]$/.test(args[at - 1]?.text ?? '');
  const named = args.some((_, at) => isScript(at));
  const plain = args.filter(({ text, open }, at) => (open || !text.startsWith('-')) && !isScript(at));
  return (named ? plain : plain.slice(1)).map((file) => touchOf(file, inPlace ? 'delta' : 'read', place));
}

/** Options of theirs that take the next word. */
const TAKES_NEXT = /^(?:-[mogtS]|--(?:mode|owner|group|target-directory|suffix))$/;

function readCopy(name: string, args: readonly Word[], place: Place): Touch[] {
  const target = args.findIndex(({ text }) => text === '-t' || text === '--target-directory');
  const files = filesOf(args.filter((_, at) => !TAKES_NEXT.test(args[at - 1]?.text ?? '')));
  const named = target === -1 ? undefined : args[target + 1];
  const [to, ...from] = named ? [named, ...files] : [...files].reverse();
  if (!to) return [];
  const source: Access = name === 'mv' ? 'replace' : 'read';
  // Into a directory: what is written there has the names of what comes.
  const isInto =
    named !== undefined ||
    (!to.open && (to.text.endsWith('/') || to.text === '.' || to.text === '..' || from.length > 1));
  const written = isInto
    ? from.map((one) =>
        one.open ? { ...to, open: true } : { ...to, text: `${to.text}/${posix.basename(one.text)}` },
      )
    : [to];
  return [
    ...written.map((file) => touchOf(file, 'replace', place)),
    ...from.map((file) => touchOf(file, source, place)),
  ];
}

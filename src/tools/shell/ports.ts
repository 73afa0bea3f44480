/** Ports in a command line: servers that are started on one, and those that are ended by it. */
import { tableOf } from '../../base/json.ts';
import type { Touch } from '../effects.ts';
import type { SimpleCommand, Word } from './words.ts';

const PORT = /^(?:--?(?:p|l|port|listen|bind)(?:=|$)|PORT=|-S$)/;
/** Commands that take a port as a word of its own, and the one that they take without. */
const DEFAULTS = tableOf<number>({
  'http.server': 8000,
  runserver: 8000,
  uvicorn: 8000,
});
/** Ports are published as `host:container` by these. */
const PUBLISHES = new Set(['docker', 'podman']);

const PLAIN = /^(?:[\w.]*:)?(\d{2,5})$/;
const PUBLISHED = /^(?:[\d.]+:)??(\d{2,5})(?::\d+)?$/;

const touch = (port: number): Touch[] => (port > 0 && port < 65_536 ? [{ on: 'port', port }] : []);

/** `--port 3000`, `-p 3000`, `PORT=3000`, `http.server 8000`, `-p 8080:80` of a container. */
export function portsOf(words: readonly Word[]): Touch[] {
  const texts = words.map(({ text }) => text);
  const publishes = texts.some((text) => PUBLISHES.has(text));
  const named = texts.flatMap((text, at) => {
    const before = texts[at - 1] ?? '';
    const own = PORT.test(text) ? /(\d{2,5})$/.exec(text)?.[1] : undefined;
    const takes = PORT.test(before) && !/\d$/.test(before);
    const next = takes ? (publishes ? PUBLISHED : PLAIN).exec(text)?.[1] : undefined;
    return touch(Number(own ?? next ?? 0));
  });
  const at = texts.findIndex((text) => DEFAULTS[text] !== undefined);
  if (named.length > 0 || at === -1) return named;
  const told = texts.slice(at + 1).flatMap((text) => PLAIN.exec(text)?.[1] ?? []);
  return touch(Number(told[0] ?? DEFAULTS[texts[at] ?? '']));
}

/** Whoever ends what listens on a port: `kill $(lsof -ti:3000)`, `lsof -ti :3000 | xargs kill`, `fuser -k 3000/tcp`. */
export function killedPorts(commands: readonly SimpleCommand[]): Touch[] {
  const all = commands.flatMap(flat).map(({ words }) => words);
  const kills = all.some((words) => words.some(({ text }) => text === 'kill'));
  return all.flatMap((command): Touch[] => {
    const words = command.map(({ text }) => text);
    if (words[0] === 'lsof' && kills)
      return words.flatMap((word) => touch(Number(/^(?:-\w*i)?(?:tcp)?:(\d{2,5})$/i.exec(word)?.[1] ?? 0)));
    if (words[0] === 'pgrep' && kills) return killedProcesses('pkill', command.slice(1));
    if (words[0] === 'fuser' && words.some((word) => /^-\w*k/.test(word)))
      return words.flatMap((word) => touch(Number(/^(\d+)\/tcp$/.exec(word)?.[1] ?? 0)));
    const at = words.findIndex((word) => /^kill-port(?:@|$)/.test(word));
    return at === -1 ? [] : words.slice(at + 1).flatMap((word) => touch(Number(word)));
  });
}

/** `kill -9 123`, `pkill -f vite`, `killall node`: what these serve ends with them. */
export function killedProcesses(name: string, args: readonly Word[]): Touch[] {
  const texts = args.filter(({ open }) => !open).map(({ text }) => text);
  if (name === 'kill') {
    // Signal 0 only asks; a group is told by a minus, which a signal has, too.
    const pids = texts.flatMap((text, at) =>
      /^-[sn]$/.test(texts[at - 1] ?? '') ? [] : Number(/^-?(\d{3,9})$|^(\d{1,2})$/.exec(text)?.[0] ?? 0),
    );
    const named = pids.map(Math.abs).filter((pid) => pid > 0);
    return named.length === 0 || texts.includes('-0') ? [] : [{ on: 'processes', of: { pids: named } }];
  }
  const own = name === 'pkill' ? /^-(?:[fxino]+|-full|-exact|-ignore-case|-newest|-oldest)$/ : /^$/;
  const flags = texts.filter((text) => own.test(text));
  const names = texts.filter((text, at) => !/^(?:-|$)/.test(text) && !TAKES_NEXT.test(texts[at - 1] ?? ''));
  const exact = name === 'killall' && !texts.includes('-r') ? ['-x'] : [];
  return names.map((one): Touch => ({ on: 'processes', of: { like: [...flags, ...exact, '--', one] } }));
}

/** Options of theirs that take the next word, which is no name of a process. */
const TAKES_NEXT = /^(?:-[sugtUGP]|--(?:signal|user|group|terminal|parent|euid|uid))$/;

const flat = (command: SimpleCommand): SimpleCommand[] => command.inside?.flatMap(flat) ?? [command];

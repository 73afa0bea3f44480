import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Touch } from '../effects.ts';
import { readShell } from './shell.ts';

const tell = (touch: Touch): string => {
  const discards = 'discards' in touch && touch.discards ? ` -${touch.discards}` : '';
  switch (touch.on) {
    case 'file':
      return `${touch.access} ${touch.path}${discards}`;
    case 'tree':
      return `${touch.guessed ? 'guess' : touch.access} tree ${touch.dir}${discards}`;
    case 'git':
      return `${touch.access} git:${touch.part}${touch.dir === '/w' ? '' : ` ${touch.dir}`}`;
    case 'port':
      return `port ${touch.port}`;
    case 'package':
      return `package ${touch.dir}`;
    case 'url':
      return `url ${touch.url}`;
    case 'server':
      return `server ${touch.name}`;
  }
};
const read = (command: string): string[] => readShell(command, '/w').map(tell).sort();
const GUESS = 'guess tree /w';

/** The commands that agents run most, and what of another agent's they can meet. */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['ls -la && pwd', []],
  ['grep -rn "a > b" src | head -3', []],
  ['cat a.txt ./b/../c.txt', ['read /w/a.txt', 'read /w/c.txt']],
  ['echo hi > out.txt', ['replace /w/out.txt']],
  ['echo hi >> "my file.txt" 2>/dev/null', ['append /w/my file.txt']],
  [
    "cat > notes.md <<'EOF'\nrm -rf /\n> x\nEOF\necho done > /tmp/d",
    ['replace /tmp/d', 'replace /w/notes.md'],
  ],
  ['cmd1 2>&1', [GUESS]],
  ['cd sub && echo x > y', ['replace /w/sub/y']],
  ['cd "$DIR" && echo x > y', [GUESS, 'replace /w/y']],
  ['echo $(date) > log', [GUESS, 'replace /w/log']],
  ['rm build/*.o', ['delta /w/build']],
  ['rm -f a b', ['replace /w/a', 'replace /w/b']],
  ['mv a b', ['replace /w/a', 'replace /w/b']],
  ["sed -i 's/a/b/' x.ts", ['delta /w/x.ts']],
  ["sed -n '1,20p' x.ts", ['read /w/x.ts']],
  ['npm test', [GUESS]],
  ['FOO=1 timeout 30 npm run build', [GUESS]],
  ['npm install left-pad', ['delta /w/package-lock.json', 'delta /w/package.json', 'package /w']],
  ['python3 -m http.server 8123', [GUESS, 'port 8123']],
  ['python3 -m http.server', [GUESS, 'port 8000']],
  ['PORT=3000 node server.js', [GUESS, 'port 3000']],
  ['npx vite --port=5173 --host', [GUESS, 'port 5173']],
  ["bash -lc 'echo x > y'", ['replace /w/y']],
  ['if true; then echo x > y; fi', ['replace /w/y']],
  ['printf a | tee -a log.txt', ['append /w/log.txt']],
  ['git status --short', ['read git:head', 'read git:index']],
  ['git -C /r log -1', ['read git:head /r', 'read git:index /r', 'read git:tip /r']],
  [
    'git add -A && git commit -m "x > y; rm z"',
    ['delta git:index', 'delta git:index', 'delta git:tip', 'read git:head', 'replace git:head'],
  ],
  [
    'git reset --hard',
    ['delta git:index', 'replace git:head', 'replace git:tip', 'replace tree /w -tracked'],
  ],
  ['git checkout -- a.txt', ['delta git:index', 'read git:head', 'replace /w/a.txt -tracked']],
  ['git switch main', ['delta git:index', 'delta tree /w', 'replace git:head']],
  ['git clean -fd', ['read git:head', 'read git:index', 'replace tree /w -untracked']],
  ['git stash -u', ['delta git:index', 'delta git:refs', 'replace tree /w -all']],
  ['git frobnicate', [GUESS]],
];

describe('what a shell command touches', () => {
  for (const [command, touches] of CASES)
    test(command.split('\n')[0] ?? '', () => assert.deepEqual(read(command), touches));

  test('a command too deep or too long is a guess, never nothing', () => {
    assert.deepEqual(read(`echo ${'x'.repeat(70_000)}`), [GUESS]);
    const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    let nested = 'ls';
    for (let level = 0; level < 8; level++) nested = `sh -c ${quote(nested)}`;
    assert.deepEqual(read(nested), [GUESS]);
  });
});

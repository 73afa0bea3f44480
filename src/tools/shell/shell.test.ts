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
    case 'processes':
      return `processes ${('pids' in touch.of ? touch.of.pids : touch.of.like).join(' ')}`;
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
  ['echo $(date) > log', ['replace /w/log']],
  ['echo `date` > log', ['replace /w/log']],
  ['echo "$(node x.js)" > log', [GUESS, 'replace /w/log']],
  ['echo $(cat a.txt > b.txt) $((1 + 2))', ['read /w/a.txt', 'replace /w/b.txt']],
  ['(cd sub && echo x > y); echo x > z', ['replace /w/sub/y', 'replace /w/z']],
  ['echo $(cd /tmp; pwd) > y', ['replace /w/y']],
  ['diff <(sort a) <(sort b)', []],
  ['for f in a b; do rm "$f"; done', [GUESS]],
  ['rm -rf "$TMP"', [GUESS]],
  ['rm -rf "src/$X"', ['delta /w/src -all']],
  ["find . -name '*.pyc' -delete", [GUESS]],
  ['find src -type f -exec rm {} +', [GUESS]],
  ['find src -name "*.ts"', []],
  ['command rm x', ['replace /w/x']],
  ['command -v node', []],
  ['rm -- -x', ['replace /w/-x']],
  ['[ -f x ] && { rm x; }', ['replace /w/x']],
  ['eval "rm x"', ['replace /w/x']],
  ["trap 'rm x' EXIT", ['replace /w/x']],
  ['sort -u -oa.txt a.txt', [GUESS]],
  ["ps | awk '{print $1}' | sort -u", []],
  ['xxd -r a b', [GUESS]],
  ['cp -t dst a b', ['read /w/a', 'read /w/b', 'replace /w/dst/a', 'replace /w/dst/b']],
  ['install -m 755 a b', ['read /w/a', 'replace /w/b']],
  ["curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:3000", []],
  ['curl -fsSL -o a.tgz http://127.0.0.1:3000/a', ['replace /w/a.tgz']],
  ['git reset HEAD a.txt', ['delta git:index', 'read git:head']],
  ['git reset --soft HEAD~1', ['delta git:index', 'replace git:head', 'replace git:tip']],
  ['git rm --cached a.txt', ['delta git:index', 'read git:head']],
  ['git stash push -m "x y" a.txt', ['delta git:index', 'delta git:stash', 'replace /w/a.txt -tracked']],
  ['git clean -fd src', ['read git:head', 'read git:index', 'replace /w/src -untracked']],
  ['git clean -fdn', ['read git:head', 'read git:index']],
  [
    'git checkout -B main origin/main',
    ['delta git:index', 'delta tree /w', 'replace git:head', 'replace git:tip'],
  ],
  ['git worktree remove --force ../x', ['delta git:refs', 'replace /x -all']],
  ['npm ci --prefix=web', ['delta /w/web/package-lock.json', 'delta /w/web/package.json', 'package /w/web']],
  ['export PORT=3000 && npm start', [GUESS, 'port 3000']],
  ['npx serve -l 3000', [GUESS, 'port 3000']],
  ['python3 -m http.server --bind 127.0.0.1 8123', [GUESS, 'port 8123']],
  ['echo "$(cat', [GUESS]],
  [
    // As Claude Code commits.
    `git add a.ts && git commit -m "$(cat <<'EOF'\nMend the login :)\n\nIt's (half done > later; rm -rf /\nEOF\n)"`,
    ['delta git:index', 'delta git:index', 'delta git:tip', 'read git:head', 'replace git:head'],
  ],
  ['git checkout main src/a.ts', ['delta git:index', 'read git:head', 'replace /w/src/a.ts -tracked']],
  ['git checkout src/a.ts', ['delta git:index', 'read git:head', 'replace /w/src/a.ts -tracked']],
  ['git checkout -b fix-1.2', ['delta git:index', 'delta tree /w', 'replace git:head']],
  ['git merge-base HEAD main', ['read git:head', 'read git:index', 'read git:tip']],
  ['wc -l a.txt && sha256sum a.txt', []],
  ['curl -s http://127.0.0.1:3000/health | jq .', []],
  ['curl -sO http://127.0.0.1:3000/a', [GUESS]],
  ['gh pr view 12', []],
  ['gh pr checkout 12', [GUESS]],
  ['source .venv/bin/activate && pip install x', ['package /w']],
  ['python3 -m pip install x', ['package /w']],
  ['npm --version', []],
  ['npm ls left-pad', []],
  ['npm --prefix web ci', ['delta /w/web/package-lock.json', 'delta /w/web/package.json', 'package /w/web']],
  ['npm install -g tsx', ['package /']],
  ['cargo add serde', ['delta /w/Cargo.lock', 'delta /w/Cargo.toml', 'package /w']],
  ['pnpm add x', ['delta /w/package.json', 'delta /w/pnpm-lock.yaml', 'package /w']],
  ['rm -rf src/old', ['replace /w/src/old -all']],
  ['cp a.txt b.txt src/', ['read /w/a.txt', 'read /w/b.txt', 'replace /w/src/a.txt', 'replace /w/src/b.txt']],
  ['mv a.txt ..', ['replace /a.txt', 'replace /w/a.txt']],
  ["perl -pi -e 's/a/b/' x.ts", ['delta /w/x.ts']],
  ['kill $(lsof -ti:3000)', ['port 3000']],
  ['lsof -ti tcp:3000 | xargs kill -9', [GUESS, 'port 3000']],
  ['lsof -i :3000', []],
  ['fuser -k 3000/tcp', [GUESS, 'port 3000']],
  ['kill 123; kill -9 4567', ['processes 123', 'processes 4567']],
  ['sudo kill -TERM -- -4567', ['processes 4567']],
  ['kill -0 123', []],
  ['kill $PID %1', []],
  ['pkill -9 -f "vite --port"', ['processes -f -- vite --port']],
  ['pkill -u me node', ['processes -- node']],
  ['killall -9 node python3', ['processes -x -- node', 'processes -x -- python3']],
  ['kill $(pgrep -f vite)', ['processes -f -- vite']],
  ['pgrep -lf "$X" | xargs kill', [GUESS]],
  ['pgrep -f vite', []],
  ['npx kill-port 3000', [GUESS, 'port 3000']],
  ['docker run -p 8080:80 nginx', [GUESS, 'port 8080']],
  ['python manage.py runserver 0.0.0.0:8001', [GUESS, 'port 8001']],
  ['uvicorn app:app --port 9000', [GUESS, 'port 9000']],
  ['uvicorn app:app', [GUESS, 'port 8000']],
  ['php -S localhost:8080', [GUESS, 'port 8080']],
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
  ['git stash -u', ['delta git:index', 'delta git:stash', 'replace tree /w -all']],
  ['git stash pop', ['delta git:index', 'delta tree /w', 'replace git:stash']],
  ['git stash list', ['read git:stash']],
  ['git frobnicate', [GUESS]],
];

describe('what a shell command touches', () => {
  for (const [command, touches] of CASES)
    test(command.split('\n')[0] ?? '', () => assert.deepEqual(read(command), touches));

  test('a name that every object has is a word like any other', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      assert.deepEqual(read(`git ${name}`), [GUESS]);
      assert.deepEqual(read(`${name} install x`), [GUESS]);
    }
  });

  test('a command too deep or too long is a guess, never nothing', () => {
    assert.deepEqual(read(`echo ${'x'.repeat(70_000)}`), [GUESS]);
    assert.deepEqual(read('cd a;'.repeat(10_000)), [GUESS]);
    const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    let nested = 'ls';
    for (let level = 0; level < 8; level++) nested = `sh -c ${quote(nested)}`;
    assert.deepEqual(read(nested), [GUESS]);
  });
});

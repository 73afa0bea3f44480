/**
 * Somebody who has just cloned the repository, on a machine with npm and an old Node (20, from the package registry):
 * `npm start` in a terminal installs, serves and gives the whole tour, and each line that it prints can be typed.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { noTerminal, openShell, PROMPT } from '../typing.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const OLD = { package: `node-${process.platform}-${process.arch}`, version: '20.20.2' } as const;

/** The folder of a Node 20, installed into `.cache/` where it is missing; undefined where it cannot be had. */
function oldNode(): string | undefined {
  const folder = join(ROOT, '.cache', `node-${OLD.version}`);
  const bin = join(folder, 'node_modules', OLD.package, 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(folder, { recursive: true });
  const dependencies = { [OLD.package]: OLD.version };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
  return existsSync(join(bin, 'node')) ? bin : undefined;
}

/** Whatever else is on the machine's path is not on this one: npm, a shell's own programs, and the old Node. */
function pathOf(folder: string, node: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const [npm] = spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.split('\n');
  symlinkSync(npm as string, join(bin, 'npm'));
  return [node, bin, '/usr/bin', '/bin'].join(delimiter);
}

test('from a bare clone with Node 20: npm start gives the whole tour, and what it prints can be typed', {
  skip: noTerminal,
  timeout: 450_000,
}, async (t: TestContext) => {
  const node = oldNode();
  if (!node) return t.skip('Node 20 cannot be installed from the package registry');
  const folder = mkdtempSync(join(tmpdir(), 'mezz-clone-'));
  const cloned = spawnSync('git', [
    'clone',
    '--quiet',
    '--depth',
    '1',
    `file://${ROOT}`,
    join(folder, 'mezz'),
  ]);
  if (cloned.status !== 0) return t.skip('this is no git checkout');
  const home = join(folder, 'home');
  for (const name of ['home', 'tmp']) mkdirSync(join(folder, name));
  writeFileSync(join(home, 'mezz.yaml'), 'port: 0\n');
  const PATH = pathOf(folder, node);
  const { ANTHROPIC_API_KEY: _a, OPENAI_API_KEY: _o, ...rest } = process.env;
  const shell = openShell({ ...rest, PATH, MEZZ_HOME: home, TMPDIR: join(folder, 'tmp') });
  try {
    shell.size(60, 160);
    await shell.begin();
    await shell.say(`cd ${join(folder, 'mezz')}`, PROMPT);
    assert.match(await shell.say('node --version', `\n${PROMPT}`), /v20\./);
    const begun = performance.now();
    const told = [
      await shell.say('npm start', 'installing from the lockfile'),
      await shell.see('Any key ends', 240),
      await shell.see(`Type next:[\\s\\S]*\n${PROMPT}`, 120),
    ];
    t.diagnostic(`npm start, to the end of the tour: ${Math.round((performance.now() - begun) / 1000)} s`);
    const [tour, next = ''] = (told[2] as string).split('Type next:');
    assert.doesNotMatch(tour as string, /That was a minute|The tour is ended/);
    assert.match(tour as string, /✔[\s\S]*What mezz is not\.[\s\S]*Found here:/);
    const lines = [...next.matchAll(/^ {2}(\S.*?)(?: {2,}\S.*)?\r?$/gm)].map(([, line]) => line as string);
    assert.ok(lines.length > 5, next);
    for (const line of lines.filter((one) => !one.startsWith('mezz backend add '))) {
      if (line === 'mezz sh') {
        await shell.say(line, '> ');
        shell.press('\u0004');
        await shell.see(PROMPT);
      } else await shell.say(line, `\n${PROMPT}`);
      assert.match(await shell.say('echo "got $?"', `got \\d+\r\n${PROMPT}`), /got 0/, line);
    }
  } finally {
    shell.close();
    const mezz = join(folder, 'mezz', 'bin', 'mezz.js');
    spawnSync(process.execPath, [mezz, 'down'], { env: { ...process.env, MEZZ_HOME: home } });
    rmSync(folder, { recursive: true, force: true });
  }
});

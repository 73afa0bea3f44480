/** The packed tarball, installed into an empty folder, is a working mezz: it carries a build, not the sources. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = new URL('../..', import.meta.url).pathname;

test('the tarball installs into an empty folder and gives a working mezz', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mezz-package-'));
  const home = join(folder, 'home');
  const run = (cwd: string, command: string, ...args: string[]) => {
    const done = spawnSync(command, args, {
      cwd,
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, MEZZ_HOME: home },
    });
    assert.equal(done.status, 0, `${command} ${args.join(' ')}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  };
  const mezz = (...args: string[]) =>
    run(folder, process.execPath, join(folder, 'node_modules/mezz/bin/mezz.js'), ...args);
  try {
    run(ROOT, process.execPath, 'scripts/build.js');
    run(ROOT, 'npm', 'pack', '--pack-destination', folder);
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    run(folder, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', './mezz-0.1.0.tgz');
    assert.match(mezz('--version'), /^mezz 0\.1\.0/);
    assert.match(mezz('up', '--port', '0'), /mezz is up: http:\/\/127\.0\.0\.1:\d+/);
    try {
      assert.equal(JSON.parse(mezz('ps', '--json')).schema, 'mezz.ps/1');
      assert.match(mezz('sh', '-c', 'hello'), /^\[lab\] /);
      assert.match(mezz('top'), /^mezz 0\.1\.0, up /);
      assert.match(mezz('checklist', '1'), /5 conditions: 5 yes/);
    } finally {
      mezz('down');
    }
    assert.deepEqual(foreignImports(join(folder, 'node_modules/mezz')), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Packages that the build loads and that installing it does not bring: what is loaded late would fail late. */
function foreignImports(mezz: string): string[] {
  const { dependencies } = JSON.parse(readFileSync(join(mezz, 'package.json'), 'utf8'));
  // The last two are asked for only where they are there.
  const known = new Set([...Object.keys(dependencies), 'node-llama-cpp', 'react-devtools-core']);
  const files = globSync('dist/*.js', { cwd: mezz });
  assert.ok(files.length > 10);
  return files.flatMap((file) => {
    const text = readFileSync(join(mezz, file), 'utf8');
    const names = [
      ...text.matchAll(
        /^import[^'"\n]*['"]([^.'"][^'"]*)['"]|\b(?:import|require)\(['"]([^.'"][^'"]*)['"]\)/gm,
      ),
    ];
    return names
      .map(([, named, called]) => named ?? called ?? '')
      .filter((name) => !isBuiltin(name))
      .filter((name) => !known.has(name.split('/', name.startsWith('@') ? 2 : 1).join('/')));
  });
}

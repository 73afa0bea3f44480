import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import test, { describe } from 'node:test';
import { groundClaims } from '../src/cli/checklist/ground.ts';
import { runHere } from '../src/cli/fixture.test.ts';
import { COMMANDS } from '../src/cli/registry.ts';
import { formatProblem } from '../src/config/config.ts';
import { readConfig } from '../src/config/read.ts';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'GUARANTEES.md'].concat(
  readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`),
);

/** Paths a page names in code that are not there. */
function missingPaths(text: string): string[] {
  const named = [
    ...text.matchAll(/`((?:src|test|docs|schema|scripts|bench|bin|policies|examples)\/[\w./-]*)`/g),
  ];
  return named.map(([, path]) => path as string).filter((path) => !existsSync(new URL(path, root)));
}
/** Targets of links that are not there. */
function missingLinks(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target as string);
  return links.filter((target) => !existsSync(new URL(target, new URL(page, root))));
}
/** Commands a page tells to type that mezz does not have. */
function unknownCommands(text: string): string[] {
  const known = new Set(COMMANDS.map(({ name }) => name));
  const scripts = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, lines]) => lines).join('\n');
  const typed = [
    ...text.matchAll(/(?:`|npx )mezz ([a-z]+)\b/g),
    ...scripts.matchAll(/^mezz ([a-z]+)\b/gm),
  ].map(([, name]) => name as string);
  return typed.filter((name) => !known.has(name));
}

describe('the documents', () => {
  for (const page of pages) {
    test(`${page} names files, links and commands that exist`, () => {
      const text = read(page);
      assert.deepEqual(missingPaths(text), []);
      assert.deepEqual(missingLinks(page, text), []);
      assert.deepEqual(unknownCommands(text), []);
    });
  }
  test('what is missing is found', () => {
    assert.deepEqual(missingPaths('see `src/nowhere.ts` and `src/base/`'), ['src/nowhere.ts']);
    assert.deepEqual(missingLinks('README.md', '[a](nowhere.md) [b](README.md) [c](https://x.example)'), [
      'nowhere.md',
    ]);
    assert.deepEqual(unknownCommands('`mezz ps` and npx mezz fly\n```sh\nmezz down\nmezz land\n```\n'), [
      'fly',
      'land',
    ]);
  });
  test('the README says what mezz is not, and every folder of src is in ARCHITECTURE.md', () => {
    assert.match(read('README.md'), /an orchestration layer on Linux or macOS, not an operating system/);
    const architecture = read('ARCHITECTURE.md');
    for (const { name } of readdirSync(new URL('src/', root), { withFileTypes: true }))
      assert.ok(architecture.includes(`\`${name}\``) || architecture.includes(`\`src/${name}/\``), name);
  });
  test('no page, no help and no description implies that mezz is the ground it stands on', async () => {
    const { description } = JSON.parse(read('package.json')) as { description: string };
    const helps = await Promise.all(
      ['', ...COMMANDS.map(({ name }) => name)].map((name) =>
        runHere('/nowhere', ...[name, '--help'].filter(Boolean)),
      ),
    );
    for (const text of [description, ...helps.map(({ out }) => out), ...pages.map(read)])
      assert.deepEqual(groundClaims(text), []);
    assert.ok(helps.every(({ out }) => out.length > 100));
  });
  test('the example of mezz.yaml is accepted', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(read('docs/configuration.md'))?.[1] ?? '';
    const { config, problems } = readConfig('mezz.yaml', example, '/', homedir());
    assert.deepEqual(problems.map(formatProblem), []);
    assert.equal(config?.backends.length, 7);
  });
});

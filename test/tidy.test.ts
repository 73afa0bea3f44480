import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { describe } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ERRORS } from '../src/base/errors.ts';
import * as rules from './tidy/rules.ts';
import { parseSources, readSources, readTexts, type Text } from './tidy/source.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = readSources(root);
const texts = readTexts(root);
const codes = Object.keys(ERRORS);
const none = (problems: readonly string[]) => assert.equal(problems.join('\n'), '');

describe('the sources', () => {
  test('are read whole: the compiler sees every TypeScript file', () => {
    const seen = new Set(sources.map(({ path }) => path));
    const files = texts.filter(({ path }) => /^(src|test|bench|examples)\/.*\.ts$/.test(path));
    assert.ok(files.length > 20);
    none(files.filter(({ path }) => !seen.has(path)).map(({ path }) => path));
  });
  test('import their own folder and lower layers, clients the protocol only', () =>
    none(rules.checkLayers(sources)));
  test('have no import cycles', () => none(rules.checkCycles(sources)));
  test('have at most 500 lines', () => none(rules.checkFileSizes(texts)));
  test('have functions of at most 70 lines', () => none(rules.checkFunctionSizes(sources)));
  test('have no any', () => none(rules.checkAny(sources)));
  test('are named after what they own', () => none(rules.checkNames(texts)));
  test('have no notes of unfinished work', () => none(rules.checkMarkers(texts)));
  test('touch the machine at the edge only', () => none(rules.checkAmbient(sources)));
  test('have repeatable tests', () => none(rules.checkTestChance(sources)));
  test('use the error table, all of it and nothing else', () => none(rules.checkErrorCodes(sources, codes)));
  test('mint tickets in the gate only', () => none(rules.checkMint(sources)));
  test('say in each folder what it owns', () => none(rules.checkHeaders(sources)));
  test('name nobody and no machine', () => none(rules.checkTraces(texts, ownPlaces())));
  test('declare their bounds well', async () => {
    const files = texts.filter(({ path }) => /^src\/.*\/limits\.ts$/.test(path));
    assert.ok(files.length > 3);
    const problems = files.map(async ({ path }) => {
      const { LIMITS } = (await import(pathToFileURL(join(root, path)).href)) as { LIMITS?: unknown };
      return rules.checkLimits(path, LIMITS);
    });
    none((await Promise.all(problems)).flat());
  });
  test('lock packages without naming a host, the engine for the processor alone', () => {
    const locks = texts.filter(({ path }) => /(^|\/)package-lock\.json$/.test(path));
    assert.ok(locks.length > 1);
    none(locks.flatMap(({ text }) => rules.checkLockfile(text)));
  });
});

/** This checkout and its user's home, where they are long enough to mean something. */
function ownPlaces(): string[] {
  return [homedir(), root].filter((place) => place.split('/').length > 2);
}

/** The violations in `files` must be found on exactly these lines, and nothing else may be reported. */
function finds(
  check: (sources: ReturnType<typeof parseSources>) => string[],
  files: Record<string, string>,
  ...where: string[]
) {
  const found = check(parseSources(files)).map((problem) => /^\S+?(?=: )/.exec(problem)?.[0] ?? problem);
  assert.deepEqual(found.sort(), where.sort());
}
const text = (path: string, content: string): Text[] => [{ path, text: content }];

describe('a planted violation is found:', () => {
  test('layers', () => {
    const files = {
      'src/base/a.ts': "import type { B } from '../gate/b.ts';\nexport type A = B;",
      'src/gate/b.ts':
        "import '../drivers/c.ts';\nimport '../base/a.ts';\nimport './d.ts';\nexport type B = 1;",
      'src/drivers/c.ts': "export * from '../sdk/e.ts';\nexport const c = () => import('../gateway/f.ts');",
      'src/gate/d.ts': "import '../strange/g.ts';\nimport '../../test/x.ts';",
      'src/boot.ts': "import './config/h.ts';\nimport './gate/b.ts';",
      'src/config/h.ts': "import '../boot.ts';",
      'src/gate/d.test.ts': "import '../../test/x.ts';\nimport '../drivers/c.ts';",
    };
    finds(
      rules.checkLayers,
      files,
      'src/base/a.ts:1',
      'src/gate/b.ts:1',
      'src/drivers/c.ts:1',
      'src/drivers/c.ts:2',
      'src/gate/d.ts:1',
      'src/gate/d.ts:2',
      'src/config/h.ts:1',
      'src/gate/d.test.ts:2',
    );
  });
  test('clients', () => {
    const files = {
      'src/sdk/a.ts': "import '../base/control.ts';\nimport '../cli/b.ts';",
      'src/cli/b.ts': "import '../sdk/a.ts';\nimport '../base/ticket.ts';\nimport '../gate/g.ts';",
      'src/cli/commands/up.ts': "import '../../boot.ts';\nexport const up = () => import('../../boot.ts');",
      'src/cli/commands/ps.ts': "export const ps = () => import('../../boot.ts');",
      'src/cli/lab.ts': "import '../drivers/lab/server.ts';\nimport '../drivers/models/http.ts';",
      'src/cli/tour/t.ts': "import '../../drivers/lab/server.ts';",
    };
    finds(
      rules.checkLayers,
      files,
      'src/sdk/a.ts:2',
      'src/cli/b.ts:2',
      'src/cli/b.ts:3',
      'src/cli/commands/up.ts:1',
      'src/cli/commands/ps.ts:1',
      'src/cli/lab.ts:2',
      'src/cli/tour/t.ts:1',
    );
  });
  test('cycles, of types too', () => {
    const files = {
      'src/base/a.ts': "import type { B } from './b.ts';\nexport type A = B;",
      'src/base/b.ts': "import { c } from './c.ts';\nexport type B = typeof c;",
      'src/base/c.ts': "export const c: import('./a.ts').A = 1;",
      'src/base/d.ts': "import { c } from './c.ts';\nexport const d = c;",
    };
    const found = rules.checkCycles(parseSources(files));
    assert.deepEqual(found, [
      'src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts: an import cycle',
    ]);
  });
  test('long files', () => {
    assert.equal(rules.checkFileSizes(text('src/base/a.ts', '\n'.repeat(501))).length, 1);
    assert.equal(rules.checkFileSizes(text('scripts/a.js', '\n'.repeat(501))).length, 1);
    none(rules.checkFileSizes(text('src/base/a.ts', '\n'.repeat(500))));
  });
  test('long functions, in every spelling', () => {
    const body = `{${'\n'.repeat(70)}}`;
    const files = {
      'src/base/a.ts': `export function f() ${body}`,
      'src/base/b.ts': `export const f = () => ${body};`,
      'src/base/c.ts': `export class C {\nm() ${body}\n}`,
      'src/base/d.ts': `export const d = { get x() ${body} };`,
      'src/base/e.ts': `export class E {\n#x = 1;\nconstructor() ${body}\n}`,
      'src/base/f.ts': `export function short() {${'\n'.repeat(69)}}`,
      'src/base/a.test.ts': `export function f() ${body}`,
      'bench/a.ts': `export function f() ${body}`,
      'test/agents/stub.ts': `export function f() ${body}`,
    };
    finds(
      rules.checkFunctionSizes,
      files,
      'src/base/a.ts:1',
      'src/base/b.ts:1',
      'src/base/c.ts:2',
      'src/base/d.ts:1',
      'src/base/e.ts:3',
      'test/agents/stub.ts:1',
    );
  });
  test('any, in tests too, but not the word', () => {
    const files = {
      'src/base/a.ts': '// any word\nexport const a: any = "any";',
      'src/base/a.test.ts': 'export const b = 1 as unknown as any[];',
      'bench/a.ts': '  // @ts-ignore\nexport const c: number = "";',
    };
    finds(rules.checkAny, files, 'src/base/a.ts:2', 'src/base/a.test.ts:1', 'bench/a.ts:1');
  });
  test('names that say nothing', () => {
    for (const path of ['src/base/utils.ts', 'src/util/a.ts', 'src/base/string-helpers.ts', 'test/common.ts'])
      assert.equal(rules.checkNames(text(path, '')).length, 1, path);
    none(rules.checkNames(text('src/base/commonality.ts', '')));
  });
  test('notes of unfinished work', () => {
    assert.equal(rules.checkMarkers(text('src/base/a.ts', `// ${'TO'}${'DO'}: later`)).length, 1);
    assert.equal(rules.checkMarkers(text('docs/a.md', `${'FIX'}${'ME'}`)).length, 1);
    none(rules.checkMarkers(text('src/base/a.ts', "mkdtempSync('mezz-XXXXXX')")));
  });
  test('the machine below the edge', () => {
    const ambient =
      'Date.now();\nMath.random();\nnew Date();\nfetch("");\nsetTimeout(f, 1);\nglobalThis.setInterval;\nprocess.env;\nconsole.log(1);\nnew Date(0);\n';
    const imports =
      "import 'node:fs';\nimport { createHash, randomBytes } from 'node:crypto';\nimport 'undici';\nimport 'node:path';\n";
    const files = {
      'src/gate/a.ts': ambient,
      'src/db/memory/b.ts': imports,
      'src/gate/a.test.ts': `${ambient}${imports}`,
      'src/db/sqlite/c.ts': `${ambient}${imports}`,
      'src/drivers/d.ts': ambient,
      'src/boot.ts': ambient,
    };
    const lines = [1, 2, 3, 4, 5, 6, 7, 8].map((line) => `src/gate/a.ts:${line}`);
    finds(rules.checkAmbient, files, ...lines, ...[1, 2, 3].map((line) => `src/db/memory/b.ts:${line}`));
    finds(rules.checkTestChance, files, 'src/gate/a.test.ts:2');
  });
  test('error codes without an entry, entries without a use', () => {
    const errors = "import { refusal } from '../base/errors.ts';\n";
    const files = {
      'src/base/errors.ts':
        'export const ERRORS = { busy: 1, idle: 1 };\nexport const refusal = (code: string) => code;',
      'src/gate/a.ts': `${errors}export const a = [refusal('busy'), refusal('made_up')];`,
      'src/gate/b.ts': "export const state = 'idle';",
      'src/gate/a.test.ts': `${errors}refusal('idle');`,
    };
    finds(
      (found) => rules.checkErrorCodes(found, ['busy', 'idle']),
      files,
      'src/gate/a.ts:2',
      'src/base/errors.ts',
    );
  });
  test('tickets minted elsewhere', () => {
    const mint = "import { mintTicket as m } from '../base/ticket.ts';\n";
    const files = { 'src/drivers/a.ts': mint, 'src/gate/b.ts': mint, 'src/drivers/a.test.ts': mint };
    finds(rules.checkMint, files, 'src/drivers/a.ts:1');
  });
  test('folders that do not say what they own', () => {
    const files = {
      'src/gate/a.ts': '/** gate/ owns the walk. */\nexport {};',
      'src/gate/b.ts': 'export {};',
      'src/journal/a.ts': '/** The only writer of entries. Invariant: they are dense. */\nexport {};',
      'src/db/sqlite/a.ts': '/**\n * Keeps rows, entries and blobs in one file.\n */\nexport {};',
      'src/db/memory/a.ts': '/** Rows. */\nexport {};',
      'src/db/a.ts': '// db/ owns rows.\nexport {};',
      'src/wire/a.ts': '/** Reads what clients of each dialect send, byte by byte. */\nexport {};',
      'src/agents/a.test.ts': '/** agents/ owns. */\nexport {};',
      'src/agents/b.ts': 'export {};',
    };
    finds(rules.checkHeaders, files, 'src/db/memory', 'src/db', 'src/wire', 'src/agents');
  });
  test('bounds without a number, a unit or a meaning', () => {
    none(rules.checkLimits('x', { a: { value: 1, unit: 'calls', what: 'calls at once' } }));
    assert.equal(rules.checkLimits('x', undefined).length, 1);
    assert.equal(rules.checkLimits('x', { a: 5 }).length, 3);
    assert.equal(rules.checkLimits('x', { a: { value: 0, unit: 'calls', what: 'calls at once' } }).length, 1);
    assert.equal(
      rules.checkLimits('x', { a: { value: 1, unit: 'ms', what: 'a long wait', more: 1 } }).length,
      1,
    );
  });
  test('paths of a machine and hosts of a registry', () => {
    const registry = ['registry', 'npmjs', 'org'].join('.');
    for (const trace of [
      `/${'home'}/jo/x`,
      `"/${'Users'}/jo"`,
      `/${'root'}/.npmrc`,
      `/${'work'}/x`,
      `https://${registry}/x`,
    ])
      assert.equal(rules.checkTraces(text('README.md', `see ${trace} there`)).length, 1, trace);
    assert.equal(rules.checkTraces(text('a.md', 'in /opt/me/src'), ['/opt/me']).length, 1);
    none(
      rules.checkTraces(
        text('README.md', `in /${'home'}/user/project, or /${'tmp'}/x, or src/${'work'}/a.ts`),
      ),
    );
  });
  test('hosts in the lockfile', () => {
    assert.equal(rules.checkLockfile('{\n"resolved": "https://host/x.tgz" }').length, 1);
    assert.equal(rules.checkLockfile('{ "@node-llama-cpp/linux-x64-cuda": "3.22.1" }').length, 1);
    none(rules.checkLockfile('{ "resolved": "runtime", "@node-llama-cpp/linux-x64": "3.22.1" }'));
  });
});

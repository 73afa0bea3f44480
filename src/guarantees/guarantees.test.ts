import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import type { HookTrial } from '../base/control.ts';
import { checkClaims, checkPromises } from './claims.ts';
import { diagnose, type Examined } from './doctor.ts';
import { DOCUMENTS, guaranteesPage } from './documents.ts';
import { levelsOf } from './levels.ts';
import type { Facts, Promised } from './promise.ts';
import { PROMISES } from './promises.ts';
import { sheetFor, sheetLines } from './registry.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => {
  const url = new URL(path, root);
  return existsSync(url) ? readFileSync(url, 'utf8') : undefined;
};
const none = (problems: readonly string[]) => assert.equal(problems.join('\n'), '');

const SAMPLE: Promised = {
  id: 'sample',
  group: 'gate',
  text: 'It holds.',
  restsOn: 'Care.',
  bypassedBy: 'Nothing known.',
  tests: [['a.test.ts', "it's here"]],
};

describe('promises', () => {
  test('each names tests that exist', () => {
    assert.ok(PROMISES.length > 10);
    none(checkPromises(PROMISES, read));
  });
  test('without a test, with a missing test or malformed they are found', () => {
    const source =
      "test('it\\'s here', () => {});\ntest.skip('skipped', () => {});\ntest(`at $" + '{N} points`, go);';
    const check = (more: Partial<Promised>, text: string | undefined = source) =>
      checkPromises([{ ...SAMPLE, ...more }], () => text);
    none(check({}));
    none(check({ tests: [['a.test.ts', 'at … points']] }));
    for (const [more, text] of [
      [{ tests: [] }],
      [{ tests: [['a.test.ts', 'it is gone']] }],
      [{ tests: [['a.test.ts', 'skipped']] }],
      [{ id: 'Not An Id' }],
      [{ text: 'no sentence' }],
      [{ bypassedBy: '' }],
    ] as [Partial<Promised>, string?][])
      assert.equal(check(more, text ?? source).length, 1, JSON.stringify(more));
    assert.deepEqual(
      checkPromises([SAMPLE], () => undefined),
      ['sample: no file a.test.ts'],
    );
    assert.equal(checkPromises([SAMPLE, SAMPLE], () => source)[0], 'sample: two promises');
  });
  test('documents made from the code are up to date', () => {
    for (const [path, text] of DOCUMENTS)
      assert.equal(read(path), text(), `${path}: type node src/guarantees/publish.ts`);
  });
  test('every claim of the README has a promise', () => {
    const readme = read('README.md') ?? '';
    assert.match(readme, /^## What mezz does about it$[\s\S]*^## What holds today$/m);
    none(checkClaims('README.md', readme, PROMISES));
  });
  test('a claim without a promise is found', () => {
    const page =
      '# x\n- free\n## What mezz does about it\n- D\n## What holds today\n- A <!-- g:sample -->\n- B\n  more\n- C <!-- g:gone -->\n## Next\n- free\n';
    assert.deepEqual(checkClaims('x.md', page, [SAMPLE]), [
      'x.md: g:gone: there is no such promise',
      'x.md: a claim without a promise: - D',
      'x.md: a claim without a promise: - B',
    ]);
  });
  test('the page shows every promise with what it rests on and how it is got round', () => {
    const page = guaranteesPage([{ ...SAMPLE, needs: ['hooked'] }]);
    for (const part of [
      '### sample',
      'It holds.',
      'Rests on: Care.',
      'Got round by: Nothing known.',
      "`a.test.ts`: it's here",
      '*hooked*',
    ])
      assert.ok(page.includes(part), part);
  });
});

describe('the sheet of an agent', () => {
  const facts: Facts = { profile: 'default', coverage: 'hooked', held: true, strict: true, bodies: 'keep' };
  test('holds every promise when nothing is missing, and names what is missing otherwise', () => {
    assert.ok(sheetFor(facts).every(({ unmet }) => unmet.length === 0));
    assert.equal(sheetLines(facts).length, PROMISES.length);
    const poor = sheetFor({
      profile: 'observe',
      coverage: 'seen',
      held: false,
      strict: false,
      bodies: 'off',
    });
    for (const { promise, unmet } of poor) assert.equal(unmet.length, promise.needs?.length ?? 0, promise.id);
  });
});

describe('the levels of an agent', () => {
  const holds = (level: Facts['coverage'], held = false) =>
    levelsOf({ level, held, trial: undefined })
      .filter((view) => view.holds)
      .map((view) => view.level);
  test('are shown as they are, never higher', () => {
    assert.deepEqual(holds('none'), []);
    assert.deepEqual(holds('seen'), ['seen']);
    assert.deepEqual(holds('held', true), ['seen', 'held']);
    assert.deepEqual(holds('hooked'), ['seen', 'hooked']);
    assert.deepEqual(holds('hooked', true), ['seen', 'held', 'hooked']);
  });
  test('say what they do not cover, and whether hooks were proven and when', () => {
    for (const view of levelsOf({ level: 'enclosed', held: true, trial: undefined }))
      assert.ok(view.covers !== '' && view.misses !== '', view.level);
    const trial = { client: 'codex', version: '0.169.0', outcome: 'refused' as const, at: 1.7e12 };
    const hooked = levelsOf({ level: 'hooked', held: false, trial })[2];
    assert.match(hooked?.covers ?? '', /hooks of codex 0\.169\.0 proven on 2023-11-14$/);
    const never = levelsOf({ level: 'hooked', held: false, trial: undefined })[2];
    assert.match(never?.covers ?? '', /its hooks were not tried here yet/);
  });
});

describe('doctor', () => {
  const trial = (outcome: HookTrial['outcome']): HookTrial => ({
    client: 'claude',
    version: '2.1.330',
    outcome,
    detail: null,
  });
  const sound: Examined = {
    nodeVersion: 'v26.1.0',
    sqliteVersion: '3.51.3',
    platform: 'linux',
    stateDir: { path: '/state', mode: 0o40700, uid: 1000 },
    uid: 1000,
    agentUid: 1000,
    sandboxed: true,
    freeBytes: 5e10,
    profile: 'default',
    backends: [{ id: 'anthropic', credential: 'auto', ready: true }],
    logins: [],
    trials: [trial('refused')],
    known: [],
  };
  const worst = (more: Partial<Examined>) => {
    const findings = diagnose({ ...sound, ...more });
    return findings.filter(({ level }) => level !== 'ok').map(({ id, level }) => `${level} ${id}`);
  };

  test('finds nothing wrong where nothing is', async () => assert.deepEqual(worst({}), []));
  test('finds old versions', async () => {
    assert.deepEqual(worst({ nodeVersion: 'v22.9.0' }), ['fail node']);
    assert.deepEqual(worst({ sqliteVersion: '3.50.9' }), ['fail sqlite']);
    assert.deepEqual(worst({ sqliteVersion: '3.51.2' }), ['fail sqlite']);
    assert.deepEqual(worst({ sqliteVersion: '4.0.0' }), []);
  });
  test('finds an open directory, a full disk, a strange platform, a profile that refuses nothing', async () => {
    assert.deepEqual(worst({ stateDir: { ...sound.stateDir, mode: 0o40755 } }), ['fail state-dir']);
    assert.deepEqual(worst({ stateDir: { ...sound.stateDir, uid: 0 } }), ['fail state-dir']);
    assert.deepEqual(worst({ freeBytes: 1e8 }), ['warn disk']);
    assert.deepEqual(worst({ platform: 'win32' }), ['warn platform', 'note leftovers']);
    assert.deepEqual(worst({ platform: 'darwin' }), ['note leftovers']);
    assert.deepEqual(worst({ profile: 'observe' }), ['warn profile']);
  });
  test('says unasked that an agent of the same user without a sandbox can go round it', async () => {
    assert.deepEqual(worst({ sandboxed: false }), ['warn same-user']);
    assert.deepEqual(worst({ sandboxed: false, agentUid: 1001 }), []);
  });
  test('a hook works only when a call that must be refused was refused', async () => {
    assert.deepEqual(worst({ trials: [trial('let-through')] }), ['fail hook-claude']);
    assert.deepEqual(worst({ trials: [trial('never-asked')] }), ['fail hook-claude']);
    assert.deepEqual(worst({ trials: [trial('no-call')] }), ['warn hook-claude']);
    assert.deepEqual(worst({ trials: [trial('not-installed')] }), ['note hook-claude']);
  });
  test('what was not tried now is not proven, whatever was known before', () => {
    assert.deepEqual(worst({ trials: undefined }), ['note hooks']);
    const known = [{ client: 'codex', version: '0.169.0', outcome: 'refused' as const, at: 1.7e12 }];
    const [note] = diagnose({ ...sound, trials: undefined, known }).slice(-1);
    assert.match(note?.text ?? '', /not tried now; hooks of codex 0\.169\.0 proven on 2023-11-14/);
  });
  test('says which backends are ready', async () => {
    const backend = { id: 'openai', credential: 'kernel', ready: false };
    assert.deepEqual(worst({ backends: [backend] }), ['warn backend-openai']);
    assert.deepEqual(worst({ backends: [{ ...backend, credential: 'client' }] }), ['note backend-openai']);
    const problem = { message: 'its file can be read by others', remedy: 'chmod 600' };
    assert.deepEqual(worst({ backends: [{ ...backend, problem }] }), ['fail backend-openai']);
  });
  test('every finding that is wrong says what to do', async () => {
    const poor = {
      ...sound,
      nodeVersion: 'v1',
      sqliteVersion: '1',
      platform: 'x',
      sandboxed: false,
      freeBytes: 0,
      profile: 'observe',
    };
    for (const finding of diagnose({ ...poor, trials: [trial('let-through'), trial('never-asked')] }))
      if (finding.level === 'fail' || finding.level === 'warn') assert.ok(finding.remedy, finding.id);
  });
});

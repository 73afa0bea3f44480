import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { formatProblem } from './config.ts';
import { readKeys } from './keys.ts';
import { findConfigFile, loadConfig, watchFiles } from './load.ts';
import { newCatalog, resolveModel } from './models.ts';
import { readConfig } from './read.ts';
import { SCHEMA, schemaText } from './schema.ts';
import { parseDuration, parseMoney, parseSize } from './units.ts';

const directory = mkdtempSync(join(tmpdir(), 'mezz-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const read = (text: string) => readConfig('mezz.yaml', text, '/etc/mezz', '/home/user');
function accept(text: string) {
  const { config, problems } = read(text);
  assert.deepEqual(problems.map(formatProblem), []);
  assert.ok(config);
  return config;
}
const problemsOf = (text: string) => read(text).problems.map(formatProblem);
/** The only problem of `text`, as a person reads it. */
function refuse(text: string, expected: string) {
  assert.deepEqual(problemsOf(text), [expected]);
}

describe('units', () => {
  test('durations, sizes and money are read exactly', () => {
    assert.deepEqual(
      ['10m', '1.5h', '250ms', '7d', '30 s'].map(parseDuration),
      [600_000, 5_400_000, 250, 604_800_000, 30_000],
    );
    assert.deepEqual(['10GB', '1KiB', '1.5MB', '7B'].map(parseSize), [1e10, 1024, 1.5e6, 7]);
    assert.deepEqual(['5usd', '0.1 usd', '0.000000001usd', '12.5usd'].map(parseMoney), [5e9, 1e8, 1, 12.5e9]);
    for (const text of ['', '10', '10 minutes', '-1s', '1e9s', 'm', '10m '])
      assert.equal(parseDuration(text), undefined, text);
    for (const text of ['10', '10gb', '1.GB', '99999999TB']) assert.equal(parseSize(text), undefined, text);
    for (const text of ['5', '$5', '5 EUR', '0.0000000001usd', '99999999999usd'])
      assert.equal(parseMoney(text), undefined, text);
  });
  test('money keeps every nano-dollar', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9_000_000 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (usd, nano) => {
          if (usd === 9_000_000) return;
          assert.equal(parseMoney(`${usd}.${String(nano).padStart(9, '0')}usd`), usd * 1e9 + nano);
        },
      ),
    );
  });
});

describe('defaults', () => {
  test('no file at all works: three hosted backends, the lab and the engine, models by prefix, nothing to pay for unknown', async () => {
    const { file, config } = await loadConfig(undefined, {});
    assert.equal(file, null);
    assert.deepEqual(
      config?.backends.map(({ spec }) => [spec.id, spec.url, spec.credential, spec.provider]),
      [
        ['anthropic', 'https://api.anthropic.com/v1', 'auto', 'anthropic'],
        ['openai', 'https://api.openai.com/v1', 'auto', 'openai'],
        ['chatgpt', 'https://chatgpt.com/backend-api/codex', 'client', 'chatgpt'],
        ['lab', 'lab:', 'local', 'lab'],
        ['engine', 'engine:', 'local', 'engine'],
      ],
    );
    const backendsOf = (name: string) => config && resolveModel(config, name)?.backends;
    assert.deepEqual(backendsOf('claude-opus-5-0'), ['anthropic']);
    assert.deepEqual(backendsOf('gpt-6-codex'), ['chatgpt', 'openai']);
    assert.deepEqual(backendsOf('o9'), ['chatgpt', 'openai']);
    assert.deepEqual(backendsOf('text-embedding-3-small'), ['openai']);
    assert.equal(backendsOf('llama'), undefined);
    assert.deepEqual(config?.access, { profile: 'default', files: [] });
    assert.equal(config?.journal.keepMs, 30 * 86_400_000);
  });
  test('an empty file is the same as none', async () => {
    const none = await loadConfig(undefined, {});
    assert.deepEqual(accept(''), none.config);
    assert.deepEqual(accept('# only a comment\n'), none.config);
  });
  test('a login passes through, and a key of the kernel is used only without one', () => {
    const config = accept('');
    const catalog = newCatalog(config, (backend) => backend === 'anthropic');
    const login = {
      provider: 'anthropic',
      kind: 'subscription',
      account: 'client:anthropic:x' as never,
    } as const;
    const choose = (with_: typeof login | undefined) => {
      const found = catalog.candidates('claude-x', 'anthropic', with_, false);
      return Array.isArray(found) ? found.map(({ credential }) => credential) : found.code;
    };
    assert.deepEqual(choose(login), ['client']);
    assert.deepEqual(choose(undefined), ['kernel']);
  });
});

describe('settings', () => {
  test('a shipped backend keeps what is not given; null removes one and the rows it alone served', () => {
    const config = accept('backends:\n  anthropic: { slots: 2 }\n  openai: null\n');
    assert.deepEqual(
      config.backends.map(({ spec }) => [spec.id, spec.slots]),
      [
        ['anthropic', 2],
        ['chatgpt', 64],
        ['lab', 2],
        ['engine', 2],
      ],
    );
    assert.equal(resolveModel(config, 'text-embedding-3-small'), undefined);
    assert.deepEqual(resolveModel(config, 'gpt-6')?.backends, ['chatgpt']);
  });
  test('a lab has the speed, limits and failures it is given, no url and no login', () => {
    const [box] = accept(
      'backends:\n  box: { dialects: [anthropic], credential: local, lab: { decodeRate: 9.5, fail: { cut: 0.5 } } }\n',
    ).backends.filter(({ spec }) => spec.id === 'box');
    assert.equal(box?.spec.label, 'lab');
    assert.equal(box?.lab?.decodeRate, 9.5);
    assert.equal(box?.lab?.slots, 2);
    assert.deepEqual(box?.lab?.failures, { cut: 0.5 });
    const told = (more: string) =>
      problemsOf(`backends:\n  box: { dialects: [anthropic], lab: {}${more} }\n`);
    assert.match(told(', credential: local, url: "http://127.0.0.1:1"').join(), /a lab has no url/);
    assert.match(told('').join(), /nobody logs in to a lab/);
  });
  test('an engine has the threads, sequences and window it is given, and as many slots as sequences; it keeps one more', () => {
    const told = (more: string) => {
      const [box] = accept(`backends:\n  engine: ${more}\n`).backends.filter(
        ({ spec }) => spec.id === 'engine',
      );
      return [box?.engine, box?.spec.slots, box?.spec.keeps];
    };
    assert.deepEqual(told('{}'), [{ sequences: 2, kept: 1, windowTokens: 8192 }, 2, 1]);
    assert.deepEqual(told('{ engine: { threads: 3, sequences: 5, kept: 0, window: 1024 } }'), [
      { threads: 3, sequences: 5, kept: 0, windowTokens: 1024 },
      5,
      0,
    ]);
    const both = problemsOf('backends:\n  engine: { lab: {} }\n').join();
    assert.match(both, /cannot be a lab and an engine/);
  });
  test('a whole file', () => {
    const config = accept(`
port: 0
backends:
  box: { url: "http://10.0.0.5:8000/v1/", dialects: [openai-chat], credential: local, slots: 4, idleTimeout: 2m }
  team: { url: "https://llm.example/v1", dialects: [anthropic], credential: kernel, key: { file: ~/team.key }, account: team }
models:
  "llama-*": { backends: [box], price: free }
  llama-big: { backends: [box, team], alias: big, price: { input: 3, output: 15, cacheRead: 0.3 } }
accounts: { company: { owner: alice }, team: { parent: company } }
limits:
  - { scope: "account:team", dimension: usd, period: day, cap: 5usd, strict: true }
  - { scope: "agent:7", dimension: tokens, period: total, cap: 1000000 }
access: { profile: observe, files: [team.cedar, /opt/base.cedar] }
scheduling: { policy: fifo, maxWait: 90s, queue: 10, weights: { team: 2.5 } }
journal: { bodies: digest, keepDays: 7, keepBytes: 500MB, entriesDays: 90 }
ask: { hold: 0s, expires: 1h }
loop: { repeats: 5, window: 1m, usdPerHour: 0.5 }
hostedTools: [mcp]
`);
    assert.equal(config.backends.find(({ spec }) => spec.id === 'box')?.spec.url, 'http://10.0.0.5:8000/v1');
    assert.deepEqual(config.backends.find(({ spec }) => spec.id === 'team')?.key, {
      file: '/home/user/team.key',
    });
    assert.equal(resolveModel(config, 'llama-small')?.price, 'free');
    assert.deepEqual(resolveModel(config, 'llama-big')?.price, {
      input: 3e9,
      output: 15e9,
      cacheRead: 3e8,
      cacheWrite: 3e9,
    });
    assert.deepEqual(config.limits[0], {
      scope: 'account:team',
      dimension: 'usd',
      period: 'day',
      cap: 5e9,
      strict: true,
    });
    assert.equal(config.limits[1]?.strict, false);
    assert.deepEqual(config.access, {
      profile: 'observe',
      files: ['/etc/mezz/team.cedar', '/opt/base.cedar'],
    });
    assert.deepEqual(config.scheduling, {
      policy: 'fifo',
      maxWaitMs: 90_000,
      queue: 10,
      weights: { team: 2.5 },
    });
    assert.deepEqual(config.journal, {
      bodies: 'digest',
      keepMs: 7 * 86_400_000,
      keepBytes: 5e8,
      entriesMs: 90 * 86_400_000,
    });
    assert.deepEqual(config.ask, { holdMs: 0, expiresMs: 3_600_000 });
    assert.deepEqual(config.loop, { repeats: 5, windowMs: 60_000, nanoUsdPerHour: 5e8 });
    assert.deepEqual(config.hostedTools, ['mcp']);
  });
});

describe('mistakes are told with line, column and what to type', () => {
  test('YAML that is none', () => {
    assert.match(
      problemsOf('port: 1\nbackends: [')[0] ?? '',
      /^mezz\.yaml:2:\d+: this is not YAML: .*\. Correct the line/,
    );
    assert.match(
      problemsOf('port: 1\nport: 2')[0] ?? '',
      /^mezz\.yaml:2:1: this is not YAML: Map keys must be unique/,
    );
  });
  test('settings by wrong names, types and units', () => {
    refuse('prot: 1', 'mezz.yaml:1:1: prot: there is no such setting. Did you mean port?');
    refuse(
      'ask:\n  wait: 1m',
      'mezz.yaml:2:3: ask.wait: there is no such setting. Known here: hold, expires',
    );
    refuse('port: many', 'mezz.yaml:1:7: port: must be a whole number from 0 to 65535. Write port: 7717');
    refuse('- port', 'mezz.yaml:1:1: must be mezz.yaml: settings by name. Write ...');
    refuse(
      'scheduling:\n  maxWait: 10 minutes',
      'mezz.yaml:2:12: scheduling.maxWait: must be a duration such as 30s, 10m, 1.5h or 7d. Write maxWait: 10m',
    );
    refuse(
      'access: { profile: off }',
      'mezz.yaml:1:20: access.profile: must be one of default, observe. Write profile: default',
    );
    refuse('models: { m: {} }', 'mezz.yaml:1:14: models.m: backends is missing. Add backends: [anthropic]');
    refuse(
      'models: { m: { backends: [openai], price: { input: 3 } } }',
      'mezz.yaml:1:43: models.m.price: must be free, or prices in USD per million tokens. Write price: { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }',
    );
    refuse(
      'backends: { My Box: null }',
      'mezz.yaml:1:13: backends.My Box: this name must be a lower-case name without spaces. Write another name',
    );
  });
  test('names that nothing has', () => {
    refuse(
      'models:\n  m:\n    backends: [openai, box]',
      'mezz.yaml:3:24: models.m.backends.1: there is no backend box. Add it under backends, or use one of anthropic, openai, chatgpt, lab, engine',
    );
    refuse(
      'accounts: { a: { parent: b } }',
      'mezz.yaml:1:26: accounts.a.parent: there is no account b. Add it: accounts: { b: {} }',
    );
    assert.equal(problemsOf('accounts: { a: { parent: b }, b: { parent: a } }').length, 2);
    const chain = Array.from({ length: 9 }, (_, i) => `a${i}: { ${i === 0 ? '' : `parent: a${i - 1}`} }`);
    accept(`accounts: { ${chain.slice(0, 8).join(', ')}, "client:anthropic:0123456789ab": { parent: a1 } }`);
    assert.match(
      problemsOf(`accounts: { ${chain.join(', ')} }`)[0] ?? '',
      /accounts\.a8\.parent: a8 would stand deeper than 8 accounts/,
    );
    assert.match(
      problemsOf('limits: [{ scope: "account:x", dimension: usd, period: day, cap: 1usd }]')[0] ?? '',
      /limits\.0\.scope: there is no account x/,
    );
  });
  test('limits that count the wrong thing, or twice', () => {
    const limit = (rest: string) => `{ scope: "owner:me", period: day, ${rest} }`;
    refuse(
      `limits: [${limit('dimension: tokens, cap: 5usd')}]`,
      'mezz.yaml:1:68: limits.0.cap: does not count tokens. Write cap: 1000000',
    );
    refuse(
      `limits: [${limit('dimension: usd, cap: 5')}]`,
      'mezz.yaml:1:65: limits.0.cap: does not count usd. Write cap: 5usd',
    );
    const share = (scope: string, period: string, cap: string) =>
      `limits: [{ scope: "${scope}", dimension: share, period: ${period}, cap: ${cap} }]`;
    assert.equal(accept(share('account:openai', '5h', '80%')).limits[0]?.cap, 80);
    assert.match(problemsOf(share('account:openai', 'day', '80%'))[0] ?? '', /a plan window, 5h or 7d/);
    assert.match(problemsOf(share('owner:me', '7d', '80%'))[0] ?? '', /the plan of an account/);
    assert.match(problemsOf(share('account:openai', '7d', '80'))[0] ?? '', /share\. Write cap: 80%/);
    const twice = limit('dimension: usd, cap: 5usd');
    assert.match(
      problemsOf(`limits: [${twice}, ${twice.replace('5usd', '6usd')}]`)[0] ?? '',
      /limits\.1: a second limit/,
    );
  });
  test('scopes that nothing can have; a login of a client is known only when it calls', () => {
    const limit = (scope: string) =>
      `limits: [{ scope: "${scope}", dimension: usd, period: day, cap: 5usd }]`;
    for (const scope of ['agent:reviewer', 'team', 'account:', 'owner:a:b'])
      assert.match(
        problemsOf(limit(scope))[0] ?? '',
        /limits\.0\.scope: must be account:<id>, agent:<pid> or owner:<id>/,
      );
    accept(limit('account:client:anthropic:0123abcd'));
    accept(limit('account:openai'));
  });
  test('aliases that multiply', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]`;
    assert.match(problemsOf(bomb)[0] ?? '', /too many aliases/);
  });
  test('problems come in the order of the lines and are bounded', () => {
    const many = Array.from({ length: 50 }, (_, index) => `x${index}: 1`).join('\n');
    const { problems } = read(many);
    assert.equal(problems.length, 20);
    assert.deepEqual(
      problems.map(({ line }) => line),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });
  test('names that every value has', () => {
    for (const name of ['toString', 'valueOf'])
      assert.match(problemsOf(`limits: [{}, { ${name}: 0 }]`)[0] ?? '', /named toString or valueOf/);
  });
  test('any text is read or told, never thrown', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => void read(text)));
    const yaml = fc.json().map((text) => `backends: ${text}\nlimits: ${text}\nmodels: { m: ${text} }`);
    fc.assert(fc.property(yaml, (text) => assert.ok(read(text).config || read(text).problems.length > 0)));
  });
});

describe('keys', () => {
  const secret = 'sk-ant-SECRET-0123456789';
  test('are never accepted in the file, and never repeated in what is told', () => {
    for (const text of [
      `backends: { anthropic: { key: ${secret} } }`,
      `backends: { anthropic: { key: { env: ${secret} } } }`,
      `backends: { anthropic: { key: { value: ${secret} } } }`,
      `backends: { anthropic: { apiKey: ${secret} } }`,
      `backends: { anthropic: { url: "https://x:${secret}@api.example/v1" } }`,
      `backends: { anthropic: { url: "https://${secret}@api.example/v1" } }`,
    ]) {
      const problems = problemsOf(text);
      assert.equal(problems.length, 1, text);
      assert.ok(!JSON.stringify(read(text)).includes(secret), text.slice(0, 40));
    }
    assert.match(
      problemsOf(`backends: { anthropic: { key: ${secret} } }`)[0] ?? '',
      /A key is never written in mezz\.yaml: write key: \{ env: NAME \}/,
    );
    assert.match(
      problemsOf(`backends: { anthropic: { authToken: ${secret} } }`)[0] ?? '',
      /A key is never written/,
    );
  });
  test('a kernel credential needs a place, the others refuse one, and none travels in clear', () => {
    const box = (rest: string) =>
      `backends: { box: { url: "http://127.0.0.1:1/v1", dialects: [openai-chat], ${rest} } }`;
    assert.match(problemsOf(box('credential: kernel'))[0] ?? '', /backends\.box: key is missing/);
    assert.match(
      problemsOf(box('credential: local, key: { env: K }'))[0] ?? '',
      /credential: local uses no key/,
    );
    accept(box('credential: kernel, key: { env: K }'));
    const far = 'backends: { far: { url: "http://10.0.0.5/v1", dialects: [openai-chat] } }';
    assert.match(problemsOf(far)[0] ?? '', /unencrypted to another machine/);
  });
  test('come from the environment or from a file that others cannot read', () => {
    const file = join(directory, 'key');
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    const config = accept(`backends: { openai: { key: { file: ${file} } } }`);
    const { keys, problems } = readKeys(config, { ANTHROPIC_API_KEY: 'a' });
    assert.deepEqual(
      [...keys],
      [
        ['anthropic', 'a'],
        ['openai', secret],
      ],
    );
    assert.deepEqual(problems, []);
    chmodSync(file, 0o644);
    assert.match(readKeys(config, {}).problems[0]?.message ?? '', /can be read by others/);
    assert.equal(readKeys(config, {}).keys.size, 0);
    writeFileSync(file, 'two words', { mode: 0o600 });
    chmodSync(file, 0o600);
    assert.match(readKeys(config, {}).problems[0]?.message ?? '', /holds no key/);
  });
});

describe('the file', () => {
  test('is the one named, else $MEZZ_CONFIG, else mezz.yaml in the state directory', () => {
    const file = join(directory, 'mezz.yaml');
    assert.equal(findConfigFile(undefined, { MEZZ_HOME: directory }), null);
    writeFileSync(file, '');
    assert.equal(findConfigFile(undefined, { MEZZ_HOME: directory }), file);
    assert.equal(findConfigFile(undefined, { MEZZ_HOME: directory, MEZZ_CONFIG: '/x.yaml' }), '/x.yaml');
    assert.equal(findConfigFile('/y.yaml', { MEZZ_CONFIG: '/x.yaml' }), '/y.yaml');
  });
  test('that was named and is not there is a problem, not the defaults', async () => {
    const { config, problems } = await loadConfig(join(directory, 'missing.yaml'), {});
    assert.equal(config, undefined);
    assert.match(problems.map(formatProblem)[0] ?? '', /missing\.yaml: cannot be read \(ENOENT\)/);
  });
  test('is watched with the files it names, written in place or renamed over', async () => {
    const files = ['watched.yaml', 'watched.cedar'].map((name) => join(directory, name));
    const [file = '', policy = ''] = files;
    writeFileSync(file, 'port: 1');
    let tell = () => {};
    const next = () => new Promise<void>((resolve) => (tell = resolve));
    const stop = watchFiles(files, () => tell());
    let change = next();
    writeFileSync(file, 'port: 2');
    await change;
    change = next();
    writeFileSync(`${file}.new`, 'port: 3');
    renameSync(`${file}.new`, file);
    await change;
    change = next();
    writeFileSync(policy, '// a file that was not there before');
    await change;
    stop();
  });
  test('has a published schema that is up to date and valid', () => {
    assert.equal(
      readFileSync(new URL('../../schema/mezz.schema.json', import.meta.url), 'utf8'),
      schemaText(),
      'type: node src/config/publish.ts',
    );
    assert.ok(new Ajv2020().validateSchema(SCHEMA));
  });
});

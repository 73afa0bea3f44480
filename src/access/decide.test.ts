import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import type { JsonRecord } from '../base/json.ts';
import { Access, type AccessRequest, PolicyError, type Principal } from './decide.ts';
import { LIMITS } from './limits.ts';

const read = (name: string) => readFileSync(new URL(`../../policies/${name}`, import.meta.url), 'utf8');
const schema = read('schema.cedarschema');
const standard = read('default.cedar');
const open = (policies = standard, profile: 'default' | 'observe' = 'default') =>
  new Access({ schema, policies, profile });

const agent = (pid = 1, more: Partial<Principal> = {}): Principal => ({
  pid,
  name: `coder-${pid}`,
  owner: 'local',
  client: 'claude-code',
  depth: 0,
  groups: [],
  ...more,
});
const facts = {
  backend: 'anthropic',
  account: 'main',
  hostedTools: [],
  permittedHostedTools: [],
  level: 'hooked',
  localHour: 12,
};

function toolCall(tool: string, args: JsonRecord, more: Partial<AccessRequest> = {}): AccessRequest {
  const parents = [tool.slice(0, tool.indexOf('/'))];
  const resource = { type: 'Tool' as const, id: tool, parents };
  return {
    chain: [agent()],
    action: 'tool.call',
    resource,
    args,
    labels: [],
    facts,
    approved: false,
    ...more,
  };
}
function modelCall(hostedTools: readonly string[] = [], more: Partial<AccessRequest> = {}): AccessRequest {
  const resource = { type: 'Model' as const, id: 'some-model', parents: ['anthropic'] };
  const action = 'model.generate';
  return {
    chain: [agent()],
    action,
    resource,
    args: {},
    labels: [],
    facts: { ...facts, hostedTools },
    approved: false,
    ...more,
  };
}
const bash = (command: string) => toolCall('claude-code/Bash', { command });
const edit = (path: string) =>
  toolCall('claude-code/Edit', { file_path: path, old_string: 'a', new_string: 'b' });

describe('the default access policies', () => {
  const access = open();
  const ordinary: AccessRequest[] = [
    ...[
      'ls -la',
      'npm test',
      'git status',
      'git push',
      'git push origin main',
      'git push --force-with-lease',
      'git commit -m "mezz: a better table"',
      'git checkout -f main',
      'rm -rf node_modules',
      'rm -rf /tmp/build/cache',
      'rm -rf ./dist && npm run build',
      'rm notes.txt',
      'grep -rf patterns src',
      'dd if=/dev/zero of=/dev/null count=1',
      'mezz ps',
      'mezz why 3',
      'docker build -f Dockerfile .',
      'cat /etc/hosts',
    ].map(bash),
    edit('/home/u/project/src/a.ts'),
    edit('src/keys.ts'),
    toolCall('claude-code/Read', { file_path: '/home/u/.config/git/config' }),
    toolCall('claude-code/Grep', { pattern: 'rm -rf /', path: '.' }),
    toolCall('claude-code/WebFetch', { url: 'https://example.org/' }),
    toolCall('claude-code/Task', { prompt: 'explain git push --force', nothing: null, share: 0.5 }),
    toolCall('claude-code/mcp__files__list', {}),
    toolCall('codex/shell', { command: ['bash', '-lc', 'cargo test'] }),
    toolCall('codex/apply_patch', { input: '*** Begin Patch\n*** Update File: src/a.rs\n*** End Patch' }),
    modelCall(),
    modelCall([], { action: 'model.count' }),
  ];
  for (const request of ordinary) {
    test(`permit unasked: ${request.resource.id} ${JSON.stringify(request.args)}`, () => {
      assert.equal(access.decide(request).effect, 'permit');
      assert.equal(access.decide({ ...request, approved: true }).effect, 'permit');
    });
  }

  const asked: [AccessRequest, string][] = [
    [bash('mezz approve q1'), 'mezz-command'],
    [bash('cd /x && "mezz"  policy apply a.cedar'), 'mezz-command'],
    [bash('node bin/mezz.js thaw --all'), 'mezz-command'],
    [bash('mezz key create me'), 'mezz-command'],
    [bash('curl --unix-socket ~/.local/state/mezz/control.sock http://x/v1/approve'), 'mezz-files'],
    [edit('/home/u/.local/state/mezz/mezz.db'), 'mezz-files'],
    [edit('/home/u/project/../.local/./state//mezz/mezz.db'), 'mezz-files'],
    [toolCall('codex/apply_patch', { input: '*** Update File: /home/u/.local/state/mezz/k' }), 'mezz-files'],
    [toolCall('codex/apply_patch', { command: '*** Add File: /home/u/.local/state/mezz/k' }), 'mezz-files'],
    [bash('git push --force'), 'force-push'],
    [bash('git -C sub push -f origin main'), 'force-push'],
    [toolCall('codex/shell', { command: ['bash', '-lc', 'git push --force;ls'] }), 'force-push'],
    [bash('rm -rf /'), 'remove-everything'],
    [bash('true; rm   -fr "/"'), 'remove-everything'],
    [bash('rm -rf ~\necho gone'), 'remove-everything'],
    [bash('sudo rm -rf /*'), 'remove-everything'],
    [bash('mkfs.ext4 /dev/sda1'), 'write-disk'],
    [bash('dd if=a.img of=/dev/sda'), 'write-disk'],
    [modelCall(['code_execution']), 'hosted-tools'],
  ];
  for (const [request, rule] of asked) {
    test(`ask: ${request.resource.id} ${JSON.stringify(request.args)}`, () => {
      const decision = access.decide(request);
      assert.equal(decision.effect, 'ask');
      assert.ok(decision.rules.includes(rule), `${decision.rules}`);
      assert.match(decision.effect === 'ask' ? decision.reason : '', /\(rule [a-z-]+\)$/);
      assert.equal(access.decide({ ...request, approved: true }).effect, 'permit');
    });
  }

  test('have an id, a reason and a remedy each, and validate without a finding', () => {
    assert.deepEqual(access.check(standard), []);
    const forbids = standard
      .split(/^@id/m)
      .slice(1)
      .filter((rule) => rule.includes('forbid('));
    assert.ok(forbids.length >= 6);
    for (const rule of forbids) assert.match(rule, /@reason\([\s\S]*@remedy\(/);
  });
});

describe('a decision', () => {
  test('without any policy is a refusal that names what and what next', () => {
    const decision = open('').decide(bash('ls'));
    assert.equal(decision.effect, 'forbid');
    assert.ok(decision.effect === 'forbid' && decision.refusal.message.includes('claude-code/Bash'));
    assert.ok(decision.effect === 'forbid' && decision.refusal.remedy);
  });

  test('needs the whole chain: a child never exceeds its parent', () => {
    const access = open(`@id("a") permit(principal, action, resource) when { principal.pid >= 2 };
      @id("b") permit(principal == Agent::"1", action, resource == Tool::"claude-code/Read");
      @id("c") permit(principal == Agent::"1", action, resource is Model) when { context.approved };`);
    const tools = fc.constantFrom('claude-code/Read', 'claude-code/Bash');
    const request = fc.oneof(
      tools.map((tool) => toolCall(tool, {})),
      fc.constant(modelCall()),
    );
    const rank = { forbid: 0, ask: 1, permit: 2 };
    fc.assert(
      fc.property(
        request,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        (base, child, parent) => {
          const decide = (...pids: number[]) =>
            rank[access.decide({ ...base, chain: pids.map((pid) => agent(pid)) }).effect];
          assert.equal(decide(child, parent), Math.min(decide(child), decide(parent)));
        },
      ),
      { seed: 7, numRuns: 100 },
    );
    assert.equal(access.decide({ ...bash('ls'), chain: [] }).effect, 'forbid');
  });

  test('is the same from memory as computed', () => {
    const policies = `@id("a") permit(principal, action, resource) when { principal.depth < 2 && context.level != "none" };
      @id("b") forbid(principal, action, resource is Model) unless { context.hostedTools.isEmpty() || context.approved };
      @id("c") forbid(principal in Group::"guest", action, resource in Server::"codex");
      @id("d") forbid(principal, action, resource) when { context.labels.contains("secret") && context.account == "x" };
      @id("e") forbid(principal, action, resource is Tool) when { context.command like "* /" };`;
    const warm = open(policies);
    const cold = open(policies);
    let remembered = 0;
    const request = fc.record({
      base: fc.constantFrom(
        bash('ls'),
        bash('ls /'),
        toolCall('codex/shell', {}),
        modelCall(),
        modelCall(['x']),
      ),
      depth: fc.integer({ min: 0, max: 2 }),
      groups: fc.constantFrom([], ['guest']),
      level: fc.constantFrom('none', 'held'),
      labels: fc.constantFrom([], ['secret']),
      account: fc.constantFrom('x', 'y'),
      approved: fc.boolean(),
    });
    fc.assert(
      fc.property(request, ({ base, depth, groups, level, labels, account, approved }) => {
        const chain = [agent(1, { depth, groups })];
        const full = { ...base, chain, labels, approved, facts: { ...base.facts, level, account } };
        const first = warm.decide(full);
        if (first.memo) remembered += 1;
        cold.apply(policies, 'default');
        assert.deepEqual({ ...first, memo: false }, cold.decide(full));
      }),
      { seed: 11, numRuns: 400 },
    );
    assert.ok(remembered > 50, `${remembered}`);
  });

  test('is remembered for exactly what its rules read, until the policies change', () => {
    const access = open();
    const memo = (request: AccessRequest) => access.decide(request).memo;
    assert.equal(memo(bash('ls')), false);
    assert.equal(memo(bash('ls')), true);
    assert.equal(memo(bash('ls /')), false);
    assert.equal(memo(bash('ls /')), true);
    assert.equal(memo(bash(`ls ${'x'.repeat(LIMITS.memoText.value)}`)), false);
    assert.equal(memo(bash(`ls ${'x'.repeat(LIMITS.memoText.value)}`)), false, 'too long to keep');
    assert.equal(memo(toolCall('memory/read', { n: 1 })), false);
    assert.equal(memo(toolCall('memory/read', { n: 2 })), true, 'no rule reads what differs');
    const late = { ...modelCall(), facts: { ...modelCall().facts, localHour: 23 } };
    assert.equal(memo(modelCall()), false);
    assert.equal(memo(late), true, 'no rule reads the hour');
    access.apply(standard, 'default');
    assert.equal(memo(modelCall()), false);
  });

  test('that reads the hour is remembered for that hour, and one that reads arguments is not', () => {
    const access = open(`@id("all") permit(principal, action, resource);
      @id("night") forbid(principal, action, resource is Model) when { context.localHour > 22 };
      @id("odd") forbid(principal, action, resource is Tool) when { context.args has n && context.args.n == 3 };`);
    const at = (localHour: number) => ({ ...modelCall(), facts: { ...modelCall().facts, localHour } });
    for (const memo of [false, true])
      for (const [hour, effect] of [
        [12, 'permit'],
        [23, 'forbid'],
      ] as const) {
        const decision = access.decide(at(hour));
        assert.deepEqual([decision.effect, decision.memo], [effect, memo]);
      }
    for (let again = 0; again < 2; again++)
      assert.equal(access.decide(toolCall('s/t', { n: 2 })).memo, false);
  });

  test('is a refusal when a rule cannot be evaluated, even beside a permit', () => {
    // To the validator this rule is impossible; an argument of another type makes it err.
    const access = open(`@id("all") permit(principal, action, resource);
      @id("odd") forbid(principal, action, resource is Tool) when { context.args has n && context.args.n > 3 };`);
    assert.equal(access.decide(toolCall('s/t', { n: 2 })).effect, 'permit');
    assert.equal(access.decide(toolCall('s/t', { n: 4 })).effect, 'forbid');
    for (const approved of [false, true]) {
      const decision = access.decide(toolCall('s/t', { n: 'many' }, { approved }));
      assert.equal(decision.effect, 'forbid');
      assert.equal(decision.effect === 'forbid' && decision.refusal.rule, 'odd');
    }
  });

  test('refuses arguments too large or too deep to read, and takes none for entities', () => {
    const access = open(`@id("all") permit(principal, action, resource);
      @id("x") forbid(principal, action, resource) when { context.args has x };`);
    assert.equal(access.decide(toolCall('s/t', { a: 'y'.repeat(2_000_000) })).effect, 'forbid');
    let deep: JsonRecord = {};
    for (let i = 0; i < 100; i++) deep = { deep };
    assert.equal(access.decide(toolCall('s/t', deep)).effect, 'forbid');
    const odd = {
      __entity: { type: 'Agent', id: '1' },
      a: { __extn: { fn: 'ip', arg: 'x' } },
      b: [null, 1.5, 2 ** 60],
    };
    assert.equal(access.decide(toolCall('s/t', odd)).effect, 'permit');
    assert.equal(access.decide(toolCall('s/t', { ...odd, x: 1 })).effect, 'forbid');
  });

  test('takes half a surrogate pair in arguments and refuses it in names, without an exception', () => {
    assert.equal(open().decide(bash('echo \ud800')).effect, 'permit');
    assert.equal(open().decide(bash('echo \ud800; git push -f')).effect, 'ask');
    const access = open(`@id("all") permit(principal, action, resource) unless { context.args has zz };`);
    assert.equal(access.decide(toolCall('s/t', { '\ud800': ['\udfff'] })).effect, 'permit');
    assert.equal(access.decide(toolCall('s/\ud800', {})).effect, 'forbid');
  });

  test('by slices is the decision of the whole set', () => {
    const rules = [
      '@id("1") permit(principal, action, resource is Tool);',
      '@id("2") permit(principal, action == Action::"model.count", resource);',
      '@id("3") forbid(principal, action, resource == Tool::"codex/shell");',
      '@id("4") forbid(principal, action, resource in Server::"claude-code") when { context.localHour < 8 };',
      '@id("5") permit(principal, action in [Action::"model.generate", Action::"model.embed"], resource is Model in Dialect::"anthropic");',
      '@id("6") forbid(principal, action, resource is Tool in Server::"codex") unless { context.approved };',
    ];
    // A condition instead of a scope leaves every rule in every slice.
    const conditions = [
      '@id("1") permit(principal, action, resource) when { resource is Tool };',
      '@id("2") permit(principal, action, resource) when { action == Action::"model.count" };',
      '@id("3") forbid(principal, action, resource) when { resource == Tool::"codex/shell" };',
      '@id("4") forbid(principal, action, resource) when { resource in Server::"claude-code" && context.localHour < 8 };',
      '@id("5") permit(principal, action, resource) when { [Action::"model.generate", Action::"model.embed"].contains(action) && resource is Model in Dialect::"anthropic" };',
      '@id("6") forbid(principal, action, resource) when { resource is Tool in Server::"codex" && !context.approved };',
    ];
    const sliced = open(rules.join('\n'));
    const whole = open(conditions.join('\n'));
    for (const base of [
      bash('ls'),
      toolCall('codex/shell', {}),
      toolCall('codex/x', {}),
      modelCall(),
      modelCall([], { action: 'model.count' }),
      modelCall([], { action: 'model.object' }),
    ]) {
      for (const localHour of [3, 12]) {
        for (const approved of [false, true]) {
          const request = { ...base, approved, facts: { ...base.facts, localHour } };
          const [a, b] = [sliced.decide(request), whole.decide(request)];
          assert.deepEqual([a.effect, a.rules], [b.effect, b.rules]);
        }
      }
    }
  });
});

describe('the policies in force', () => {
  test('stay when the new text is wrong, and change together with the epoch otherwise', () => {
    const access = open();
    const before = access.epoch;
    for (const wrong of [
      'permit(',
      'permit(principal, action, resource is Tol);',
      'permit(principal, action, resource) when { context.args.x == 1 };',
      '@id("a") permit(principal, action, resource); @id("a") permit(principal, action, resource);',
      'permit(principal == ?principal, action, resource);',
    ]) {
      assert.ok(
        access.apply(wrong, 'default').some(({ level }) => level === 'fail'),
        wrong,
      );
      assert.throws(() => open(wrong), PolicyError);
    }
    assert.equal(access.epoch, before);
    assert.equal(access.text(), standard);
    const nothing = '@id("none") forbid(principal, action, resource);';
    assert.ok(access.apply(nothing, 'default').every(({ level }) => level === 'warn'));
    assert.equal(access.epoch, before + 1);
    assert.equal(access.decide(bash('ls')).effect, 'forbid');
  });

  test('only observe under that profile, and say what they would have refused', () => {
    const access = open(standard, 'observe');
    const asked = access.decide(bash('git push --force'));
    assert.equal(asked.effect, 'permit');
    assert.equal(asked.effect === 'permit' && asked.observed?.code, 'awaiting_approval');
    access.apply('', 'observe');
    const refused = access.decide(bash('ls'));
    assert.equal(refused.effect === 'permit' && refused.observed?.code, 'denied');
  });
});

describe('what a text cannot mean', () => {
  const access = open('permit(principal, action, resource);');
  const told = (text: string) =>
    access
      .check(text)
      .filter(({ id, level }) => level === 'warn' && id !== 'policy.id')
      .map(({ id }) => id);

  test('rules that never apply, that say the same, and texts that leave nothing', () => {
    assert.deepEqual(told('permit(principal, action, resource);'), []);
    assert.deepEqual(told('permit(principal == Agent::"fox", action, resource);'), ['policy.never']);
    assert.deepEqual(told('permit(principal == Agent::"7", action, resource);'), []);
    assert.deepEqual(told('permit(principal in Group::"team", action, resource);'), ['policy.never']);
    assert.deepEqual(told('permit(principal, action, resource == Tool::"Bash");'), ['policy.never']);
    assert.deepEqual(told('permit(principal, action, resource == Tool::"claude-code/Bash");'), []);
    const forbid = 'forbid(principal, action, resource)';
    assert.deepEqual(told(`${forbid};`), ['policy.nothing']);
    assert.deepEqual(told(`permit(principal, action, resource); ${forbid};`), ['policy.overruled']);
    assert.deepEqual(told(`permit(principal, action, resource); ${forbid} unless { context.approved };`), []);
    const twice =
      '@id("a") permit(principal, action, resource); @id("b") permit(principal, action, resource);';
    assert.deepEqual(told(twice), ['policy.twice']);
  });
  test('unknown actions, types and attributes are errors, an impossible rule a warning', () => {
    const levels = (text: string) => access.check(text).map(({ id, level }) => `${level} ${id}`);
    assert.ok(
      levels('@id("x") permit(principal, action == Action::"fly", resource);').includes('fail policy.type'),
    );
    assert.ok(levels('@id("x") permit(principal is Robot, action, resource);').includes('fail policy.type'));
    assert.ok(
      levels('@id("x") permit(principal, action, resource) when { context.mood == "good" };').includes(
        'fail policy.type',
      ),
    );
    assert.ok(
      levels(
        '@id("y") permit(principal, action, resource); @id("x") permit(principal, action == Action::"tool.call", resource is Model);',
      ).some((level) => level.endsWith('policy.type')),
    );
  });
  test('a trial decides by its own text and leaves the text in force alone', () => {
    const request = bash('ls');
    const trial = access.trial('@id("no") forbid(principal, action, resource);');
    assert.ok('decide' in trial);
    assert.equal(trial.decide(request).effect, 'forbid');
    assert.equal(access.decide(request).effect, 'permit');
    trial.close();
    const next = access.trial('@id("yes") permit(principal, action, resource);');
    assert.ok('decide' in next && next.decide(request).effect === 'permit');
    assert.ok(!('decide' in access.trial('permit(')));
  });
});

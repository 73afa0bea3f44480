import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { Command } from 'commander';
import { type FakeKernel, Refused, runHere, startFakeKernel } from './fixture.test.ts';
import { parseCount, parseDuration, parseMoney } from './format.ts';
import { COMMANDS } from './registry.ts';
import { editDistance, suggestCommand } from './suggest.ts';
import { renderTable, textWidth } from './table.ts';

const LIMIT = {
  id: 'l1',
  scope: 'agent:7',
  dimension: 'usd',
  period: 'total',
  cap: 5e9,
  used: 0,
  held: 0,
  strict: false,
};

const account = (id: string, parent: string | null, cost: number) => ({
  id,
  parent,
  kind: 'group',
  provider: '',
  owner: parent === null ? 'alice' : null,
  used: { requests: 1, usage: { input: 1, cacheRead: 0, cacheWrite: 0, output: 1, reasoning: 0 }, cost },
  limits: [],
  windows: parent === null ? [] : [{ account: id, name: '7d', usedShare: 0.4 }],
});

describe('commands', () => {
  let kernel: FakeKernel;
  before(async () => {
    kernel = await startFakeKernel({
      ps: ({ all }) => ({
        agents: all
          ? [
              { name: 'calm', state: 'ready', worktree: null },
              { name: 'fix', state: 'exited', worktree: '/w' },
              { name: 'gone', state: 'exited', worktree: null },
            ]
          : [],
      }),
      'agent.show': ({ agent }) =>
        agent === 'fox'
          ? { agent: { pid: 7, name: 'fox' }, limits: [], recent: [], levels: [], guarantees: [] }
          : new Refused({ code: 'not_found', message: `no agent ${agent}`, remedy: 'mezz ps' }),
      'agent.hold': ({ agent }) => ({ agent: { pid: 7, name: agent } }),
      accounts: () => ({ accounts: [account('team', 'company', 1e9), account('company', null, 1e9)] }),
      limits: () => ({ limits: [], windows: [] }),
      'limit.set': ({ cap }) => ({ limit: cap === null ? null : { ...LIMIT, cap } }),
      approve: () => new Refused({ code: 'over_budget', message: 'no money left', rule: 'account:a' }),
      can: ({ action }) => ({ decision: action, rules: ['r1'], message: 'because', remedy: null }),
      'audit.verify': () => ({ entries: 4, root: 'ab', problems: ['entry 3 is gone'] }),
      'policy.test': ({ text }) => ({
        recorded: 9,
        tested: 7,
        untestable: { body: 2, agent: 0 },
        more: false,
        changed:
          text === 'bad'
            ? [
                {
                  call: 'c1',
                  agent: 7,
                  action: 'tool.call',
                  target: 'x/y',
                  before: 'permit',
                  after: 'ask',
                  rule: 'r',
                },
              ]
            : [],
      }),
      'policy.check': ({ text }) => ({
        findings: [{ id: 'f1', level: text === 'bad' ? 'fail' : 'ok', text: 'a finding', remedy: null }],
      }),
    });
  });
  after(() => kernel.close());
  const asked = (verb: string) => kernel.asked.findLast((one) => one.verb === verb)?.request;

  test('agent hold switches on by default, off when told, and knows no third state', async () => {
    for (const [words, on, said] of [
      [[], true, /^fox: answers are held until/],
      [['on'], true, /^fox: answers are held until/],
      [['off'], false, /^fox: answers pass as they come/],
    ] as const) {
      const { out } = await runHere(kernel.stateDir, 'agent', 'hold', 'fox', ...words);
      assert.match(out, said);
      assert.deepEqual(asked('agent.hold'), { agent: 'fox', on });
    }
    assert.equal((await runHere(kernel.stateDir, 'agent', 'hold', 'fox', 'maybe')).code, 2);
  });
  test('all load, and define what the registry names', async () => {
    const session = { control: {}, terminal: {}, exit: 0 } as never;
    for (const entry of COMMANDS) {
      const program = new Command().enablePositionalOptions();
      (await entry.load()).define(program, session);
      assert.ok(
        program.commands.some((command) => command.name() === entry.name),
        entry.name,
      );
    }
  });
  test('the help of each ends with examples of that very command', async () => {
    for (const { name } of COMMANDS) {
      const { code, out } = await runHere(kernel.stateDir, name, '--help');
      assert.equal(code, 0, name);
      const examples = out.split('examples:\n')[1]?.trim().split('\n') ?? [];
      assert.ok(examples.length > 0, name);
      for (const line of examples) assert.match(line, new RegExp(`\\bmezz ${name}\\b`), name);
    }
  });
  test('ps --json prints the answer and nothing else', async () => {
    const { code, out, err } = await runHere(kernel.stateDir, 'ps', '--json');
    assert.deepEqual([code, JSON.parse(out), err], [0, { schema: 'mezz.ps/1', agents: [] }, '']);
  });
  test('a refusal gives its exit code, rule and remedy', async () => {
    const found = await runHere(kernel.stateDir, 'agent', 'show', 'x');
    assert.deepEqual([found.code, found.out], [3, '']);
    assert.match(found.err, /no agent x\nNext: mezz ps/);
    const json = await runHere(kernel.stateDir, 'approve', 'a1', '--json');
    assert.equal(json.code, 6);
    assert.equal(JSON.parse(json.out).error.rule, 'account:a');
    assert.match(json.err, /no money left \[account:a\]/);
  });
  test('no kernel is exit 7', async () => {
    const { code, err } = await runHere(join(kernel.stateDir, 'none'), 'status');
    assert.equal(code, 7);
    assert.match(err, /Next: mezz up/);
  });
  test('logs --kernel reads the log file, the rotated one first, and needs no kernel', async () => {
    const stateDir = mkdtempSync(join(kernel.stateDir, 'log-'));
    const at = '2026-11-25T10:00:00.000Z';
    const line = (level: string, event: string, more = {}) =>
      `${JSON.stringify({ at, level, event, ...more })}\n`;
    assert.equal((await runHere(stateDir, 'logs', '--kernel')).code, 3);
    writeFileSync(join(stateDir, 'kernel.log.1'), line('info', 'kernel.started', { origin: 'http://x' }));
    writeFileSync(
      join(stateDir, 'kernel.log'),
      `${line('warn', 'backend.limited', { backend: 'a\u001b[31m' })}Error: boom\n`,
    );
    const { code, out } = await runHere(stateDir, 'logs', '--kernel');
    assert.equal(code, 0);
    const lines = out.trim().split('\n');
    assert.match(lines[0] ?? '', /info {3}kernel\.started origin=http:\/\/x$/);
    assert.match(lines[1] ?? '', /warn {3}backend\.limited backend=a\[31m$/);
    assert.equal(lines[2], 'Error: boom');
    const json = await runHere(stateDir, 'logs', '--kernel', '--json', '-n', '2');
    assert.equal(JSON.parse(json.out.split('\n')[0] ?? '').event, 'backend.limited');
    const since = await runHere(stateDir, 'logs', '--kernel', '--since', '2026-11-25T10:00:01Z');
    assert.equal(since.out, '');
  });
  test('what is wrong with the words of a command leads to its own help, however deep it is', async () => {
    for (const words of [['nice'], ['limit', 'set']]) {
      const { code, err } = await runHere(kernel.stateDir, ...words);
      assert.equal(code, 2);
      assert.match(err, new RegExp(`Next: mezz ${words.join(' ')} --help\\n`));
    }
  });
  test('an unknown command or option is exit 2 and says what was meant', async () => {
    const command = await runHere(kernel.stateDir, 'ls', '-q');
    assert.equal(command.code, 2);
    assert.match(command.err, /did you mean: mezz ps -q/);
    assert.equal((await runHere(kernel.stateDir, 'ps', '--jso')).code, 2);
  });
  test('a budget goes to the pid behind a name', async () => {
    const { out } = await runHere(kernel.stateDir, 'budget', 'fox', '2.50usd', '--strict');
    assert.deepEqual(asked('limit.set'), {
      scope: 'agent:7',
      dimension: 'usd',
      period: 'total',
      cap: 2.5e9,
      strict: true,
    });
    assert.match(out, /fox may spend \$2\.50/);
    await runHere(kernel.stateDir, 'budget', 'fox', 'none');
    assert.equal(asked('limit.set')?.cap, null);
  });
  test('a limit counts in the unit of what it limits', async () => {
    await runHere(kernel.stateDir, 'limit', 'set', 'account:a', '2M', '--of', 'tokens', '--per', 'day');
    assert.deepEqual(asked('limit.set'), {
      scope: 'account:a',
      dimension: 'tokens',
      period: 'day',
      cap: 2e6,
    });
    assert.equal((await runHere(kernel.stateDir, 'limit', 'set', 'a', '1')).code, 2);
    await runHere(kernel.stateDir, 'limit', 'account:client:anthropic:ab', '80%', '--per', '5h');
    assert.deepEqual(asked('limit.set'), {
      scope: 'account:client:anthropic:ab',
      dimension: 'share',
      period: '5h',
      cap: 80,
    });
    assert.equal((await runHere(kernel.stateDir, 'limit', 'account:a', '1', '--per', '3h')).code, 2);
    await runHere(kernel.stateDir, 'limit', 'account:a');
    assert.deepEqual(asked('limits'), { scope: 'account:a' });
  });
  test('accounts are a tree; the schema of mezz.yaml needs no kernel', async () => {
    const { out } = await runHere(kernel.stateDir, 'account');
    assert.match(out, /^ACCOUNT.*\ncompany .*alice.*\n└ team .*\$1\.00.*7d 40 %\n/s);
    const schema = await runHere(join(kernel.stateDir, 'none'), 'config', 'schema');
    assert.deepEqual([schema.code, JSON.parse(schema.out).type], [0, 'object']);
  });
  test('can, policy check and audit verify answer by exit code too', async () => {
    const exit = async (...argv: string[]) => (await runHere(kernel.stateDir, ...argv)).code;
    assert.equal(await exit('can', 'fox', 'permit', 'x'), 0);
    assert.equal(await exit('can', 'fox', 'forbid', 'x'), 4);
    assert.equal(await exit('policy', 'explain', 'fox', 'ask', 'x'), 5);
    assert.equal(await exit('audit', 'verify'), 1);
    writeFileSync(join(kernel.stateDir, 'p.cedar'), 'bad');
    assert.equal(await exit('policy', 'check', 'p.cedar'), 1);
    assert.equal(await exit('policy', 'check', 'gone.cedar'), 2);
    assert.equal(await exit('policy', 'test', 'p.cedar', '--agent', 'fox'), 1);
    assert.deepEqual(asked('policy.test'), { text: 'bad', agent: 'fox' });
    writeFileSync(join(kernel.stateDir, 'q.cedar'), 'good');
    const { code, err } = await runHere(kernel.stateDir, 'policy', 'test', 'q.cedar');
    assert.equal(code, 0);
    assert.match(err, /7 of 9 recorded calls tested, 0 would be decided differently\n2 are not testable/);
  });
  test('completion offers commands, words and options', async () => {
    const complete = async (...words: string[]) =>
      (await runHere(kernel.stateDir, '__complete', ...words)).out.trim().split('\n');
    assert.deepEqual(await complete('app'), ['approve']);
    assert.deepEqual(await complete('limit', ''), ['ls', 'set']);
    assert.ok((await complete('run', '--b')).includes('--budget'));
    // Agents: those that live, and those whose worktree is still there.
    assert.deepEqual(await complete('discard', ''), ['calm', 'fix']);
    assert.equal((await runHere(kernel.stateDir, 'completion', 'tcsh')).code, 2);
    for (const shell of ['bash', 'zsh', 'fish'])
      assert.match((await runHere(kernel.stateDir, 'completion', shell)).out, /mezz __complete/);
  });
});

describe('tables', () => {
  const columns = [
    { head: 'N', cell: (row: string[]) => row[0] ?? '', right: true },
    { head: 'TEXT', cell: (row: string[]) => row[1] ?? '' },
    { head: 'LAST', cell: (row: string[]) => row[2] ?? '' },
  ];
  test('fit a narrow terminal by cutting the widest texts, never numbers; a pipe gets everything', () => {
    const rows = [['123456789', 'a'.repeat(50), 'b'.repeat(30)]];
    const lines = renderTable(columns, rows, undefined, 60);
    for (const line of lines) assert.ok(textWidth(line) <= 60, line);
    assert.match(lines[1] ?? '', /^123456789 {3}a+… {3}b+…$/);
    assert.match(renderTable(columns, rows)[1] ?? '', /a{50} {3}b{30}$/);
    const spare = [...columns, { head: 'MORE', cell: () => 'c'.repeat(20), right: true, spare: true }];
    assert.match(renderTable(spare, rows, undefined, 60)[0] ?? '', /MORE$/);
    assert.doesNotMatch(renderTable(spare, rows, undefined, 45)[0] ?? '', /MORE/);
    assert.match(renderTable(columns, rows, undefined, 5)[1] ?? '', /^123456789 {3}aaaaa… {3}bbbbb…$/);
  });
});

describe('words', () => {
  const names = COMMANDS.map((entry) => entry.name);
  test('did you mean: slips of the hand and words of other tools', () => {
    for (const [typed, meant] of [
      ['stauts', 'status'],
      ['inbx', 'inbox'],
      ['describe', 'agent show'],
      ['comp', 'completion'],
      ['unpuase', 'resume'],
    ] as const)
      assert.equal(suggestCommand(typed, names), meant, typed);
    assert.equal(suggestCommand('stop', names), 'down', 'the kernel');
    assert.equal(suggestCommand('stop', names, 1), 'kill', 'an agent');
    assert.equal(suggestCommand('xyzzyq', names), undefined);
    assert.equal(editDistance('ab', 'ba'), 1);
    assert.equal(editDistance('kitten', 'sitting'), 3);
  });
  test('amounts, counts and durations', () => {
    assert.deepEqual(['5usd', '$5', '0.50 usd'].map(parseMoney), [5e9, 5e9, 5e8]);
    assert.deepEqual(['500', '20k', '1.5M'].map(parseCount), [500, 20_000, 1_500_000]);
    assert.deepEqual(['90s', '2h'].map(parseDuration), [90_000, 7_200_000]);
    for (const bad of ['', '5eur', '-1']) assert.throws(() => parseMoney(bad));
  });
});

import assert from 'node:assert/strict';
import test from 'node:test';
import type { ApprovalView } from '../../base/control.ts';
import { textWidth } from '../table.ts';
import { frame } from './frame.ts';
import { type Press, press, START, type View } from './keys.ts';
import { fillShare, headLines, orderRows, type Row, type Sheet, SORTS } from './sheet.ts';

const NOW = 1_700_000_000_000;

function row(pid: number, more: Partial<Row> = {}): Row {
  return {
    pid,
    name: `agent-${pid}`,
    parent: null,
    owner: 'me',
    account: null,
    client: 'claude-code',
    state: 'ready',
    waitsFor: null,
    nice: 0,
    hosted: true,
    osPid: null,
    createdAt: NOW,
    lastAt: NOW,
    exitCode: null,
    calls: 1,
    turns: 1,
    usage: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 },
    cost: 0,
    coverage: { level: 'hooked', seen: 12, decided: 12 },
    worktree: null,
    recent: { requests: 0, tokens: 0, cost: 0 },
    context: null,
    plan: null,
    ...more,
  };
}

const shown = (one: Row | undefined) => one && { ...one, shown: one.name };

const question = (more: Partial<ApprovalView> = {}): ApprovalView => ({
  id: 'q1',
  agent: 2,
  agentName: 'agent-2',
  action: 'tool.call',
  target: 'Bash',
  args: { command: 'git push --force' },
  digest: '',
  rule: 'r',
  state: 'open',
  openedAt: NOW,
  expiresAt: NOW + 1000,
  ...more,
});

const sheet = (agents: Row[], more: Partial<Sheet> = {}): Sheet => ({
  schema: 'mezz.top/1',
  kernel: { version: '0.1.0', startedAt: NOW - 60_000, origin: 'http://127.0.0.1:1', pid: 1 },
  spanMs: 1_800_000,
  agents,
  approvals: [],
  windows: [],
  ...more,
});

/** Types one key after the other; the last act is what came of it. */
function type(view: View, of: Sheet, ...keys: (string | NonNullable<Press['name']>)[]) {
  const names = ['up', 'down', 'pageUp', 'pageDown', 'enter', 'escape', 'backspace'];
  let pressed: ReturnType<typeof press> = { view };
  for (const key of keys) {
    const one = names.includes(key) ? { text: '', name: key as NonNullable<Press['name']> } : { text: key };
    pressed = press(pressed.view, of, one, 80 * 23);
  }
  return pressed;
}

const MIXED = sheet([
  row(1, { state: 'running', recent: { requests: 1, tokens: 10, cost: 9 } }),
  row(2, { state: 'waiting-for-you', waitsFor: 'approval q1' }),
  row(3, { state: 'exited', recent: { requests: 1, tokens: 99, cost: 1 } }),
  row(4, {
    state: 'waiting',
    waitsFor: 'slot anthropic',
    context: { call: 'c', model: 'm', tokens: 50, cached: 10, window: 100 },
  }),
]);

test('who needs somebody stands first; every order holds every agent once', () => {
  const pids = (sort: (typeof SORTS)[number]) => orderRows(MIXED, sort).map(({ pid }) => pid);
  assert.deepEqual(pids('need'), [2, 4, 1, 3]);
  assert.deepEqual(pids('money'), [1, 3, 2, 4]);
  assert.deepEqual(pids('tokens'), [3, 1, 2, 4]);
  assert.deepEqual(pids('context'), [4, 1, 2, 3]);
  for (const sort of SORTS) assert.deepEqual(pids(sort).sort(), [1, 2, 3, 4]);
});

test('use per hour is scaled where the sheet covers less, and a plan that is over is not shown', () => {
  const window = {
    account: 'a',
    name: '5h',
    usedShare: 0.42,
    status: null,
    seenAt: NOW,
    fullAt: null,
    first: [],
  };
  const windows = [
    { ...window, resetsAt: NOW + 1000 },
    { ...window, name: '7d', resetsAt: NOW - 1 },
  ];
  const [, use] = headLines(
    sheet([row(1, { recent: { requests: 1, tokens: 500, cost: 2e9 } })], { windows }),
    NOW,
  );
  assert.match(use, /^per hour \$4\.00, 1\.0k tokens, plan 5h 42% until /);
  assert.doesNotMatch(use, /7d/);
  const filling = { ...window, resetsAt: NOW + 9000, fullAt: NOW + 5000, first: ['a', 'b'] };
  const [, soon] = headLines(sheet([], { windows: [filling] }), NOW);
  assert.match(soon, /plan 5h 42% until \S+ \(full at \S+, a, b would wait first\)$/);
  assert.equal(fillShare(MIXED.agents[3] as Row), 0.5);
  assert.equal(fillShare(MIXED.agents[0] as Row), undefined);
});

test('no frame is wider or higher than its terminal, and the selected row is on it, whatever the size', () => {
  const many = sheet(
    Array.from({ length: 60 }, (_, at) => row(at + 1, { name: `名前-${'long-name-'.repeat(at % 5)}${at}` })),
    { approvals: [question({ args: { command: `echo ${'x'.repeat(300)}\u001b[2J` } })] },
  );
  for (const columns of [20, 44, 80, 200])
    for (const rows of [3, 9, 23])
      for (const keys of [[], ['down', 'pageDown', 'pageDown'], ['down', 'a'], ['n', '-', '5'], ['?']])
        for (const trouble of ['', 'no kernel']) {
          const { view } = type(START, many, ...keys);
          const lines = frame(view, many, trouble, NOW, { columns, rows });
          const where = `${columns}x${rows} ${keys.join(' ')}`;
          assert.equal(lines.length, rows, where);
          for (const { text } of lines) assert.ok(textWidth(text) <= columns, `${where}: ${text}`);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: an agent's words must not steer the terminal
          assert.doesNotMatch(lines.map(({ text }) => text).join(''), /[\u0000-\u001f]/);
          if (view.mode.kind === 'list' && rows > 4)
            assert.equal(lines.filter(({ style }) => style === 'selected').length, 1, where);
        }
});

test('at 80 columns every column is there', () => {
  const [head] = frame(START, MIXED, '', NOW, { columns: 80, rows: 23 }).filter(({ text }) =>
    /PID/.test(text),
  );
  assert.match(head?.text ?? '', /PID +NAME +STATE +WAITS FOR +\$\/H +TOK\/H +CTX +COVERAGE +PLAN +NICE/);
});

test('nothing is ended or admitted without a yes to a question that names it', () => {
  const asked = sheet(MIXED.agents, { approvals: [question()] });
  for (const [key, text] of [
    ['k', /End agent-2 \(pid 2\)/],
    ['a', /Permit once: tool\.call Bash \{"command":"git push --force"\}/],
  ] as const) {
    const first = type(START, asked, key);
    assert.equal(first.act, undefined);
    const shown = frame(first.view, asked, '', NOW, { columns: 80, rows: 23 });
    assert.match(shown.map((line) => line.text).join(''), text);
    for (const no of ['n', 'enter', 'escape', 'q', ' ']) {
      const { act, view } = type(first.view, asked, no);
      assert.deepEqual([act, view.mode.kind, view.message], [undefined, 'list', 'nothing was done']);
    }
  }
  assert.deepEqual(type(START, asked, 'k', 'y').act, {
    kind: 'signal',
    row: shown(MIXED.agents[1]),
    signal: 'kill',
  });
  assert.deepEqual(type(START, asked, 'a', 'Y').act, { kind: 'approve', approval: 'q1' });
  assert.deepEqual(type(START, asked, 'd').act, { kind: 'deny', approval: 'q1' });
  assert.match(type(START, asked, 'down', 'a').view.message, /asks nothing/);
  const long = sheet(MIXED.agents, { approvals: [question({ args: { text: 'x'.repeat(2000) } })] });
  const unread = type(START, long, 'a', 'y');
  assert.deepEqual([unread.act, unread.view.mode.kind], [undefined, 'list']);
});

test('the agent that was chosen stays chosen when the order changes under it', () => {
  const { view } = type(START, MIXED, 'down');
  assert.equal(view.selected, 4);
  const later = sheet(
    MIXED.agents.map((one) => (one.pid === 1 ? { ...one, state: 'waiting-for-you' } : one)),
  );
  assert.deepEqual(type(view, later, 'p').act, {
    kind: 'signal',
    row: shown(later.agents[3]),
    signal: 'pause',
  });
  const gone = sheet(MIXED.agents.filter(({ pid }) => pid !== 4));
  assert.equal(type(view, gone, 'p').act?.kind, 'signal');
});

test('keys: pause or resume by its state, a nice value within its bounds, and a way out of everything', () => {
  const paused = sheet([row(1, { state: 'paused' })]);
  assert.deepEqual(type(START, paused, 'p').act, {
    kind: 'signal',
    row: shown(paused.agents[0]),
    signal: 'resume',
  });
  const nice = (...keys: string[]) => type(START, paused, 'n', ...keys, 'enter');
  assert.deepEqual(nice('-', '5').act, { kind: 'nice', row: shown(paused.agents[0]), nice: -5 });
  assert.deepEqual(nice('1', '9', '9', 'backspace').act, {
    kind: 'nice',
    row: shown(paused.agents[0]),
    nice: 19,
  });
  for (const wrong of [['2', '0'], ['-'], []]) {
    assert.equal(nice(...wrong).act, undefined);
    assert.match(nice(...wrong).view.message, /is not a nice value/);
  }
  assert.equal(type(START, paused, 'n', 'escape').view.message, 'nothing was done');
  assert.equal(type(START, paused, 'q').act?.kind, 'quit');
  for (const before of [[], ['k'], ['n'], ['?']])
    assert.equal(type(START, paused, ...before, '\u0003').act?.kind, 'quit', before.join());
  assert.match(type(START, paused, 'x').view.message, /no key "x"/);
  assert.equal(type(START, sheet([]), 'k').act, undefined);
});

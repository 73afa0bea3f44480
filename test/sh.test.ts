/** The shell of examples/sh as a person has it: `mezz sh` against a real kernel, its calls as the kernel recorded them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Prices } from '../src/budget/prices.ts';
import { MEZZ } from '../src/cli/fixture.test.ts';
import { PROVIDER_MODELS } from '../src/cli/found/model.ts';
import { readConfig } from '../src/config/read.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { noTerminal, openShell, PROMPT } from './typing.ts';

const SOURCES = new URL('../examples/sh/', import.meta.url);

describe('mezz sh', () => {
  let kernel: TestKernel;
  before(async () => {
    kernel = await startKernel(() => ({ text: 'Scripted.' }), 'ask: { hold: 1m }');
  });
  after(() => kernel.close());

  /** Runs it in the kernel's directory; `typed` comes from a pipe. */
  async function sh(words: readonly string[], typed = '', env: Record<string, string> = {}) {
    const [node = '', ...mezz] = MEZZ;
    const child = spawn(node, [...mezz, 'sh', ...words], {
      cwd: kernel.stateDir,
      env: { ...process.env, MEZZ_HOME: kernel.stateDir, ...env },
    });
    const text = { out: '', err: '' };
    child.stdout.on('data', (chunk) => {
      text.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      text.err += chunk;
    });
    child.stdin.end(typed);
    const [code] = await once(child, 'close');
    return { code: code as number, ...text };
  }
  /** Lets the lab use a tool, and gives what was said, the agent, and its calls in order. */
  async function use(name: string, tool: string, input: object) {
    const said = await sh([
      '--model',
      'lab',
      '--name',
      name,
      '-c',
      `@lab call ${tool} ${JSON.stringify(input)}`,
    ]);
    const { agents } = await kernel.control.call('ps', { all: true });
    const agent = agents.find((one) => one.name === name);
    const { calls } = await kernel.control.call('calls', { agent: String(agent?.pid) });
    return { ...said, agent, calls: calls.toSorted((a, b) => a.arrivedAt - b.arrivedAt) };
  }
  /** The question that an agent's call waits for, once it does. */
  async function questionOf(name: string) {
    for (;;) {
      const { approvals } = await kernel.control.call('inbox', {});
      const asked = approvals.find(({ agentName }) => agentName === name);
      if (asked) return asked;
      await sleep(20);
    }
  }
  const path = (name: string) => join(kernel.stateDir, name);

  test('asks the gate before each of its tools, with the exact arguments, and tells how each ended', async () => {
    writeFileSync(path('there.txt'), 'what is in it');
    for (const [tool, input, state, saw] of [
      ['read', { path: './there.txt' }, 'done', /what is in it/],
      ['write', { path: 'new.txt', text: 'abc' }, 'done', /written: 3 characters/],
      ['run', { command: 'echo $((6 * 7)); env' }, 'done', /42/],
      ['remember', { note: 'likes\ntea' }, 'done', /kept as the last line of .*sh-notes\.txt/],
      ['read', { path: 'gone.txt' }, 'failed', /Failed: ENOENT/],
      ['run', { command: 'exit 3' }, 'failed', /Failed: exit 3/],
    ] as const) {
      const { code, out, agent, calls } = await use(`${tool}-${state}`, tool, input);
      assert.equal(code, 0);
      assert.match(out, saw);
      assert.deepEqual(
        calls.map((call) => [call.kind, call.target, call.state]),
        [
          ['model.generate', 'lab', 'done'],
          ['tool.call', `mezz-sh/${tool}`, state],
          ['model.generate', 'lab', 'done'],
        ],
      );
      assert.deepEqual(agent?.coverage, { level: 'hooked', seen: 1, decided: 1 });
      const { entries } = await kernel.control.call('trace', { call: calls[1]?.id ?? '' });
      assert.deepEqual(
        entries.map(({ kind }) => kind),
        ['call.start', 'call.end'],
      );
    }
    assert.equal(readFileSync(path('new.txt'), 'utf8'), 'abc');
    assert.equal(readFileSync(path('sh-notes.txt'), 'utf8'), 'likes tea\n');
  });

  test('what needs a person waits for one: denied it is not done and the model is told, approved it is done', async () => {
    const command = 'touch made; echo git push --force';
    for (const [verb, made] of [
      ['deny', false],
      ['approve', true],
    ] as const) {
      const asked = use(`asks-to-${verb}`, 'run', { command });
      const { id } = await questionOf(`asks-to-${verb}`);
      assert.equal(existsSync(path('made')), false);
      await kernel.control.call(verb, { approval: id });
      const { code, out, calls } = await asked;
      assert.equal(code, 0);
      assert.match(out, made ? /git push --force/ : /Refused, and not done: mezz: /);
      assert.equal(existsSync(path('made')), made);
      assert.deepEqual([calls.length, calls[1]?.state], [3, made ? 'done' : 'refused']);
    }
  });

  test('a path is asked about as it is, wherever the shell stands', async () => {
    const asked = use('climber', 'write', { path: '../x/.local/state/mezz/y', text: '' });
    const { id, args } = await questionOf('climber');
    assert.match(String(args.path), /^\/.*\/x\/\.local\/state\/mezz\/y$/);
    await kernel.control.call('deny', { approval: id });
    assert.equal((await asked).code, 0);
  });

  test('a sub-agent is an agent of its own below its parent, and its answer is the result', async () => {
    const task = '@lab call run {"command":"echo deep"}';
    const { code, out, agent } = await use('above', 'spawn', { task });
    assert.equal(code, 0);
    assert.match(out, /The tool answered: deep/);
    const { agents } = await kernel.control.call('ps', { all: true });
    const child = agents.find(({ parent }) => parent === agent?.pid);
    assert.deepEqual([child?.client, child?.calls, child?.coverage.decided], ['mezz-sh', 3, 1]);
  });

  test('speaks with backends of every dialect, streamed', async () => {
    for (const model of ['via-messages', 'via-chat', 'via-responses']) {
      const { code, out, err } = await sh(['--model', model, '-c', 'hello']);
      assert.deepEqual([code, out, err], [0, 'Scripted.\n', '']);
      assert.equal(kernel.upstream.requests.at(-1)?.json.stream, true);
    }
  });

  test('remembers a note in the next session', async () => {
    await use('keeper', 'remember', { note: 'the door is blue' });
    await sh(['--model', 'via-chat', '-c', 'hello']);
    assert.match(JSON.stringify(kernel.upstream.requests.at(-1)?.json.messages), /the door is blue/);
  });

  test('answers a pipe, prints JSON, and ends with the exit code of what went wrong', async () => {
    const piped = await sh(['--model', 'via-chat'], 'hello');
    assert.deepEqual([piped.code, piped.out], [0, 'Scripted.\n']);
    const json = await sh(['--model', 'via-chat', '--json', '-c', 'hello']);
    assert.deepEqual(JSON.parse(json.out), { schema: 'mezz.sh/1', model: 'via-chat', answer: 'Scripted.' });
    assert.equal((await sh([], ' \n')).code, 2);
    for (const [model, exit, code] of [
      ['nobody-serves-it', 3, 'model_unknown'],
      ['gpt-without-a-price', 0, ''],
      ['o1', 4, 'no_credential'],
    ] as const) {
      const said = await sh(['--model', model, '--json', '-c', 'x']);
      assert.equal(said.code, exit, said.err);
      if (exit !== 0) assert.equal(JSON.parse(said.out).error.code, code);
    }
  });

  test('a write on what a peer has changed since it was read is refused, and says who did', {
    skip: noTerminal,
  }, async () => {
    const shared = path('shared.txt');
    writeFileSync(shared, 'old');
    const shell = openShell({ MEZZ_HOME: kernel.stateDir });
    try {
      shell.size(40, 300);
      await shell.begin(MEZZ);
      await shell.say('mezz sh --model lab --name slow', '\\n> ');
      await shell.say(`@lab call read {"path":"${shared}"}`, 'answered: old\r\n> ');
      assert.equal((await use('quick', 'write', { path: shared, text: 'new' })).code, 0);
      const write = `@lab call write {"path":"${shared}","text":"lost"}`;
      assert.match(await shell.say(write, 'answered: [^>]*\n> '), /refused: mezz: .*quick/);
      assert.equal(readFileSync(shared, 'utf8'), 'new');
    } finally {
      shell.close();
    }
  });

  test('in a terminal: Ctrl-C stops the answer and not the shell, a pasted block is one question, Ctrl-D leaves', {
    skip: noTerminal,
  }, async () => {
    const shell = openShell({ MEZZ_HOME: kernel.stateDir });
    try {
      shell.size(40, 100);
      await shell.begin(MEZZ);
      assert.match(await shell.say('mezz sh --model lab --name typist', 'leaves\\.\r\n> '), /lab answers/);
      await shell.say('@lab say 2000', '\\[lab\\] \\w+');
      shell.press('\u0003');
      await shell.see('stopped\r\n> ');
      shell.press('half a line\u0003');
      await shell.see('\\^C\r\n> ');
      await shell.say('first line\rsecond line', '\\[lab\\] [^>]*\n> ');
      assert.match(await shell.say('/help', 'leaves\\.\r\n> '), /\/model <name>/);
      const { agents } = await kernel.control.call('ps', {});
      const typist = agents.find(({ name }) => name === 'typist');
      assert.deepEqual([typist?.state, typist?.calls], ['waiting-for-you', 2]);
      shell.press('\u0004');
      await shell.see(PROMPT);
      await shell.say('echo "got $?"', `got 0\r\n${PROMPT}`);
    } finally {
      shell.close();
    }
  });
});

test('the models that stand for a key are served without configuration, and have a price', () => {
  const { config } = readConfig('mezz.yaml', '', '/', '/home/user');
  for (const model of Object.values(PROVIDER_MODELS)) {
    assert.notEqual(new Prices([]).priceOf(model), undefined, model);
    const serves = (pattern: string) => pattern.endsWith('*') && model.startsWith(pattern.slice(0, -1));
    assert.ok(
      config?.models.some(({ pattern }) => serves(pattern)),
      model,
    );
  }
});

describe('its source', () => {
  const files = readdirSync(SOURCES);
  const texts = files.map((name) => readFileSync(new URL(name, SOURCES), 'utf8'));
  test('is under 400 lines, and knows nothing of mezz but an address', () => {
    const lines = texts.reduce((sum, text) => sum + text.trimEnd().split('\n').length, 0);
    assert.ok(lines < 400, `${lines} lines`);
    for (const text of texts)
      for (const [, from = ''] of text.matchAll(/from '([^']+)'/g))
        assert.match(from, /^(node:|\.\/[a-z]+\.ts$)/);
  });
});

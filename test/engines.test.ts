/** Engines that are here already: found by what they answer, put in force when asked, and then really serving. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { runHere } from '../src/cli/fixture.test.ts';
import { backendFor } from '../src/cli/found/adopt.ts';
import { findEngines, inspectEngine } from '../src/cli/found/engines.ts';
import { send, startKernel } from './kernel.ts';
import { type EngineName, type FakeEngine, startEngine } from './upstream/engines.ts';

const NAMES: readonly EngineName[] = ['ollama', 'lm-studio', 'llama-server', 'vllm', 'other'];

describe('engines', () => {
  const engines = new Map<EngineName, FakeEngine>();
  const portOf = (name: EngineName) => engines.get(name)?.port ?? 0;
  before(async () => {
    for (const name of NAMES) engines.set(name, await startEngine(name));
  });
  after(async () => {
    for (const engine of engines.values()) await engine.close();
  });
  const windowsOf = async (name: EngineName) => {
    const engine = await inspectEngine(portOf(name));
    return [
      engine?.kind,
      engine?.slots,
      engine?.models.map(({ name: model, window, assumed, most }) => [model, window, assumed, most]),
    ];
  };

  test('are told by what they answer, on any port, with what each model is served with', async () => {
    assert.deepEqual(await windowsOf('ollama'), [
      'ollama',
      1,
      [
        ['qwen3:4b', 32_768, false, 262_144],
        ['set:1b', 8192, false, 262_144],
        ['fresh:1b', 4096, true, 262_144],
      ],
    ]);
    assert.deepEqual(await windowsOf('lm-studio'), [
      'lm-studio',
      4,
      [
        ['a/loaded', 8192, false, 131_072],
        ['b/on-disk', null, false, 32_768],
      ],
    ]);
    assert.deepEqual(await windowsOf('llama-server'), [
      'llama-server',
      2,
      [['tiny.gguf', 4096, false, 40_960]],
    ]);
    assert.deepEqual(await windowsOf('vllm'), ['vllm', 64, [['Qwen/Qwen3-8B', 40_960, false, null]]]);
    assert.deepEqual(await windowsOf('other'), ['other', 4, [['theirs', null, false, null]]]);
  });

  test('two of a kind have two names; what does not list models is none', async () => {
    const second = await startEngine('ollama');
    try {
      const found = await findEngines([portOf('ollama'), 1, second.port]);
      assert.deepEqual(
        found.map(({ name }) => name),
        ['ollama', `ollama-${second.port}`],
      );
    } finally {
      await second.close();
    }
  });

  test('are asked for their dialects without running a model', async () => {
    const dialects = async (name: EngineName) => {
      const engine = await inspectEngine(portOf(name));
      assert.ok(engine);
      return (await backendFor(engine)).dialects;
    };
    assert.deepEqual(await dialects('ollama'), ['openai-chat', 'openai-responses', 'anthropic']);
    assert.deepEqual(await dialects('lm-studio'), ['openai-chat', 'openai-responses']);
    assert.deepEqual(await dialects('llama-server'), ['openai-chat']);
    assert.deepEqual(await dialects('vllm'), ['openai-chat', 'openai-responses']);
    assert.deepEqual(
      [...engines.values()].flatMap(({ asked }) => asked),
      [],
    );
  });

  test('only one that says it orders by priority is told priorities', async () => {
    const hints = async (name: EngineName) => {
      const engine = await inspectEngine(portOf(name));
      assert.ok(engine);
      return (await backendFor(engine)).hints;
    };
    assert.deepEqual(await hints('vllm'), ['priority']);
    for (const name of NAMES) if (name !== 'vllm') assert.equal(await hints(name), undefined, name);
  });

  test('change nothing before they are added; then mezz.yaml keeps every comment, and they serve', async () => {
    const kernel = await startKernel(
      undefined,
      '# the house rules\nscheduling: { policy: fifo } # oldest first\n',
    );
    const file = join(kernel.stateDir, 'mezz.yaml');
    const text = readFileSync(file, 'utf8');
    const ports = NAMES.flatMap((name) => ['--port', String(portOf(name))]);
    const mezz = (...argv: string[]) => runHere(kernel.stateDir, 'backend', ...argv, ...ports);
    const ask = async (model: string) => {
      const { origin, token } = await kernel.agent(`asks-${model.replace(/\W/g, '-')}`);
      const body = { model, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] };
      return send(`${origin}/a/${token}/v1/messages`, JSON.stringify(body));
    };
    try {
      const found = await mezz('find');
      assert.match(found.out, /ollama +\d+ +fresh:1b +about 4\.1k +262\.1k +1 +G1 \(allows G2\)/);
      assert.equal((await mezz('add')).code, 2);
      assert.equal((await mezz('add', 'nothing-like-it')).code, 3);
      assert.equal((await ask('qwen3:4b')).status, 404);
      assert.equal(readFileSync(file, 'utf8'), text, 'looking changes nothing');

      const added = await mezz('add', 'ollama', 'llama-server');
      assert.deepEqual([added.code, added.err], [0, '']);
      assert.match(added.out, /added ollama, qwen3:4b, set:1b, fresh:1b; in force/);
      const changed = readFileSync(file, 'utf8');
      for (const line of text.split('\n').filter((one) => /^ {2}\S|^#|^scheduling/.test(one)))
        assert.ok(changed.includes(line.trim()), line);
      assert.doesNotMatch(changed, /lm-studio|vllm|theirs/);

      // Ollama speaks the client's dialect; llama-server, as it is here, only Chat: the request is translated.
      for (const [model, route] of [
        ['qwen3:4b', 'POST /v1/messages qwen3:4b'],
        ['tiny.gguf', 'POST /v1/chat/completions tiny.gguf'],
      ] as const) {
        const reply = await ask(model);
        assert.equal(reply.status, 200, reply.body.toString());
        assert.equal(JSON.parse(reply.body.toString()).content[0].text, 'from the engine');
        assert.ok(
          [...engines.values()].some(({ asked }) => asked.includes(route)),
          route,
        );
      }
      const { backends } = await kernel.control.call('backends', {});
      assert.deepEqual(
        backends
          .filter(({ id }) => id === 'llama-server')
          .map(({ slots, credential }) => [slots, credential]),
        [[2, 'local']],
      );
      const { models } = await kernel.control.call('models', {});
      assert.equal(models.find(({ name }) => name === 'tiny.gguf')?.window, 4096);
      assert.equal(models.find(({ name }) => name === 'fresh:1b')?.window, null, 'a guess is no setting');

      const again = await mezz('add', '--found', '--json');
      const answers = again.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      assert.deepEqual(answers[0].added, []);
      assert.deepEqual(answers.flatMap(({ added: names }) => names).includes('theirs'), true);
      assert.ok(answers.every(({ schema }) => schema === 'mezz.backend.add/1'));
    } finally {
      await kernel.close();
    }
  });

  test('leave a mezz.yaml with a mistake as it is, and make one where there is none', async () => {
    const kernel = await startKernel();
    const file = join(kernel.stateDir, 'mezz.yaml');
    try {
      const broken = `${readFileSync(file, 'utf8')}\nprot: 1\n`;
      writeFileSync(file, broken);
      const refused = await runHere(
        kernel.stateDir,
        'backend',
        'add',
        'vllm',
        '--port',
        String(portOf('vllm')),
      );
      assert.equal(refused.code, 1);
      assert.match(refused.out, /prot: there is no such setting/);
      assert.equal(readFileSync(file, 'utf8'), broken);
      writeFileSync(file, '');
      const made = await runHere(kernel.stateDir, 'backend', 'add', 'vllm', '--port', String(portOf('vllm')));
      assert.deepEqual([made.code, made.err], [0, '']);
      assert.match(readFileSync(file, 'utf8'), /vllm: \{ url: http:\/\/127\.0\.0\.1:\d+\/v1, dialects: \[/);
    } finally {
      await kernel.close();
    }
  });
});

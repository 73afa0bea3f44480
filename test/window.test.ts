/** An agent whose model cannot hold what it sends is not started: the numbers, and three ways out that can be typed. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { runHere, startMezz } from '../src/cli/fixture.test.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import { type EngineName, type FakeEngine, startEngine } from './upstream/engines.ts';

describe('the window check', () => {
  let kernel: TestKernel;
  const engines = new Map<EngineName, FakeEngine>();
  /** Programs that only say that they were started. */
  const program = (name: string) => join(kernel.stateDir, 'bin', name);
  const mark = () => join(kernel.stateDir, 'started');

  before(async () => {
    kernel = await startKernel();
    mkdirSync(join(kernel.stateDir, 'bin'));
    for (const name of ['claude', 'codex', 'anything']) {
      writeFileSync(program(name), `#!/bin/sh\necho "$@" >> '${mark()}'\n`);
      chmodSync(program(name), 0o755);
    }
    for (const name of ['ollama', 'lm-studio', 'llama-server', 'vllm'] as const) {
      const engine = await startEngine(name);
      engines.set(name, engine);
      const added = await runHere(kernel.stateDir, 'backend', 'add', name, '--port', String(engine.port));
      assert.equal(added.code, 0, added.err + added.out);
    }
  });
  after(async () => {
    for (const engine of engines.values()) await engine.close();
    await kernel.close();
  });

  const run = async (...argv: string[]) => {
    const { code, err } = await startMezz(kernel.stateDir, ['run', ...argv], { HOME: kernel.stateDir }).ended;
    return { code, err };
  };
  const refused = async (way: string, ...argv: string[]) => {
    const before = (await kernel.control.call('ps', { all: true })).agents.length;
    const { code, err } = await run(...argv);
    assert.equal(code, 6, err);
    assert.match(err, /sends about [\d,]+ tokens with its first request \(.+\), and needs 4,096 tokens more/);
    assert.ok(err.includes(way), err);
    assert.match(err, / {2}all the same {5}mezz run --anyway -- \S+/);
    assert.equal(
      (await kernel.control.call('ps', { all: true })).agents.length,
      before,
      'no agent was opened',
    );
    assert.equal(existsSync(mark()), false, 'nothing was started');
    return err;
  };

  test('refuses with the numbers, and with the line that is right for the engine', async () => {
    const claude = ['--', program('claude'), '-p', 'hi', '--model'];
    const told = await refused('OLLAMA_CONTEXT_LENGTH=32768 ollama serve', ...claude, 'fresh:1b');
    assert.match(told, /fresh:1b takes about 4,096 tokens; claude sends about 15,045 tokens/);
    assert.match(told, / {2}another model {4}--model Qwen\/Qwen3-8B, or --model qwen3:4b\n/);
    await refused('lms load a/loaded --context-length 32768', ...claude, 'a/loaded');
    await refused('llama-server -m /models/tiny.gguf -c 65536 -np 2', ...claude, 'tiny.gguf');
    const codex = ['--', program('codex'), 'exec', '-c', 'model="set:1b"'];
    assert.match(await refused('OLLAMA_CONTEXT_LENGTH=32768', ...codex), /codex sends about 14,450 tokens/);
  });

  test('starts what fits, what it knows nothing about, and what is started anyway', async () => {
    for (const argv of [
      ['--', program('claude'), '--model', 'qwen3:4b'],
      ['--', program('claude'), '--model', 'claude-sonnet-4-5'],
      ['--', program('claude'), '--model', 'b/on-disk'],
      ['--', program('claude'), '--', '--model', 'fresh:1b'],
      ['--', program('anything'), '--model', 'fresh:1b'],
      ['--anyway', '--', program('claude'), '--model', 'fresh:1b'],
    ]) {
      const { code, err } = await run(...argv);
      assert.equal(code, 0, `${argv.join(' ')}: ${err}`);
    }
    const { agents } = await kernel.control.call('ps', { all: true });
    // Beside them are those that tried the backends.
    assert.equal(agents.filter(({ name }) => !name.startsWith('trial')).length, 6);
  });

  test('knows better once it has seen that client here', async () => {
    const ask = (client: string) => kernel.control.call('window', { model: 'a/loaded', client });
    assert.equal((await ask('claude')).seen, null, 'agents that sent nothing say nothing');
    for (const text of ['one', 'two two', 'three three three']) {
      const request = { client: 'claude', cwd: '/', hooks: false, hosted: true };
      const [launch] = (await kernel.control.call('agent.open', request)).launches;
      const body = { model: 'claude-x', max_tokens: 9, messages: [{ role: 'user', content: text }] };
      await send(`${launch?.origin}/a/${launch?.token}/v1/messages`, JSON.stringify(body));
    }
    assert.deepEqual((await ask('claude')).seen, { tokens: 16, agents: 3 });
    assert.equal((await ask('codex')).seen, null);
    const { code, err } = await run('--', program('claude'), '--model', 'a/loaded');
    assert.deepEqual([code, err.includes('another model')], [0, false]);
  });
});

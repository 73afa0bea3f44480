/** Logins at remote tool servers, through the kernel: a person's way in, renewal, and where tokens may be. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { configText, send, startKernel, type TestKernel } from './kernel.ts';
import { finder, readTree } from './security/canary.ts';
import { Guarded, OWN_SECRET } from './upstream/guarded.ts';

const BIN = join(import.meta.dirname, '../bin/mezz.js');
const settingsOf = (url: string): string => `tools: ${JSON.stringify({ box: { url, trusted: true } })}`;

async function withGuarded(work: (guarded: Guarded, kernel: TestKernel) => Promise<void>): Promise<void> {
  const guarded = await new Guarded().open();
  const kernel = await startKernel(undefined, settingsOf(guarded.url));
  try {
    await work(guarded, kernel);
  } finally {
    await kernel.close();
    await guarded.close();
  }
}

/** A command; where it tells an address, a browser goes there. All it printed. */
async function mezz({ stateDir }: TestKernel, ...argv: string[]): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [BIN, ...argv], {
    env: { ...process.env, MEZZ_HOME: stateDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  for await (const line of createInterface(child.stderr)) {
    text += `${line}\n`;
    if (/^https?:/.test(line)) assert.match(await (await fetch(line)).text(), /mezz is (not )?logged in/);
  }
  const [code] = await ended;
  return { code: code as number, text };
}

const logIn = (kernel: TestKernel) => mezz(kernel, 'tool', 'login', 'box', '--no-browser', '--json');

async function caller(kernel: TestKernel) {
  const agent = await kernel.agent();
  let id = 0;
  return async (): Promise<string> => {
    id++;
    const params = { name: 'box__echo', arguments: { id } };
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
    return (await send(`${agent.origin}/a/${agent.token}/mcp`, body)).body.toString();
  };
}

const stateOf = async ({ control }: TestKernel) => (await control.call('tool.servers', {})).servers[0]?.login;

test('a tool server that wants a login says so in the tool error, ps and doctor, and works once a person has agreed', async () => {
  await withGuarded(async (guarded, kernel) => {
    const call = await caller(kernel);
    assert.match(await call(), /wants a login.*mezz tool login box/s);
    assert.equal(await stateOf(kernel), 'needed');
    assert.match((await mezz(kernel, 'tool', 'ps')).text, /not logged in: mezz tool login box +http:/);
    assert.match((await mezz(kernel, 'tool', 'logs', 'bx')).text, /there is no tool server "bx"/);
    const { findings } = await kernel.control.call('doctor', {});
    assert.equal(findings.find(({ id }) => id === 'login-box')?.remedy, 'mezz tool login box');

    const { code, text } = await logIn(kernel);
    assert.equal(code, 0, text);
    assert.match(text, /"state": ?"in"/);
    assert.match(await call(), /it was done/);
    assert.equal(await stateOf(kernel), 'in');

    // It stays over a restart, and ends with a logout.
    await kernel.restart();
    assert.match(await (await caller(kernel))(), /it was done/);
    assert.match((await mezz(kernel, 'tool', 'logout', 'box')).text, /logged out of box/);
    assert.match(await (await caller(kernel))(), /mezz tool login box/);
    assert.deepEqual(guarded.grants, ['authorization_code']);
  });
});

test('an answer to another login, and one that nobody asked for, give no token', async () => {
  await withGuarded(async (guarded, { control }) => {
    await control.call('tool.servers', {});
    const redirect = 'http://127.0.0.1:1/callback';
    await control.call('tool.login', { server: 'box', redirect });
    const answerAt = async (url: string): Promise<string> =>
      new URL((await fetch(url, { redirect: 'manual' })).headers.get('location') ?? '').search;
    const { url } = await control.call('tool.login', { server: 'box', redirect });
    const query = await answerAt(url);
    const forged = query.replace(/state=[^&]*/, 'state=another');
    await assert.rejects(control.call('tool.loggedin', { server: 'box', query: forged }), /no answer/);
    assert.equal((await control.call('tool.loggedin', { server: 'box', query })).login.state, 'in');
    await assert.rejects(control.call('tool.loggedin', { server: 'box', query }), /no answer/);
    assert.deepEqual(guarded.grants, ['authorization_code']);
  });
});

test('an expired token is renewed once for all calls that meet it, each of which is made once', async () => {
  await withGuarded(async (guarded, kernel) => {
    const call = await caller(kernel);
    await call();
    await logIn(kernel);
    await call();
    const before = guarded.calls.length;
    guarded.expire();
    const answers = await Promise.all(Array.from({ length: 10 }, call));
    for (const answer of answers) assert.match(answer, /it was done/);
    assert.equal(guarded.calls.length - before, 10);
    assert.deepEqual(guarded.grants, ['authorization_code', 'refresh_token']);

    // Without a refresh token that holds, a person must come.
    guarded.expire(true);
    assert.match(await call(), /takes the login no longer|wants a login/);
    assert.match((await stateOf(kernel)) ?? '', /expired|needed/);
    assert.equal(guarded.calls.length - before, 10);
  });
});

test('no token, code or client secret is anywhere but in its file and at its own server', async () => {
  const other = await new Guarded().open();
  try {
    await withGuarded(async (guarded, kernel) => {
      const told: string[] = [];
      const call = await caller(kernel);
      told.push(await call(), (await logIn(kernel)).text, await call());
      guarded.expire();
      // The server repeats the token in what its tool says.
      told.push(await call());
      assert.match(told.at(-1) ?? '', /you sent \*\*\* and it was done/);
      for (const verb of ['tool.servers', 'tools', 'config', 'doctor', 'inbox'] as const)
        told.push(JSON.stringify(await kernel.control.call(verb, {})));
      told.push((await mezz(kernel, 'tool', 'ps', '--json')).text);

      const path = join(kernel.stateDir, 'logins', 'box.json');
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.equal(statSync(join(kernel.stateDir, 'logins')).mode & 0o777, 0o700);
      assert.equal(guarded.secrets.length > 5, true);
      const found = finder(Object.fromEntries(guarded.secrets.map((secret) => [secret, secret])));
      assert.notDeepEqual(found(Buffer.from(readTree(join(kernel.stateDir, 'logins'))[0]?.bytes ?? '')), []);
      assert.deepEqual(
        told.flatMap((text) => found(Buffer.from(text))),
        [],
      );

      // The same name at another address: what was given for the first stays with it.
      await kernel.restart(async () =>
        writeFileSync(
          join(kernel.stateDir, 'mezz.yaml'),
          configText(kernel.upstream.origin, settingsOf(other.url)),
        ),
      );
      await (await caller(kernel))();
      assert.notEqual(other.heads.length, 0);
      assert.deepEqual(found(Buffer.from(JSON.stringify(other.heads))), []);

      await kernel.stop();
      const leaks = readTree(kernel.stateDir)
        .filter((file) => file.path !== path)
        .flatMap((file) => found(file.bytes).map((secret) => `${file.path}: ${secret}`));
      assert.deepEqual(leaks, []);
    });
  } finally {
    await other.close();
  }
});

/** A kernel whose client is trusted by itself, by the server that `issuer` says. */
async function withOwn(
  issuer: (guarded: Guarded) => string,
  work: (guarded: Guarded, kernel: TestKernel) => Promise<void>,
): Promise<void> {
  const guarded = await new Guarded().open();
  const auth = {
    ...{ clientId: 'mezz-prod', secret: { env: 'MEZZ_TEST_OWN_SECRET' } },
    ...{ grant: 'client_credentials', issuer: issuer(guarded) },
  };
  process.env.MEZZ_TEST_OWN_SECRET = OWN_SECRET;
  const kernel = await startKernel(
    undefined,
    `tools: ${JSON.stringify({ box: { url: guarded.url, auth } })}`,
  );
  try {
    await work(guarded, kernel);
  } finally {
    delete process.env.MEZZ_TEST_OWN_SECRET;
    await kernel.close();
    await guarded.close();
  }
}

test('a client that is trusted by itself needs no person, now or later', () =>
  withOwn(
    ({ origin }) => origin,
    async (guarded, kernel) => {
      const call = await caller(kernel);
      assert.match(await call(), /it was done/);
      guarded.expire(true);
      assert.match(await call(), /it was done/);
      assert.deepEqual(guarded.grants, ['client_credentials', 'client_credentials']);
      await assert.rejects(
        kernel.control.call('tool.login', { server: 'box', redirect: 'http://127.0.0.1:1/callback' }),
        /nobody logs in/,
      );
    },
  ));

test('the secret of a client goes to the authorization server that the settings name, and to no other', () =>
  withOwn(
    () => 'https://login.example',
    async (guarded, kernel) => {
      assert.match(await (await caller(kernel))(), /wants a login.*auth of tools.box/s);
      assert.deepEqual(guarded.asked, []);
    },
  ));

/**
 * `mezz doctor` and its trial of hooks, with a real kernel. What stands in for the clients here can do what real ones
 * must not: ask nobody, or act after a no. The real clients are tried in test/long/doctor.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import test, { after, afterEach, before, beforeEach, describe } from 'node:test';
import type { Finding } from '../src/base/control.ts';
import { startMezz } from '../src/cli/fixture.test.ts';
import { startKernel, type TestKernel } from './kernel.ts';

/** A client: asks its model, then (as `mode` says) its hook, then makes the call its model asked for. */
const CLIENT = `#!/usr/bin/env node
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
const [mode, args] = [process.env.PATH.split('/mode-')[1].split(':')[0], process.argv];
if (args.includes('--version')) { console.log('9.8.7 (A client)'); process.exit(0); }
writeFileSync(process.env.HOME + '/was-here', '');
if (mode === 'idle') { console.error('no model of that name'); process.exit(3); }
const post = (url, body) => fetch(url, { method: 'POST', body: JSON.stringify(body) }).then((reply) => reply.json());
const ask = (messages) => post(process.env.ANTHROPIC_BASE_URL + '/v1/messages', { messages, tools: [{ name: 'Bash' }] });
const [call] = (await ask([])).content;
const settings = JSON.parse(readFileSync(args[args.indexOf('--settings') + 1], 'utf8'));
const event = { hook_event_name: 'PreToolUse', tool_name: 'Bash', tool_input: call.input, tool_use_id: call.id };
const answer = mode === 'silent' ? {} : await post(settings.hooks.PreToolUse[0].hooks[0].url, event);
const refused = answer.hookSpecificOutput?.permissionDecision === 'deny';
if (!refused || mode === 'deaf') execSync(call.input.command);
const last = await ask([{ role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id }] }]);
if (last.content[0].type !== 'text') process.exit(4);
`;

describe('mezz doctor', () => {
  let kernel: TestKernel;
  let place: string;
  before(async () => {
    kernel = await startKernel();
  });
  after(() => kernel.close());
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'mezz-trial-'));
    for (const name of ['tmp', 'home']) mkdirSync(join(place, name));
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));

  async function doctor(mode: string | undefined, ...argv: string[]) {
    const bin = join(place, `mode-${mode}`);
    mkdirSync(bin, { recursive: true });
    if (mode !== undefined) {
      writeFileSync(join(bin, 'package.json'), '{"type":"module"}');
      writeFileSync(join(bin, 'claude'), CLIENT, { mode: 0o755 });
    }
    const path = [bin, dirname(process.execPath), '/usr/bin', '/bin']
      .filter((entry) => entry !== '')
      .join(delimiter);
    const env = {
      PATH: path,
      TMPDIR: join(place, 'tmp'),
      HOME: join(place, 'home'),
      XDG_CACHE_HOME: join(place, 'cache'),
    };
    const { code, out, err } = await startMezz(kernel.stateDir, ['doctor', '--json', ...argv], env).ended;
    const { findings } = JSON.parse(out) as { findings: Finding[] };
    return { code, err, hooks: findings.filter(({ id }) => id.startsWith('hook')) };
  }
  const levels = (hooks: readonly Finding[]) => hooks.map(({ id, level }) => `${level} ${id}`);

  for (const [mode, level, code, said] of [
    ['obedient', 'ok', 0, /^claude 9\.8\.7: a call that must be refused was refused before it happened$/],
    ['deaf', 'fail', 1, /was told no, and the call happened all the same/],
    ['silent', 'fail', 1, /a call happened and its hook never asked/],
    [
      'idle',
      'warn',
      0,
      /nothing is proven: it made no call \(0 requests to the model\): no model of that name/,
    ],
  ] as const)
    test(`tells a client whose hook is ${mode}, and leaves nothing behind`, async () => {
      const found = await doctor(mode);
      assert.deepEqual(
        [found.code, levels(found.hooks)],
        [code, [`${level} hook-claude`, 'note hook-codex']],
      );
      assert.match(found.hooks[0]?.text ?? '', said);
      assert.match(found.err, /claude is asked to do what the gate must refuse/);
      assert.deepEqual(
        ['tmp', 'home'].flatMap((name) => readdirSync(join(place, name))),
        [],
      );
      const { agents } = await kernel.control.call('ps', { all: true });
      assert.ok(agents.every(({ state }) => state === 'exited'));
      assert.deepEqual((await kernel.control.call('freeze', { agent: '1', thaw: true })).frozen, []);
      assert.equal(kernel.upstream.requests.length, 0, 'no model of the kernel was asked');
    });

  test('--no-trial starts no client, says so, and what was proven before', async () => {
    await doctor('obedient');
    const { code, hooks } = await doctor('deaf', '--no-trial');
    assert.deepEqual([code, levels(hooks)], [0, ['note hooks']]);
    assert.match(
      hooks[0]?.text ?? '',
      /hooks were not tried now; hooks of claude 9\.8\.7 proven on \d{4}-\d\d-\d\d$/,
    );
  });

  test('without a client there is nothing to prove, and no kernel is exit 7', async () => {
    assert.deepEqual(levels((await doctor(undefined)).hooks), ['note hook-claude', 'note hook-codex']);
    assert.equal((await startMezz(place, ['doctor'], { PATH: '/usr/bin' }).ended).code, 7);
  });
});

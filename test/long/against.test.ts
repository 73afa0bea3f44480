/**
 * The checklist's conditions on real products from outside: the open gateway that bench/gateway.ts compares with, pinned
 * and installed from the package registry, and mezz as a stranger would describe it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { freePort, installedPortkey } from '../../bench/lab/portkey.ts';
import { answersOf, check, describeMezz, NODE } from '../against/described.ts';

describe('mezz checklist --against, real products', { timeout: 300_000 }, () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'mezz-against-'));
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  test('Portkey: calls are passed on at once, and it offers nothing to order or pause them', async (t) => {
    const portkey = installedPortkey();
    if (!portkey) return t.skip('it cannot be installed');
    const port = await freePort();
    const answers = await answersOf(home, {
      name: `Portkey ${portkey.version}`,
      start: {
        run: [NODE, ...portkey.node, portkey.entry, '--headless', `--port=${port}`],
        env: { NODE_ENV: 'production' },
        ready: `http://127.0.0.1:${port}/`,
      },
      models: {
        url: `http://127.0.0.1:${port}/v1`,
        headers: {
          authorization: 'Bearer {agent}',
          'x-portkey-provider': 'openai',
          'x-portkey-custom-host': '{upstream}/v1',
        },
      },
    });
    assert.equal(answers.size, 22);
    for (const id of ['1a', '1b', '1c', '1d', '1e'])
      check(answers, id, 'no', /at once|passed on as they come/);
    for (const id of ['2a', '2b']) check(answers, id, 'cannot tell', /a model call, answered with 200/);
    for (const id of ['4a', '4b', '4c'])
      check(answers, id, 'cannot tell', /the call reached its agent unchanged/);
  });

  test('mezz, described as any product is: a second policy, why, nice, a pause through kill -9', async () => {
    const answers = await answersOf(home, describeMezz(await freePort()), '1', '2', '5');
    check(answers, '1a', 'yes', /the second agent waited \d+ ms/);
    check(answers, '1b', 'yes', /early, then late-but-dear; priority: late-but-dear, then early/);
    check(answers, '1c', 'yes', /busy-3/);
    check(answers, '1d', 'yes', /first, then second; .*: second, then first; .*: second, then first/);
    check(answers, '1e', 'cannot tell', /offers no way to set a policy of its operator/);
    check(answers, '2a', 'yes', /nothing reached the upstream until it was resumed/);
    check(answers, '2b', 'yes', /killed with kill -9: still paused.*byte for byte the same/);
    check(answers, '5b', 'yes', /orchestration layer/);
  });
});

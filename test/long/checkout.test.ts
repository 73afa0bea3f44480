/** `mezz demo clobber` with unmodified coding agents: two Claude Code and two Codex at once in one git checkout. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { VERSIONS } from '../../src/cli/demo/clients.ts';
import type { Refused, Story } from '../../src/cli/demo/plan.ts';
import { findClients } from '../agents/clients.ts';
import { defineEnclosed } from '../agents/suite.ts';

const BIN = new URL('../../bin/mezz.js', import.meta.url).pathname;

interface Told {
  readonly checkout: {
    readonly agents: readonly { readonly name: string; readonly client: string }[];
    readonly missing: readonly unknown[];
    readonly stories: readonly {
      readonly story: Story;
      readonly direct: { readonly done: number; readonly kept: number };
      readonly mezz: { readonly done: number; readonly kept: number };
    }[];
    readonly refused: { readonly direct: readonly Refused[]; readonly mezz: readonly Refused[] };
  };
}

async function demo(home: string): Promise<Told['checkout']> {
  const path = [...(findClients()?.path ?? []), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, 'demo', 'clobber', '--json'], {
    env: { PATH: path, HOME: home, MEZZ_HOME: join(home, 'state'), TMPDIR: home },
  });
  return (JSON.parse(stdout) as Told).checkout;
}

defineEnclosed('four real agents in one checkout', () => {
  test('mezz demo clobber: four unmodified agents in one checkout lose lines, changes and a server alone; with mezz nothing, and each that was refused was told by whom', async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'mezz-clobber-'));
    try {
      const { agents, missing, stories, refused } = await demo(home);
      const [claude, codex] = Object.values(VERSIONS);
      assert.deepEqual(
        agents.map(({ client }) => client),
        [...Array(2).fill(`Claude Code ${claude}`), ...Array(2).fill(`Codex ${codex}`)],
      );
      assert.deepEqual(missing, []);
      const of = (story: Story) => stories.find((one) => one.story === story);
      for (const { story, direct, mezz } of stories) {
        t.diagnostic(
          `${story}: alone ${direct.kept} of ${direct.done} kept, with mezz ${mezz.kept} of ${mezz.done}`,
        );
        assert.equal(mezz.kept, mezz.done, `${story}: nothing is lost with mezz`);
      }
      // Of commits at once git itself refuses some, as chance has it; of lines all but one are always lost.
      assert.deepEqual(of('lines')?.direct, { done: 4, kept: 1 });
      assert.deepEqual(of('reset')?.direct, { done: 1, kept: 0 });
      assert.deepEqual(of('servers')?.direct, { done: 2, kept: 1 });
      assert.equal(of('commits')?.mezz.done, 4, 'nor does git have to refuse one');
      const byMezz = refused.mezz.filter(({ by }) => by === 'mezz');
      for (const { told } of byMezz) assert.match(told, /(?:ann|bob|cem|dai) \(\d+\) with Bash/);
      const lines = byMezz.filter(({ act }) => act.startsWith('cat >'));
      assert.ok(new Set(lines.map(({ agent }) => agent)).size >= 3, 'all but the first to write were told');
      assert.ok(byMezz.some(({ agent, act }) => agent === 'bob' && act.startsWith('git reset')));
      assert.ok(byMezz.some(({ agent, told }) => agent === 'dai' && /A server listens on port/.test(told)));
      // What Claude Code sees to by itself, it does with mezz and without.
      for (const list of [refused.direct, refused.mezz])
        assert.deepEqual(
          list.filter(({ by }) => by === 'client').map(({ agent, act }) => [agent, act]),
          [['ann', 'write notes.txt']],
        );
      assert.deepEqual(
        readdirSync(home).filter((name) => name.startsWith('mezz-')),
        [],
        'nothing is left behind',
      );
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

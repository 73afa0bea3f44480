/**
 * `mezz doctor` with the real clients, in a network namespace that has loopback alone: each is made to do what the
 * gate must refuse. What is skipped is said with its reason.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../src/base/control.ts';
import { findProgram } from '../../src/cli/found/programs.ts';
import { findClients, VERSIONS } from '../agents/clients.ts';
import { fileNames } from '../agents/evidence.ts';
import { defineEnclosed } from '../agents/suite.ts';
import { openWorld, type World } from '../agents/world.ts';

const CLAUDE = `claude ${VERSIONS['@anthropic-ai/claude-code']}`;
const CODEX = `codex ${VERSIONS['@openai/codex']}`;

async function hooksOf(world: World, env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await world.mezz(['doctor', '--json'], env);
  assert.match(out, /^\{/, err);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  return { code, hooks: findings.filter(({ id }) => id.startsWith('hook')) };
}

/** A folder first on PATH in which `claude` drops two arguments: the first that is `option`, and its value. */
function wrapClaude(world: World, option: string): string {
  const path = findClients()?.path.join(':') ?? '';
  const real = findProgram('claude', path);
  const folder = join(world.folder, 'wrapped');
  mkdirSync(folder);
  const script = [
    '#!/bin/bash',
    'kept=()',
    `while [ $# -gt 0 ]; do if [ "$1" = ${option} ]; then shift 2; else kept+=("$1"); shift; fi; done`,
    `exec ${real} "\${kept[@]}"`,
    '',
  ];
  writeFileSync(join(folder, 'claude'), script.join('\n'), { mode: 0o755 });
  return [folder, path, '/usr/bin', '/bin'].join(':');
}

/** What is in the user's home and project, but for the code that mezz itself compiles and keeps. */
const homeFiles = ({ folder }: World): string[] =>
  fileNames(folder).filter((name) => /^(home|project)\//.test(name) && !name.startsWith('home/.cache/mezz/'));

async function inWorld(check: (world: World) => Promise<void>): Promise<void> {
  const world = await openWorld(() => () => ({ text: 'nobody asks this model' }));
  try {
    await world.up();
    await check(world);
    assert.equal(world.upstream.requests.length, 0, 'nothing was sent to a provider');
  } finally {
    await world.close();
  }
}

function defineTests(): void {
  test('the hooks of Claude Code and Codex are proven by a call that was refused, and nothing is left', () =>
    inWorld(async (world) => {
      const before = homeFiles(world);
      const { code, hooks } = await hooksOf(world);
      assert.deepEqual(
        hooks.map(({ level, text }) => [level, text.split(':')[0]]),
        [
          ['ok', CLAUDE],
          ['ok', CODEX],
        ],
      );
      assert.equal(code, 0);
      assert.deepEqual(homeFiles(world), before);
      const { calls } = await world.control.call('calls', {});
      assert.deepEqual(calls.map((call) => [call.target, call.state, call.code]).sort(), [
        ['claude-code/Bash', 'refused', 'frozen'],
        ['codex/Bash', 'refused', 'frozen'],
      ]);
      const untried = await world.mezz(['doctor', '--no-trial']);
      assert.match(untried.out, new RegExp(`hooks of ${CLAUDE} proven on .*hooks of ${CODEX} proven on`));
    }));

  test('a wrapper that drops the settings is found out: the call happens and nobody was asked', () =>
    inWorld(async (world) => {
      const { code, hooks } = await hooksOf(world, { PATH: wrapClaude(world, '--settings') });
      assert.equal(code, 1);
      assert.equal(hooks[0]?.level, 'fail');
      assert.match(hooks[0]?.text ?? '', new RegExp(`^${CLAUDE}: a call happened and its hook never asked`));
      assert.equal(hooks[1]?.level, 'ok');
    }));
}

defineEnclosed('hooks of unmodified clients', defineTests);

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { describeSurvey, nextSteps, surveyMachine } from './survey.ts';

/** Something that listens and answers every request with this body, or never. */
async function listen(body: string | undefined) {
  const server = createServer((_request, response) => {
    if (body !== undefined) response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}

test('what is here is found: programs on the PATH, keys by name, engines that list models', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-found-'));
  const engine = await listen(
    '{"object":"list","data":[{"id":"qwen3:4b"},{"id":"b"},{"id":"c"},{"id":"d"}]}',
  );
  const other = await listen('<html>');
  const silent = await listen(undefined);
  try {
    for (const [name, mode] of [
      ['claude', 0o755],
      ['codex', 0o644],
    ] as const) {
      writeFileSync(join(directory, name), '');
      chmodSync(join(directory, name), mode);
    }
    const ports = [engine, other, silent].map(({ port }) => port);
    const env = { PATH: directory, OPENAI_API_KEY: 'secret-value' };
    const found = await surveyMachine(env, [...ports, 1], []);
    assert.deepEqual(found, {
      agents: ['claude'],
      keys: ['OPENAI_API_KEY'],
      engines: [
        {
          name: `local-${engine.port}`,
          kind: 'other',
          port: engine.port,
          slots: 4,
          models: ['qwen3:4b', 'b', 'c', 'd'].map((name) => ({
            name,
            window: null,
            assumed: false,
            most: null,
          })),
        },
      ],
      served: [],
    });
    const said = [...describeSurvey(found), ...nextSteps(found, 'qwen3:4b')].join('\n');
    assert.match(said, /mezz run -- claude/);
    assert.doesNotMatch(said, /run -- codex|secret-value/);
    assert.match(said, /qwen3:4b, b, c and 1 more/);
    assert.ok(said.includes(`mezz backend add local-${engine.port}`));
    const used = await surveyMachine(env, ports, [`http://127.0.0.1:${engine.port}/v1`, 'lab:']);
    assert.deepEqual(used.served, [engine.port]);
    const later = [...describeSurvey(used), ...nextSteps(used, 'qwen3:4b')].join('\n');
    assert.match(later, /; in use\)/);
    assert.doesNotMatch(later, /mezz backend add/);
  } finally {
    for (const server of [engine, other, silent]) server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('where nothing is, it says what was looked for and what works all the same', () => {
  const nothing = { agents: [], keys: [], engines: [], served: [] };
  const said = [...describeSurvey(nothing), ...nextSteps(nothing, 'lab')].join('\n');
  assert.match(said, /none of claude, codex/);
  assert.match(said, /mezz sh .*with lab \(no model\)/);
});

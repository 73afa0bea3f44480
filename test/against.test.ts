/**
 * The checklist's conditions on products that are not mezz: a plain proxy, the official tool servers as they are; and on
 * mezz as a stranger would describe it, whose answers are the other way round.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { freePort } from '../bench/lab/portkey.ts';
import {
  type Answered,
  answersOf,
  check,
  checklist,
  describeMezz,
  installedServer,
  NODE,
  programOf,
} from './against/described.ts';

describe('mezz checklist --against', () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'mezz-against-'));
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  test('a plain proxy decides nothing, and the official memory server behind it loses writes', async () => {
    const port = await freePort();
    const answers = await answersOf(home, {
      name: 'a plain proxy',
      start: {
        run: [NODE, programOf('proxy'), '{upstream}', String(port)],
        ready: `http://127.0.0.1:${port}/`,
      },
      models: { url: `http://127.0.0.1:${port}/v1` },
      tools: {
        mcp: {
          run: [NODE, installedServer('server-memory')],
          env: { MEMORY_FILE_PATH: '{directory}/memory.jsonl' },
        },
        file: '{directory}/memory.jsonl',
        kept: '"entity {n}"',
        change: {
          tool: 'create_entities',
          input: { entities: [{ name: 'entity {n}', entityType: 'fact', observations: ['by {agent}'] }] },
        },
      },
      says: { pages: { it: { run: ['echo', 'It is a new operating system.'] } } },
    });
    assert.equal(answers.size, 22);
    check(answers, '1a', 'no', /the model had both at once/);
    check(answers, '1b', 'no', /passed on as they come/);
    check(
      answers,
      '2a',
      'cannot tell',
      /offers no way to pause an agent; tried: a model call, answered with 200/,
    );
    check(answers, '2d', 'cannot tell', /no experiment for it yet/);
    check(answers, '3a', 'no', /: 40 were answered as done, \d+ of them are in the file, [1-9]\d* are lost/);
    check(answers, '3b', 'cannot tell', /offers no tool that reads a file/);
    check(
      answers,
      '4b',
      'cannot tell',
      /the model asked for rm -rf \/, and the call reached its agent unchanged/,
    );
    check(answers, '5a', 'cannot tell', /offers no text that says it/);
    check(answers, '5c', 'no', /It is a new operating system\./);
  });

  test('the official filesystem server as it is: lost edits, and a stale write that nobody is told of', async () => {
    const file = '{directory}/shared.txt';
    const answers = await answersOf(home, {
      tools: {
        mcp: { run: [NODE, installedServer('server-filesystem'), '{directory}'] },
        file,
        begin: 'line {n}: old.',
        kept: 'line {n}: new.',
        change: {
          tool: 'edit_file',
          input: { path: file, edits: [{ oldText: 'line {n}: old.', newText: 'line {n}: new.' }] },
        },
        read: { tool: 'read_text_file', input: { path: file } },
        replace: { tool: 'write_file', input: { path: file, content: '{text}' } },
      },
    });
    check(answers, '1a', 'cannot tell', /offers no endpoint for model calls/);
    check(answers, '3a', 'no', /40 were answered as done, \d+ of them are in the file, [1-9]\d* are lost/);
    check(answers, '3b', 'no', /ann was answered as if nothing had happened, and what bob wrote is gone/);
    check(answers, '3c', 'no', /what a program past it wrote is gone/);
  });

  test('mezz, described as any product is, keeps what the tool server alone loses, and tells who is refused why', async () => {
    const answers = await answersOf(home, describeMezz(await freePort()), '3');
    check(answers, '3a', 'yes', /40 were answered as done, 40 of them are in the file, 0 are lost/);
    check(answers, '3b', 'yes', /changed by bob\S* \(\d+\) with write_file.*what bob wrote is still there/);
    check(answers, '3c', 'yes', /changed by somebody round mezz.*is still there/);
  });

  test('a mistake in a description is told with its place, and nothing is started', async () => {
    for (const [text, said] of [
      ['models: { url: 1 }', /models\.url: a text is expected/],
      ['models: { url: x, dialct: anthropic }', /models\.dialct: there is no such member/],
      ['[1', /product\.yaml: /],
    ] as const) {
      const file = join(home, 'product.yaml');
      writeFileSync(file, text);
      const { code, err } = await checklist(home, '--against', file);
      assert.equal(code, 2, err);
      assert.match(err, said);
      rmSync(file);
    }
    const { code, out } = await checklist(home, '1', '2', '--json', '--against', 'http://127.0.0.1:1');
    assert.equal(code, 0);
    for (const { verdict } of (JSON.parse(out) as { answers: Answered[] }).answers)
      assert.equal(verdict, 'cannot tell');
  });
});

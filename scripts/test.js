// Runs the tests. `npm test`: unit tests (one process), tests of test/ (a process each), then types and lint; at most
// ten minutes, no root, no network beyond loopback. `--long`: the suites of test/long, one by one, each under a budget.
// What was skipped is said aloud at the end; the last lines are a summary in the form node:test prints.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './check.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');
const KEPT = join(cache, 'test-summary.json');
const TEST_TIMEOUT_MS = 300_000;
/** Minutes a long suite may take; those not named here get the last number. */
const BUDGET_MINUTES = {
  'kill9.test.ts': 12,
  'kill9-tools.test.ts': 12,
  'agents.test.ts': 12,
  'cuts.test.ts': 10,
  'sdks.test.ts': 10,
  'conformance.test.ts': 12,
  other: 8,
};

/** Runs node --test over `files`; returns one record a test and whether the run as a whole passed. */
function runTests(name, files, more = [], timeoutMs = undefined) {
  console.log(`\n--- ${name}: ${files.length} files`);
  if (files.length === 0) return { tests: [], passed: true };
  mkdirSync(cache, { recursive: true });
  const tally = join(cache, `tally-${process.pid}.jsonl`);
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts', 'test-tally.js')}`,
    `--test-reporter-destination=${tally}`,
  ];
  const done = spawnSync(process.execPath, ['--test', ...more, ...reporters, ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const lines = existsSync(tally) ? readFileSync(tally, 'utf8').split('\n').filter(Boolean) : [];
  rmSync(tally, { force: true });
  if (done.error?.code === 'ETIMEDOUT') console.log(`${name}: stopped after ${timeoutMs / 60_000} minutes`);
  return { tests: lines.map((line) => JSON.parse(line)), passed: done.status === 0 };
}

function quick() {
  const isTest = (path) => !path.startsWith(join('test', 'long')) && !path.includes('node_modules');
  const find = (pattern) => globSync(pattern, { cwd: root }).filter(isTest).sort();
  const timeout = `--test-timeout=${TEST_TIMEOUT_MS}`;
  const unit = runTests('unit tests', find('src/**/*.test.ts'), [
    '--test-isolation=none',
    '--test-force-exit',
    timeout,
  ]);
  const whole = runTests('tests of the whole', find('test/**/*.test.ts'), ['--test-concurrency=2', timeout]);
  const failed = check();
  if (!unit.passed) failed.unshift('unit tests');
  if (!whole.passed) failed.unshift('tests of the whole');
  return { tests: [...unit.tests, ...whole.tests], failed };
}

function long() {
  const tests = [];
  const failed = [];
  for (const file of globSync('test/long/*.test.ts', { cwd: root }).sort()) {
    const name = relative(join('test', 'long'), file);
    const minutes = BUDGET_MINUTES[name] ?? BUDGET_MINUTES.other;
    const done = runTests(`long: ${name}`, [file], [], minutes * 60_000);
    tests.push(...done.tests);
    if (!done.passed) failed.push(name);
  }
  return { tests, failed };
}

/** The lines every reader of test output knows, preceded by what was skipped and what failed. */
function summarise(tests, failed, startedAt) {
  const skipped = tests.filter((test) => test.skip !== null);
  if (skipped.length > 0) console.log('\nskipped:');
  for (const test of skipped) {
    const why = test.skip && test.skip !== 'true' ? `: ${test.skip}` : '';
    console.log(`  ${relative(root, test.file ?? '')} > ${test.name}${why}`);
  }
  const broken = tests.filter((test) => !test.passed && !test.todo);
  if (broken.length > 0) console.log('\nfailing tests:');
  for (const test of broken) console.log(`  ${relative(root, test.file ?? '')} > ${test.name}`);
  if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`);
  const cancelled = broken.filter((test) => test.cancelled).length;
  const pass = tests.filter((test) => test.passed && test.skip === null && !test.todo).length;
  // A check that failed without a failing test (types, lint, a suite that died) counts as a failure too.
  const fail = Math.max(broken.length - cancelled, failed.length > 0 ? 1 : 0);
  console.log(
    `\nℹ tests ${tests.length}\nℹ suites 0\nℹ pass ${pass}\nℹ fail ${fail}\nℹ cancelled ${cancelled}`,
  );
  console.log(`ℹ skipped ${skipped.length}\nℹ todo ${tests.filter((test) => test.todo).length}`);
  console.log(`ℹ duration_ms ${Date.now() - startedAt}`);
}

const startedAt = Date.now();
if (process.argv.includes('--long')) {
  const done = long();
  // The summary of a whole run counts the quick part too, when it ran before.
  const before = existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : { tests: [], failed: [] };
  rmSync(KEPT, { force: true });
  summarise(
    [...before.tests, ...done.tests],
    [...before.failed, ...done.failed],
    before.startedAt ?? startedAt,
  );
  process.exitCode = done.failed.length === 0 ? 0 : 1;
} else {
  const done = quick();
  mkdirSync(cache, { recursive: true });
  writeFileSync(KEPT, JSON.stringify({ ...done, startedAt }));
  summarise(done.tests, done.failed, startedAt);
  process.exitCode = done.failed.length === 0 ? 0 : 1;
}

/**
 * One real browser, two agents: `@playwright/mcp` as it is published, with the system's Chromium, leased. It is installed
 * from the package registry into `.cache/`; no install script of it runs and no browser is downloaded.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../../src/base/control.ts';
import { isRecord, type JsonRecord, parseJson } from '../../src/base/json.ts';
import { isEnclosed, runEnclosed } from '../agents/enclosure.ts';
import { send, startKernel } from '../kernel.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const MANIFEST = join(ROOT, 'src/tools/manifests/playwright.json');
const INSTALL_TIMEOUT_MS = 300_000;
const LEASE_S = 2;
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const PACKAGE = (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { tested: string }).tested;
const [, NAME = '', VERSION = ''] = /^(.+)@([^@]+)$/.exec(PACKAGE) ?? [];
const FOLDER = join(ROOT, '.cache', `playwright-mcp-${VERSION}`);
const PROGRAM = join(FOLDER, 'node_modules', NAME, 'cli.js');

/** Installs it unless it is there; why it cannot, otherwise. */
function install(): string | undefined {
  if (existsSync(PROGRAM)) return undefined;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(
    join(FOLDER, 'package.json'),
    JSON.stringify({ private: true, dependencies: { [NAME]: VERSION } }),
  );
  const done = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  if (existsSync(PROGRAM)) return undefined;
  return `${PACKAGE} cannot be installed from the package registry: ${done.error?.message ?? done.stderr.slice(-300)}`;
}

function findBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  return BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) =>
    existsSync(path),
  );
}

/** What is missing is said aloud; outside the namespace that has loopback alone, the file starts itself again inside. */
function prepare(): string | undefined {
  if (isEnclosed()) return undefined;
  if (!findBrowser()) return `there is no ${BROWSERS.join(', ')} on this machine`;
  const why = install();
  if (why !== undefined) return why;
  const ran = runEnclosed();
  if ('missing' in ran) return ran.missing;
  process.exitCode = ran.status;
  return '';
}

const page = (text: string): string => `data:text/html,<title>${text}</title><h1>${text}</h1>`;

/** Looks until it holds; the test's own time limit ends it. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function withBrowser(): Promise<void> {
  const args = ['--headless', '--no-sandbox', '--isolated', '--executable-path', findBrowser() as string];
  const browser = { command: [process.execPath, PROGRAM, ...args], lease: `${LEASE_S}s` };
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ browser })}`);
  const { control } = kernel;
  const use = async (agent: Launch, tool: string, input: JsonRecord = {}): Promise<string> => {
    const params = { name: `browser__browser_${tool}`, arguments: input };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const reply = parseJson((await send(`${agent.origin}/a/${agent.token}/mcp`, body)).body.toString());
    return JSON.stringify(isRecord(reply) ? (reply.result ?? reply.error) : reply);
  };
  const instance = async () => (await control.call('tool.servers', {})).servers[0]?.instances[0];
  try {
    const [ann, bob, cem] = [await kernel.agent('ann'), await kernel.agent('bob'), await kernel.agent('cem')];
    const isAnns = new RegExp(`ann \\(${ann.pid}\\) has browser to itself`);
    // Nobody sees another's page: who asks meanwhile is told who has the browser.
    assert.match(await use(ann, 'navigate', { url: page('of ann') }), /of ann/);
    assert.match(await use(bob, 'navigate', { url: page('of bob') }), isAnns);
    assert.match(await use(bob, 'snapshot'), isAnns);
    assert.match(await use(ann, 'snapshot'), /of ann/);
    const first = await instance();
    assert.equal(first?.agent, ann.pid);
    // Its time: a lease that is not used ends, and the next one has a browser of its own.
    await until(async () => !isAnns.test(await use(bob, 'navigate', { url: page('of bob') })));
    assert.match(await use(bob, 'snapshot'), /of bob/);
    const second = await instance();
    assert.equal(second?.agent, bob.pid);
    assert.ok((second?.fence ?? 0) > (first?.fence ?? 0), 'its number grows');
    assert.notEqual(second?.osPid, first?.osPid);
    // A pause gives it up at once.
    await control.call('signal', { agent: 'bob', signal: 'pause' });
    const blank = await use(cem, 'snapshot');
    assert.doesNotMatch(blank, /of bob|of ann/, 'nothing of the others is in it');
    assert.match(await use(cem, 'navigate', { url: page('of cem') }), /of cem/);
    const third = await instance();
    assert.ok((third?.fence ?? 0) > (second?.fence ?? 0));
    // So does an exit.
    await control.call('agent.exited', { agent: 'cem', exitCode: 0, signal: null });
    assert.match(await use(ann, 'navigate', { url: page('of ann again') }), /of ann again/);
    assert.ok(((await instance())?.fence ?? 0) > (third?.fence ?? 0));
  } finally {
    await kernel.close();
  }
}

const why = prepare();
// Where it is empty, the tests have run inside.
if (why !== '')
  test(
    'one real browser, two agents: leased, with a number that grows, given up in time, by a pause and by an exit; none sees another’s page',
    {
      skip: why ?? false,
    },
    withBrowser,
  );

/**
 * How real MCP clients use the tools that mezz offers: unmodified Claude Code and Codex as `mezz run` starts them, and
 * the official Inspector with a key. The tool servers are the official ones for files and for a memory. All of it runs
 * in a network namespace that has loopback alone. What is skipped is said with its reason.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { JsonRecord } from '../../src/base/json.ts';
import { type Client, claude, codex, type Step, stepwise } from '../agents/cases.ts';
import { assertCovered, assertSound, assertWhole, inWorld, PROMPT } from '../agents/checks.ts';
import { installInspector } from '../agents/clients.ts';
import { isEnclosed } from '../agents/enclosure.ts';
import { fileNames, type Journaled, readCalls } from '../agents/evidence.ts';
import { defineEnclosed } from '../agents/suite.ts';
import { type Config, nativeConfig, type World } from '../agents/world.ts';

const installed = (name: string): string =>
  join(process.cwd(), `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`);

/** Not in the project, so that the client's own tools have no reason to touch it. */
const graphOf = (project: string): string => join(project, '..', 'graph.jsonl');

/** What `npx` may well take: a client that does not wait for the tools has asked the model without them by then. */
const SLOW_SECONDS = 3;

const withTools: Config = (origin, port, project) => {
  const env = { MEMORY_FILE_PATH: graphOf(project) };
  const tools = {
    memory: {
      command: [
        '/bin/sh',
        '-c',
        `sleep ${SLOW_SECONDS}; exec "$@"`,
        'sh',
        process.execPath,
        installed('memory'),
      ],
      env,
    },
    files: { command: [process.execPath, installed('filesystem'), project] },
  };
  return `${nativeConfig(origin, port, project)}\ntools: ${JSON.stringify(tools)}\n`;
};

/** In the memory before anybody runs: only the server can have said it. */
const KNOWN = { type: 'entity', name: 'harbour', entityType: 'place', observations: ['it freezes in March'] };
const LEARNED = { name: 'lighthouse', entityType: 'place', observations: ['it turns clockwise'] };

const remember = (project: string): void => writeFileSync(graphOf(project), `${JSON.stringify(KNOWN)}\n`);

interface Use {
  readonly server: 'memory' | 'files';
  readonly tool: string;
  readonly args: JsonRecord;
}

const usesIn = (project: string): readonly Use[] => [
  { server: 'memory', tool: 'create_entities', args: { entities: [LEARNED] } },
  { server: 'memory', tool: 'read_graph', args: {} },
  { server: 'files', tool: 'write_file', args: { path: join(project, 'log.txt'), content: 'all well' } },
];

/** A model calls what it is offered: found in what the client shows, and nothing is called where it is not there. */
const STEPS: Readonly<Record<Client['program'], (uses: readonly Use[]) => readonly Step[]>> = {
  // It names the tools of servers first, and sends their definitions once they were looked up.
  claude: (uses) => [
    [
      {
        name: /^ToolSearch$/,
        args: {
          query: `select:${uses.map(({ server, tool }) => `mcp__mezz__${server}__${tool}`).join(',')}`,
          max_results: uses.length,
        },
      },
    ],
    ...uses.map(({ server, tool, args }) => [{ name: new RegExp(`^mcp__mezz__${server}__${tool}$`), args }]),
  ],
  // Its programs call them like its own.
  codex: (uses) =>
    uses.map(({ server, tool, args }) => {
      const called = `tools.mcp__mezz__${server}__${tool}(${JSON.stringify(args)})`;
      return [{ name: /^exec$/, args: { input: `text((await ${called}).content[0].text);` } }];
    }),
};

/** What the client's own hook decided and what the broker did: the same call, seen from both sides. */
function assertBrokered(client: Client, calls: readonly Journaled[], uses: readonly Use[]): void {
  const tools = calls.filter((call) => call.kind === 'tool.call');
  const brokered = tools.filter((call) => String(call.start?.toolUseId).startsWith('mcp:'));
  assert.deepEqual(
    brokered.map((call) => [call.target, call.start?.backend, call.start?.rules]),
    uses.map(({ server, tool }) => [`${server}/${tool}`, server, ['own-tools']]),
  );
  const own = client === claude ? 'claude-code' : 'codex';
  const hooked = tools.filter((call) => !brokered.includes(call) && call.target.includes('mcp__'));
  assert.deepEqual(
    hooked.map((call) => call.target),
    uses.map(({ server, tool }) => `${own}/mcp__mezz__${server}__${tool}`),
  );
  assert.deepEqual(
    brokered.map((call) => call.start?.continues),
    hooked.map(({ id }) => id),
    'each is joined to the one that its hook asked about',
  );
}

/** The model call after the last one of `already` results, as the upstream got it. */
const requestWith = (world: World, client: Client, results: number): string => {
  const found = world.upstream.requests.find((request) => client.results(request) === results);
  assert.ok(found, `a request with ${results} results came`);
  return found.body.toString('utf8');
};

async function checkUses(client: Client): Promise<void> {
  const login = client.logins[0];
  const script = (project: string) => {
    remember(project);
    return stepwise(client, STEPS[client.program](usesIn(project)));
  };
  await inWorld(
    script,
    login,
    async (world) => {
      const done = await world.mezz(['run', '--', ...client.command(PROMPT, true)], login.env);
      assert.equal(done.code, 0, done.out + done.err);
      const uses = usesIn(world.project);
      assert.deepEqual(fileNames(world.project), ['log.txt']);
      assert.equal(readFileSync(join(world.project, 'log.txt'), 'utf8'), 'all well');
      assert.match(readFileSync(graphOf(world.project), 'utf8'), /"lighthouse".*it turns clockwise/);
      const calls = await readCalls(world.control);
      assertWhole(calls);
      assertBrokered(client, calls, uses);
      const { total } = await world.control.call('bill', { by: 'agent' });
      assert.equal(total.requests, calls.length - uses.length, 'and counted once');
      const before = STEPS[client.program](uses).length - uses.length;
      assert.doesNotMatch(requestWith(world, client, before + 1), /it freezes in March/);
      assert.match(requestWith(world, client, before + 2), /it freezes in March/);
      assert.match(requestWith(world, client, before + 3), /Successfully wrote to .*log\.txt/);
      await assertCovered(world);
      await assertSound(world);
    },
    withTools,
  );
}

const run = promisify(execFile);

/** One run of the Inspector's command line with a key; its result as JSON. Throws what it said where it failed. */
async function inspect(world: World, program: string, secret: string, args: readonly string[]) {
  const home = join(world.folder, 'inspector');
  mkdirSync(home, { recursive: true });
  const target = ['--transport', 'http', '--server-url', `${world.origin}/mcp`];
  const asked = ['--cli', ...target, '--header', `Authorization: Bearer ${secret}`, '--stored-auth-only'];
  const { stdout } = await run(process.execPath, [program, ...asked, '--format', 'json', ...args], {
    cwd: home,
    env: { HOME: home, PATH: String(process.env.PATH) },
  });
  return JSON.parse(stdout) as JsonRecord;
}

async function checkInspector(program: string, era: string): Promise<void> {
  const script = (project: string) => {
    remember(project);
    return stepwise(claude, []);
  };
  await inWorld(
    script,
    claude.logins[0],
    async (world) => {
      const { secret } = await world.control.call('key.create', { name: 'inspector' });
      const ask = (method: string, ...more: string[]) =>
        inspect(world, program, secret, ['--protocol-era', era, '--method', method, ...more]);
      const listed = JSON.stringify(await ask('tools/list'));
      for (const { server, tool } of usesIn(world.project))
        assert.ok(listed.includes(`"${server}__${tool}"`));
      const read = await ask('tools/call', '--tool-name', 'memory__read_graph');
      assert.match(JSON.stringify(read), /it freezes in March/);
      const calls = await readCalls(world.control);
      assertWhole(calls);
      assert.deepEqual(
        calls.map((call) => [call.kind, call.target]),
        [['tool.call', 'memory/read_graph']],
      );
      await assert.rejects(inspect(world, program, 'mezz_nobody', ['--method', 'tools/list']));
      await assertSound(world);
    },
    withTools,
  );
}

// Outside, where it can be installed; inside it is only found.
const inspector = installInspector();
if (!isEnclosed() && typeof inspector !== 'string') console.log(inspector.missing);

defineEnclosed('real MCP clients', () => {
  for (const client of [claude, codex])
    test(`${client.name} finds the tools of mezz.yaml and uses them: brokered, journaled, their effects on disk, their results before the model`, () =>
      checkUses(client));
  for (const era of ['legacy', 'modern'])
    test(`the MCP Inspector lists and calls tools with a key, in the ${era} era`, async (t) => {
      if (typeof inspector !== 'string') return t.skip(inspector.missing);
      await checkInspector(inspector, era);
    });
});

/**
 * Captures what the real clients send: `node scripts/with-node.js test/goldens/capture.ts` writes fixtures/requests/.
 * Claude Code and Codex run in a network namespace as the long suites run them, the SDKs beside them, all against the
 * scripted upstream: two parallel calls with an image and an error among their results, behind a sealed thought. Only
 * the last request is kept, which holds the whole conversation, without its login and without a word of anybody
 * else (redact.ts). The same clients give the same files.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NeutralDialect } from '../../src/base/model.ts';
import { translateRequest } from '../../src/wire/translate.ts';
import { type Client, claude, codex } from '../agents/cases.ts';
import { installClients, installOpencode, OPENCODE, VERSIONS } from '../agents/clients.ts';
import { isEnclosed, refuseNames, runEnclosed } from '../agents/enclosure.ts';
import { openWorld } from '../agents/world.ts';
import { startKernel } from '../kernel.ts';
import { install, runClient } from '../sdks/clients.ts';
import sdks from '../sdks/package.json' with { type: 'json' };
import type { Reply, SeenRequest } from '../upstream/upstream.ts';
import { Redaction } from './redact.ts';

const FOLDER = new URL('fixtures/requests/', import.meta.url).pathname;
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const [PROMPT, THOUGHT, TEXT, DONE] = [
  'Do the work.',
  'First I look.',
  'I look at both.',
  'All done.',
] as const;
const FAIL = 'echo two; exit 3';
const OURS = [
  PROMPT,
  THOUGHT,
  TEXT,
  DONE,
  PIXEL,
  FAIL,
  'echo one',
  'Run a command',
  '/folder/project/pixel.png',
  '{"a":2,"b":3}',
  'c2VhbGVkIGJ5',
  'call_',
];

const NAMES: readonly NeutralDialect[] = ['anthropic', 'openai-chat', 'openai-responses'];
const PATHS: Readonly<Record<string, NeutralDialect>> = {
  '/v1/messages': 'anthropic',
  '/v1/chat/completions': 'openai-chat',
  '/v1/responses': 'openai-responses',
};

function keep(file: string, client: string, { url, json }: SeenRequest, folder: string): void {
  const dialect = PATHS[url.split('?', 1)[0] as string] as NeutralDialect;
  const body = new Redaction(OURS, folder).body(json);
  const losses = NAMES.filter((name) => name !== dialect).map((backend) => {
    const made = translateRequest(Buffer.from(JSON.stringify(body)), dialect, backend, 'm', 0);
    return [backend, 'code' in made ? made.message : made.losses] as const;
  });
  const golden = {
    about: `The structure of what ${client} sent; all prose in it is ours.`,
    dialect,
    losses: Object.fromEntries(losses),
    body,
  };
  writeFileSync(join(FOLDER, `${file}.json`), `${JSON.stringify(golden, null, 1)}\n`);
  console.log(`${file}.json: ${client}, ${dialect}`);
}

/** Two calls at once, one that fails, the end. */
function steps(client: Client, project: string, request: SeenRequest): Reply {
  const picture = join(project, 'pixel.png');
  const look =
    client === claude
      ? { name: /^Read$/, args: { file_path: picture } }
      : {
          name: /^exec$/,
          args: { input: `image(await tools.view_image({ path: ${JSON.stringify(picture)} }));` },
        };
  switch (client.results(request)) {
    case 0:
      return { thought: THOUGHT, text: TEXT, tools: [client.shell('echo one'), look] };
    case 2:
      return { tools: [client.shell(FAIL)] };
    default:
      return { text: DONE };
  }
}

async function captureAgent(client: Client, version: string): Promise<void> {
  const login = client.logins[0];
  const world = await openWorld((project) => (request) => steps(client, project, request), login.files);
  try {
    writeFileSync(join(world.project, 'pixel.png'), Buffer.from(PIXEL, 'base64'));
    await world.up();
    const done = await world.mezz(['run', '--', ...client.command(PROMPT, true)], login.env);
    const last = world.upstream.requests.at(-1);
    if (done.code !== 0 || !last) throw new Error(`${client.name} ended with ${done.code}: ${done.err}`);
    keep(client.program, `${client.name} ${version}`, last, world.folder);
  } finally {
    await world.close();
  }
}

const OPENCODE_FILES = {
  anthropic: { file: 'opencode-anthropic', model: 'anthropic/claude-sonnet-4-5', of: claude },
  openai: { file: 'opencode-openai', model: 'openai/gpt-4o', of: codex },
} as const;

/** opencode has one set of tools with every provider. */
function opencodeSteps(of: Client, project: string, request: SeenRequest): Reply {
  const command = (text: string) => ({
    name: /^bash$/,
    args: { command: text, description: 'Run a command' },
  });
  const look = { name: /^read$/, args: { filePath: join(project, 'pixel.png') } };
  switch (of.results(request)) {
    case 0:
      return { thought: THOUGHT, text: TEXT, tools: [command('echo one'), look] };
    case 2:
      return { tools: [command(FAIL)] };
    default:
      return { text: DONE };
  }
}

async function captureOpencode(provider: keyof typeof OPENCODE_FILES, folder: string): Promise<void> {
  const { file, model, of } = OPENCODE_FILES[provider];
  const world = await openWorld((project) => (request) => opencodeSteps(of, project, request));
  try {
    writeFileSync(join(world.project, 'pixel.png'), Buffer.from(PIXEL, 'base64'));
    await world.up();
    const env = { ANTHROPIC_API_KEY: 'sk-ant-scripted', OPENAI_API_KEY: 'sk-scripted' };
    const path = [folder, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
    const command = ['run', '--', 'opencode', 'run', '-m', model, PROMPT];
    const done = await world.mezz(command, { ...env, PATH: path });
    // It also asks a small model for a title, without tools.
    const last = world.upstream.requests.findLast(
      ({ json }) => Array.isArray(json.tools) && json.tools.length > 0,
    );
    if (done.code !== 0 || !last) throw new Error(`opencode ended with ${done.code}: ${done.err}${done.out}`);
    keep(file, `opencode ${OPENCODE['opencode-ai']}`, last, world.folder);
  } finally {
    await world.close();
  }
}

const SDKS = [
  ['openai-chat', 'openai', 'gpt-4o'],
  ['openai-responses', 'openai', 'gpt-4o'],
  ['anthropic', '@anthropic-ai/sdk', 'claude-sonnet-4-5'],
  ['ai-sdk-openai', '@ai-sdk/openai', 'gpt-4o'],
  ['ai-sdk-anthropic', '@ai-sdk/anthropic', 'claude-sonnet-4-5'],
  ['openai-agents', '@openai/agents', 'gpt-4o'],
  ['langchain-openai', '@langchain/openai', 'gpt-4o'],
  ['langchain-anthropic', '@langchain/anthropic', 'claude-sonnet-4-5'],
] as const;

async function captureSdks(): Promise<void> {
  const call = { name: 'add', args: { a: 2, b: 3 } };
  const kernel = await startKernel((request) =>
    /"tool_result"|"function_call_output"|"role":\s*"tool"/.test(request.body.toString())
      ? { text: DONE }
      : { thought: THOUGHT, text: TEXT, tools: [call, call] },
  );
  try {
    for (const [script, name, model] of SDKS) {
      await runClient(`${script}.js`, await kernel.agent(script), [['tools', model]]);
      const last = kernel.upstream.requests.at(-1) as SeenRequest;
      keep(script, `${name} ${sdks.dependencies[name]}`, last, kernel.stateDir);
    }
  } finally {
    await kernel.close();
  }
}

if (isEnclosed()) {
  mkdirSync(FOLDER, { recursive: true });
  const names = await refuseNames();
  await captureAgent(claude, VERSIONS['@anthropic-ai/claude-code']);
  await captureAgent(codex, VERSIONS['@openai/codex']);
  const opencode = installOpencode();
  if (typeof opencode === 'string')
    for (const provider of ['anthropic', 'openai'] as const) await captureOpencode(provider, opencode);
  else console.error(opencode.missing);
  await captureSdks();
  await names.close();
} else {
  const clients = installClients();
  const why = 'missing' in clients ? clients.missing : install('js');
  installOpencode();
  const ran = why === undefined ? runEnclosed() : { missing: why };
  if ('missing' in ran) console.error(ran.missing);
  process.exitCode = 'status' in ran ? ran.status : 1;
}

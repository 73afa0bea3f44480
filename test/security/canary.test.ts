/**
 * Every credential that can exist is unique here, and goes through answers, refusals, errors that repeat it, broken
 * connections, a crash, exports and logs. Afterwards each is looked for in every byte that was stored, written or sent.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../../src/base/control.ts';
import { ControlClient } from '../../src/sdk/client.ts';
import { type Reply as Got, send } from '../kernel.ts';
import { type Script, type SeenRequest, startUpstream, type Upstream } from '../upstream/upstream.ts';
import { finder, readTree } from './canary.ts';

const BIN = new URL('../../bin/mezz.js', import.meta.url).pathname;
const MARK = 'a-mark-that-is-content-and-no-secret';
/** Client logins and kernel keys; mezz's own keys join when they are made. */
const SECRETS: Record<string, string> = {
  anthropicPlan: 'sk-ant-oat01-canary-plan-5f1c9b7e2a',
  anthropicKey: 'sk-ant-api03-canary-key-8d2e4c6f1b',
  openaiKey: 'sk-proj-canary-openai-3b7a9d1e5c',
  chatgptToken: 'eyJhbGciOi.canary-chatgpt-6c4f2e8a1d',
  chatgptAccount: 'canary-account-2e9b7d5f3a',
  googleKey: 'AIza-canary-google-7a3c5e9f1b',
  azureKey: 'canary-azure-4f8e2c6a1d9b',
  cookie: 'session=canary-cookie-9e1b3d7f5a',
  proxyLogin: 'canary-proxy-login-1d5f9b3e7c',
  kernelAnthropic: 'sk-ant-canary-kernel-env-6a2e8c4f1d',
  kernelOpenai: 'sk-canary-kernel-file-3f7b1d9e5c',
  strangerKey: `mezz_${'canary-stranger-'.repeat(3).slice(0, 43)}`,
};
type UpstreamName = 'anthropic' | 'openai' | 'chatgpt' | 'box';
/** Whose login may reach whom. */
const MAY: Readonly<Record<UpstreamName, readonly string[]>> = {
  anthropic: ['anthropicPlan', 'anthropicKey', 'kernelAnthropic'],
  openai: ['openaiKey', 'kernelOpenai'],
  chatgpt: ['chatgptToken', 'chatgptAccount'],
  box: [],
};
const NAMES = Object.keys(MAY) as UpstreamName[];

const root = mkdtempSync(join(tmpdir(), 'mezz-canary-'));
const stateDir = join(root, 'state');
const upstreams = new Map<UpstreamName, Upstream>();
const control = new ControlClient(stateDir);
const written: { readonly what: string; readonly bytes: Buffer }[] = [];
const answers: { readonly what: string; readonly reply: Got }[] = [];
let kernel: ChildProcess;
let origin = '';
let one: Launch;
let other: Launch;

/** Repeats all it was sent, like an upstream that explains too much. */
const echo = ({ rawHeaders, url }: SeenRequest) => ({
  status: 401,
  headers: { 'x-echo': rawHeaders.join(' '), 'set-cookie': rawHeaders.join('%20') },
  raw: {
    body: JSON.stringify({ error: { message: `no: ${url} ${rawHeaders.join(' ')}` } }),
    type: 'application/json',
  },
});
const behave: Script = (request) => {
  const model = String(request.json.model ?? '');
  if (model.endsWith('echo')) return echo(request);
  if (model.endsWith('cut')) return { text: 'Cut.', cut: 'mid_event' };
  if (model.endsWith('dead')) return { cut: 'before_headers' };
  if (model.endsWith('hang')) return { hold: new Promise(() => {}) };
  return { text: 'Fine.' };
};

before(async () => {
  mkdirSync(stateDir, { mode: 0o700 });
  for (const name of NAMES) upstreams.set(name, await startUpstream(behave));
  const url = (name: UpstreamName) => `${upstreams.get(name)?.origin}/v1`;
  const keyFile = join(root, 'openai.key');
  writeFileSync(keyFile, `${SECRETS.kernelOpenai}\n`, { mode: 0o600 });
  const price = 'price: { input: 1, output: 1 }';
  writeFileSync(
    join(stateDir, 'mezz.yaml'),
    `
backends:
  anthropic: { url: '${url('anthropic')}', key: { env: CANARY_KEY } }
  openai: { url: '${url('openai')}', key: { file: ${keyFile} } }
  chatgpt: { url: '${url('chatgpt')}' }
  box: { url: '${url('box')}', dialects: [openai-chat, anthropic], credential: local }
models:
  'claude-*': { backends: [anthropic], ${price} }
  'gpt-*': { backends: [chatgpt, openai], ${price} }
  'box-*': { backends: [box], price: free }
`,
    { mode: 0o600 },
  );
  await up();
  [one, other] = [await open('one'), await open('other')];
});
after(async () => {
  kernel.kill('SIGKILL');
  for (const upstream of upstreams.values()) await upstream.close();
  rmSync(root, { recursive: true, force: true });
});

const environment = () => ({
  PATH: process.env.PATH,
  HOME: root,
  MEZZ_HOME: stateDir,
  CANARY_KEY: SECRETS.kernelAnthropic,
});

async function up(): Promise<void> {
  kernel = spawn(
    process.execPath,
    [BIN, 'up', '--foreground', '--no-try', '--port', '0', '--log-level', 'debug'],
    {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [kernel.stdout, kernel.stderr])
    stream?.on('data', (bytes: Buffer) => written.push({ what: 'what the kernel says', bytes }));
  for (;;) {
    const status = await control.call('status', {}).catch(() => undefined);
    if (status?.pid === kernel.pid) {
      origin = status?.origin ?? '';
      return;
    }
    assert.equal(kernel.exitCode, null, Buffer.concat(written.map(({ bytes }) => bytes)).toString());
    await sleep(20);
  }
}

async function open(name: string): Promise<Launch> {
  const asked = { name, client: 'generic', cwd: '/', hooks: false };
  const launch = (await control.call('agent.open', asked)).launches[0] as Launch;
  SECRETS[`mezz key of ${name}`] = launch.token;
  return launch;
}

function mezz(...args: string[]): void {
  const done = spawnSync(process.execPath, [BIN, ...args], { env: environment() });
  assert.equal(done.status, 0, `mezz ${args.join(' ')}: ${done.stderr}`);
  written.push({ what: `mezz ${args.join(' ')}`, bytes: Buffer.concat([done.stdout, done.stderr]) });
}

type Headers = Record<string, string>;
const body = (model: string, stream = false) =>
  `{"model":"${model}","max_tokens":9,"stream":${stream},"messages":[{"role":"user","content":"${MARK} ${answers.length}"}]}`;

async function ask(
  what: string,
  path: string,
  model: string,
  headers: Headers,
  sent = body(model),
): Promise<Got> {
  const reply = await send(`${origin}${path}`, sent, headers);
  answers.push({ what, reply });
  return reply;
}

const bearer = (secret: string | undefined) => ({ authorization: `Bearer ${secret}` });
const S = (name: string): string => SECRETS[name] as string;
/** Logins as clients bring them, and where each belongs. */
const LOGINS: readonly [name: string, model: string, headers: () => Headers, path?: string][] = [
  ['a Claude plan', 'claude', () => bearer(S('anthropicPlan'))],
  ['an Anthropic key', 'claude', () => ({ 'x-api-key': S('anthropicKey') })],
  ['an OpenAI key', 'gpt', () => bearer(S('openaiKey')), '/v1/chat/completions'],
  [
    'a ChatGPT plan',
    'gpt',
    () => ({ ...bearer(S('chatgptToken')), 'chatgpt-account-id': S('chatgptAccount') }),
    '/backend-api/codex/responses',
  ],
  ['nothing: the key in the environment', 'claude', () => ({})],
  ['nothing: the key in a file', 'gpt', () => ({}), '/v1/chat/completions'],
  ['a login that belongs nowhere', 'box', () => bearer(S('anthropicPlan'))],
];
/** What else such a request may carry, and must lose. */
const BALLAST = (): Headers => ({
  'x-goog-api-key': S('googleKey'),
  'api-key': S('azureKey'),
  cookie: S('cookie'),
  'proxy-authorization': `Basic ${Buffer.from(S('proxyLogin')).toString('base64')}`,
});

test('logins reach their provider alone, whatever comes back', async () => {
  for (const [what, model, login, path = '/v1/messages'] of LOGINS)
    for (const end of ['', '-echo', '-cut', '-dead'])
      for (const stream of [false, true]) {
        const name = `${model}-x${end}`;
        const headers = { ...login(), ...BALLAST() };
        const sent = path.endsWith('responses')
          ? `{"model":"${name}","stream":${stream},"input":"${MARK} ${answers.length}"}`
          : body(name, stream);
        const { status } = await ask(`${what}, ${name}`, `/a/${one.token}${path}`, name, headers, sent);
        if (end === '') assert.equal(status, 200, what);
      }
  const found = (name: UpstreamName) =>
    new Set(upstreams.get(name)?.requests.flatMap((seen) => findIn(seen)));
  for (const name of NAMES) assert.deepEqual([...found(name)].sort(), [...MAY[name]].sort(), name);
});

test('keys of mezz stay with mezz, wherever a client puts them', async () => {
  const key = one.token;
  const places: readonly [what: string, path: string, headers: Headers][] = [
    ['x-mezz-key', '/v1/messages', { 'x-mezz-key': key }],
    ['Authorization', '/v1/messages', bearer(key)],
    ['x-api-key', '/v1/messages', { 'x-api-key': key }],
    [
      'every header at once',
      `/a/${key}/v1/messages`,
      { ...bearer(key), 'x-api-key': key, 'x-mezz-key': key },
    ],
    ['another agent’s beside its own', `/a/${key}/v1/messages`, bearer(other.token)],
    [
      'Basic',
      `/a/${key}/v1/messages`,
      { authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` },
    ],
    [
      'headers that are none of its places',
      `/a/${key}/v1/messages`,
      { referer: `${origin}/a/${key}/v1`, 'x-goog-api-key': key },
    ],
    ['a cookie', `/a/${key}/v1/messages`, { cookie: `key=${key}` }],
    [
      'beside a login',
      `/a/${key}/v1/messages`,
      { ...bearer(S('anthropicPlan')), 'x-api-key': key, 'x-other': key },
    ],
    [
      'Basic beside a login',
      `/a/${key}/v1/messages`,
      {
        'x-api-key': S('anthropicKey'),
        authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}`,
      },
    ],
  ];
  for (const [what, path, headers] of places) {
    assert.equal((await ask(what, path, 'claude-x', headers)).status, 200, what);
    await ask(`${what}, repeated by the upstream`, path, 'claude-echo', headers);
  }
  const query = await ask('the query', `/a/${key}/v1/messages?key=${key}`, 'claude-x', {});
  assert.equal(query.status, 400);
  const hidden = encodeURIComponent(key).replaceAll('m', '%6d');
  assert.equal(
    (await ask('the query, encoded', `/a/${key}/v1/messages?key=${hidden}`, 'claude-x', {})).status,
    400,
  );
});

test('refusals repeat no secret to anybody but its owner', async () => {
  const stranger = S('strangerKey');
  const wrong: readonly [what: string, path: string, headers: Headers, status: number][] = [
    ['an unknown key', '/v1/messages', { 'x-mezz-key': stranger }, 401],
    ['an unknown key in the path', `/a/${stranger}/v1/messages`, {}, 401],
    ['no key but a login', '/v1/messages', bearer(S('anthropicPlan')), 401],
    ['an unknown route', `/v1/${stranger}`, { 'x-mezz-key': one.token }, 404],
    ['an encoded path', `/a/${encodeURIComponent(stranger).replaceAll('_', '%5f')}/v1/messages`, {}, 404],
    ['a foreign Host', '/v1/messages', { host: stranger, 'x-mezz-key': one.token }, 421],
  ];
  for (const [what, path, headers, status] of wrong)
    assert.equal((await ask(what, path, 'claude-x', headers)).status, status, what);
  await ask('an unknown model', '/v1/messages', 'nobody', { 'x-mezz-key': one.token, ...BALLAST() });
  await ask('no JSON', '/v1/messages', '', { 'x-mezz-key': one.token, ...BALLAST() }, '{');
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1' });
  socket.write(`${stranger} / HTTP\r\nx-api-key: ${S('anthropicKey')}\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
});

test('a crash in the middle of a call keeps no secret either', async () => {
  const upstream = upstreams.get('anthropic') as Upstream;
  const seen = upstream.requests.length;
  const left = ask('a call that a crash ends', `/a/${one.token}/v1/messages`, 'claude-hang', {
    ...bearer(S('anthropicPlan')),
    ...BALLAST(),
  }).catch(() => undefined);
  await upstream.seen(seen + 1);
  kernel.kill('SIGKILL');
  await left;
  // What the crash left: rows, the write-ahead log, whatever else lies there.
  searchState();
  await up();
  const { calls } = await control.call('calls', { state: 'in_doubt' });
  assert.equal(calls.length, 1);
});

test('nothing that is stored, written, exported or backed up holds a secret', async () => {
  const exported = join(root, 'export');
  const copy = join(root, 'copy.db');
  const { calls } = await control.call('calls', {});
  const [call] = calls;
  for (const args of [
    ['export', exported],
    ['backup', copy],
    ['doctor', '--json'],
    ['config', '--json'],
    ['status'],
    ['ps', '--json'],
    ['logs', '--json'],
    ['trace', String(call?.id)],
    ['agent', 'show', 'one', '--json'],
    ['key', 'ls', '--json'],
    ['backend', '--json'],
    ['bill', '--json'],
    ['limit', '--json'],
    ['account', '--json'],
  ])
    mezz(...args);
  searchState();
  kernel.kill('SIGTERM');
  await once(kernel, 'exit');
  searchState();
  const find = finder(SECRETS);
  const kept = [
    ...readTree(exported),
    { path: copy, bytes: readTree(root).find(({ path }) => path === copy)?.bytes as Buffer },
  ];
  for (const { path, bytes } of kept) assert.deepEqual(find(bytes), [], path);
  for (const { what, bytes } of written) assert.deepEqual(find(bytes), [], what);
  // The search finds what is there: content is kept as content.
  const isMarked = ({ bytes }: { readonly bytes: Buffer }) => finder({ MARK })(bytes).length > 0;
  assert.ok(readTree(stateDir).some(isMarked));
  assert.ok(kept.some(isMarked));
});

test('what is sent goes to the right side only', () => {
  for (const name of NAMES)
    for (const seen of upstreams.get(name)?.requests ?? []) {
      const wrong = findIn(seen).filter((secret) => !MAY[name].includes(secret));
      assert.deepEqual(wrong, [], `${name} got ${seen.url} ${seen.rawHeaders.join(' ')}`);
    }
  // A client may be told what it sent itself; a key of mezz's for a provider, or another agent's, it never sees.
  const find = finder({
    kernelAnthropic: S('kernelAnthropic'),
    kernelOpenai: S('kernelOpenai'),
    other: other.token,
  });
  for (const { what, reply } of answers) {
    const bytes = Buffer.concat([Buffer.from(JSON.stringify(reply.headers)), reply.body]);
    assert.deepEqual(find(bytes), [], `${what}: ${bytes}`);
  }
});

function findIn({ url, rawHeaders, body: received }: SeenRequest): string[] {
  return finder(SECRETS)(Buffer.concat([Buffer.from(`${url}\n${rawHeaders.join('\n')}\n`), received]));
}

function searchState(): void {
  const find = finder(SECRETS);
  for (const { path, bytes } of readTree(stateDir)) assert.deepEqual(find(bytes), [], path);
}

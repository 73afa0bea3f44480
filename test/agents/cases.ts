/** What each client is started with, what its logins look like, and how a model asks it for a shell call, an edit and a sub-agent. */
import { isRecord, type JsonRecord, parseJson } from '../../src/base/json.ts';
import type { Reply, Script, SeenRequest, ToolCall } from '../upstream/upstream.ts';

/** One answer of the model: the tools it calls. After the last one it says that it is done. */
export type Step = readonly ToolCall[];

export interface Login {
  readonly name: 'key' | 'subscription';
  readonly env: Readonly<Record<string, string>>;
  /** Files in the client's home, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** The headers that must arrive at the upstream as the client sent them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

export interface Client {
  readonly name: string;
  readonly program: 'claude' | 'codex';
  /** A key first. */
  readonly logins: readonly [Login, ...Login[]];
  /** `skip`: with the client's own flag that switches its permissions off. */
  command(prompt: string, skip: boolean): readonly string[];
  shell(command: string): ToolCall;
  /** Changes the text of a file that the model has seen. */
  edit(path: string, from: string, to: string): readonly Step[];
  create(path: string, text: string): ToolCall;
  /** Starts a sub-agent and waits for it. */
  readonly delegate: readonly Step[];
  /** The client's own tools as the journal names them. */
  readonly targets: {
    readonly shell: string;
    readonly edit: readonly string[];
    readonly create: string;
    readonly delegate: readonly string[];
  };
  /** The state of a tool call that it ran and that failed: Codex tells the end of a command, not its exit code. */
  readonly afterFailure: 'failed' | 'done';
  /** How often it tries a model call whose refusal says that trying again is no use. */
  readonly triesRefused: number;
  /** The client's ids of its tool calls: those of the wire, and those it gives to calls inside a program. */
  readonly toolUseId: RegExp;
  /** 0 for the agent itself, 1 for its sub-agent, 2 for the sub-agent's own. */
  depth(request: SeenRequest): number;
  /** How many results of tool calls the request carries. */
  results(request: SeenRequest): number;
}

const listOf = (value: unknown): readonly JsonRecord[] =>
  Array.isArray(value) ? value.filter((item) => isRecord(item)) : [];

const ANTHROPIC_KEY = 'sk-ant-api03-scripted-0123456789abcdef';
const ANTHROPIC_PLAN = 'sk-ant-oat01-scripted-0123456789abcdef';

/** Claude Code skips its permissions as root, which everybody is in a user namespace, only where it is told of a sandbox. */
const AS_ROOT = { IS_SANDBOX: '1' };

export const claude: Client = {
  name: 'Claude Code',
  program: 'claude',
  logins: [
    {
      name: 'key',
      env: { ANTHROPIC_API_KEY: ANTHROPIC_KEY, ...AS_ROOT },
      files: {},
      headers: { 'x-api-key': ANTHROPIC_KEY },
      secrets: [ANTHROPIC_KEY],
    },
    {
      name: 'subscription',
      env: { CLAUDE_CODE_OAUTH_TOKEN: ANTHROPIC_PLAN, ...AS_ROOT },
      files: {},
      headers: { authorization: `Bearer ${ANTHROPIC_PLAN}` },
      secrets: [ANTHROPIC_PLAN],
    },
  ],
  command: (prompt, skip) => [
    'claude',
    '-p',
    prompt,
    ...(skip ? ['--dangerously-skip-permissions'] : ['--allowedTools', 'Bash,Read,Edit,Write,Agent']),
  ],
  shell: (command) => ({ name: /^Bash$/, args: { command, description: 'Run a command' } }),
  edit: (path, from, to) => [
    [{ name: /^Read$/, args: { file_path: path } }],
    [{ name: /^Edit$/, args: { file_path: path, old_string: from, new_string: to } }],
  ],
  create: (path, text) => ({ name: /^Write$/, args: { file_path: path, content: text } }),
  delegate: [
    [
      {
        name: /^(Agent|Task)$/,
        args: { description: 'Help a bit', prompt: 'Please help.', subagent_type: 'general-purpose' },
      },
    ],
  ],
  targets: {
    shell: 'claude-code/Bash',
    edit: ['claude-code/Read', 'claude-code/Edit'],
    create: 'claude-code/Write',
    delegate: ['claude-code/Agent'],
  },
  afterFailure: 'failed',
  // It asks once more without streaming.
  triesRefused: 2,
  toolUseId: /^call_\d+_0$/,
  depth: ({ headers }) =>
    ['x-claude-code-agent-id', 'x-claude-code-parent-agent-id'].filter((name) => headers[name] !== undefined)
      .length,
  results: (request) =>
    listOf(request.json.messages)
      .flatMap((message) => listOf(message.content))
      .filter((block) => block.type === 'tool_result').length,
};

const OPENAI_KEY = 'sk-proj-scripted-0123456789abcdef';
const base64 = (value: JsonRecord): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const CHATGPT_ACCOUNT = 'acct-scripted-0123456789';
/** Shaped as Codex reads them; signed by nobody. */
const jwt = (kind: string): string =>
  [
    base64({ alg: 'none', typ: 'JWT' }),
    base64({
      exp: 4_102_444_800,
      email: 'someone@example.com',
      kind,
      'https://api.openai.com/auth': {
        chatgpt_plan_type: 'pro',
        chatgpt_user_id: 'user-scripted',
        chatgpt_account_id: CHATGPT_ACCOUNT,
      },
    }),
    'c2NyaXB0ZWQ',
  ].join('.');
const CHATGPT_TOKEN = jwt('access');

/** A call of one of the tools that Codex's programs call. */
const program = (source: string): ToolCall => ({ name: /^exec$/, args: { input: source } });
const patch = (lines: readonly string[]): ToolCall =>
  program(
    `await tools.apply_patch(${JSON.stringify(['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n'))});`,
  );

export const codex: Client = {
  name: 'Codex',
  program: 'codex',
  logins: [
    {
      name: 'key',
      env: { OPENAI_API_KEY: OPENAI_KEY },
      files: {},
      headers: { authorization: `Bearer ${OPENAI_KEY}` },
      secrets: [OPENAI_KEY],
    },
    {
      name: 'subscription',
      env: {},
      files: {
        '.codex/auth.json': JSON.stringify({
          auth_mode: 'chatgpt',
          OPENAI_API_KEY: null,
          tokens: {
            id_token: jwt('id'),
            access_token: CHATGPT_TOKEN,
            refresh_token: 'scripted-refresh-0123456789',
            account_id: CHATGPT_ACCOUNT,
          },
          last_refresh: new Date().toISOString(),
        }),
      },
      headers: { authorization: `Bearer ${CHATGPT_TOKEN}`, 'chatgpt-account-id': CHATGPT_ACCOUNT },
      secrets: [CHATGPT_TOKEN, CHATGPT_ACCOUNT, 'scripted-refresh-0123456789', jwt('id')],
    },
  ],
  command: (prompt, skip) => [
    'codex',
    'exec',
    '--skip-git-repo-check',
    ...(skip ? ['--dangerously-bypass-approvals-and-sandbox'] : ['--sandbox', 'workspace-write']),
    prompt,
  ],
  shell: (command) =>
    program(`text((await tools.exec_command(${JSON.stringify({ cmd: command })})).output);`),
  edit: (path, from, to) => [[patch([`*** Update File: ${path}`, '@@', `-${from}`, `+${to}`])]],
  create: (path, text) => patch([`*** Add File: ${path}`, `+${text}`]),
  delegate: [
    [
      {
        name: /^spawn_agent$/,
        args: { task_name: 'helper', message: 'Please help.', fork_turns: 'none' },
      },
    ],
    [{ name: /^wait_agent$/, args: { timeout_ms: 20_000 } }],
  ],
  targets: {
    shell: 'codex/Bash',
    edit: ['codex/apply_patch'],
    create: 'codex/apply_patch',
    delegate: ['codex/collaborationspawn_agent', 'codex/collaborationwait_agent'],
  },
  afterFailure: 'done',
  triesRefused: 1,
  toolUseId: /^(call_\d+_0|exec-[\w-]+)$/,
  depth: ({ headers }) => {
    const metadata = parseJson(String(headers['x-codex-turn-metadata']));
    return isRecord(metadata) ? String(metadata.agent_name).split('/').length - 2 : 0;
  },
  results: (request) =>
    listOf(request.json.input).filter((item) => String(item.type).endsWith('_call_output')).length,
};

/** A model that takes the steps of each depth one by one, and is done after the last. */
export const stepwise =
  (client: Client, ...steps: readonly (readonly Step[])[]): Script =>
  (request): Reply => {
    const step = steps[client.depth(request)]?.[client.results(request)];
    return step ? { tools: step } : { text: 'All done.' };
  };

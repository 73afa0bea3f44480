/**
 * What the suite's client leg starts for each scenario: a real kernel that has the scenario's server as a tool server, and
 * an agent that lists what is there and uses all of it. Usage: node client.ts <url>, as the suite says it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startKernel } from '../kernel.ts';
import { type Any, type Asked, earlierClient } from '../mcp/client.ts';

const url = process.argv.at(-1) ?? '';
const protocol = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Any }[];
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly private_key_pem?: string;
  readonly signing_algorithm?: string;
};
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';

/** Arguments for tools whose scenario does not say. */
const ARGUMENTS: Readonly<Record<string, Any>> = {
  add_numbers: { a: 5, b: 3 },
  valid_tool: { region: 'us-west1' },
  lookup_user: { id: 'ann' },
};

/** More logins than a scenario can want end in none. */
const LOGINS = 3;

const tools = { box: { url, ...(protocol === undefined ? {} : { protocol }), ...authOf() } };
const kernel = await startKernel(undefined, `tools: ${JSON.stringify(tools)}`);
try {
  const agent = await kernel.agent('conformance');
  const client = await earlierClient(
    `${agent.origin}/a/${agent.token}/mcp/box`,
    { elicitation: {}, sampling: {}, roots: {} },
    answer,
  );
  let logins = 0;
  // A person who does what mezz says: where a tool server wants a login, it names the command.
  const ask = async (method: string, params: Any): Promise<Asked> => {
    const answer = await client.ask(method, params);
    const { servers } = await kernel.control.call('tool.servers', {});
    if (!servers.some(({ login }) => ['needed', 'expired', 'more'].includes(login))) return answer;
    if (logins++ >= LOGINS || !(await logIn())) return answer;
    return ask(method, params);
  };
  const list = async (method: string, member: string) =>
    ((await ask(method, {})).result?.[member] ?? []) as Any[];
  const offered = await list('tools/list', 'tools');
  const calls =
    context.toolCalls ??
    offered.map(({ name }) => ({ name, arguments: argumentsFor(String(name), offered) }));
  for (const call of calls) await ask('tools/call', { ...call });
  for (const { uri } of await list('resources/list', 'resources')) await ask('resources/read', { uri });
  for (const { name } of await list('prompts/list', 'prompts')) await ask('prompts/get', { name });
} finally {
  await kernel.close();
}
process.exit(0);

/** One tool wants to see what reached the agent of the other's schema. */
function argumentsFor(name: string, offered: readonly Any[]): Any {
  const seen = offered.find((tool) => tool.name === 'json_schema_2020_12_tool');
  return name === 'json_schema_echo' ? { schema: seen?.inputSchema } : (ARGUMENTS[name] ?? {});
}

/** As the settings of mezz have it. */
function authOf(): { readonly auth?: Any } {
  const { client_id: clientId, private_key_pem: pem, client_secret: secret } = context;
  const grant = scenario.includes('client-credentials') ? { grant: 'client_credentials' } : {};
  if (scenario === 'auth/basic-cimd')
    return { auth: { clientMetadata: 'https://conformance-test.local/client-metadata.json' } };
  if (clientId === undefined) return {};
  process.env.MEZZ_CONFORMANCE_SECRET = pem ?? secret;
  const place = { env: 'MEZZ_CONFORMANCE_SECRET' };
  const own = pem
    ? { privateKey: place, algorithm: context.signing_algorithm ?? 'ES256' }
    : { secret: place };
  return { auth: { clientId, ...own, ...grant } };
}

/** mezz tool login, with a browser that agrees at once. */
async function logIn(): Promise<boolean> {
  const mezz = join(import.meta.dirname, '../../bin/mezz.js');
  const command = spawn(process.execPath, [mezz, 'tool', 'login', 'box', '--no-browser'], {
    env: { ...process.env, MEZZ_HOME: kernel.stateDir },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const ended = once(command, 'close');
  for await (const line of createInterface(command.stderr)) {
    process.stderr.write(`${line}\n`);
    if (/^https?:/.test(line)) await fetch(line);
  }
  const [code] = await ended;
  return code === 0;
}

/** An agent's client that fills a form with its defaults, and agrees. */
function answer(method: string, params: Any): Any {
  if (method === 'roots/list') return { roots: [] };
  if (method !== 'elicitation/create')
    return { role: 'assistant', content: { type: 'text', text: 'Yes.' }, model: 'none' };
  const { properties = {} } = (params.requestedSchema ?? {}) as { properties?: Record<string, Any> };
  const filled = Object.entries(properties).flatMap(([name, field]) => {
    if (field.default !== undefined) return [[name, field.default]];
    return field.type === 'boolean' ? [[name, true]] : [];
  });
  return { action: 'accept', content: Object.fromEntries(filled) as Any };
}

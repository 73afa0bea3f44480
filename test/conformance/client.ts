/**
 * What the suite's client leg starts for each scenario: a real kernel that has the scenario's server as a tool server, and
 * an agent that lists what is there and uses all of it. Usage: node client.ts <url>, as the suite says it.
 */

import { startKernel } from '../kernel.ts';
import { type Any, earlierClient } from '../mcp/client.ts';

const url = process.argv.at(-1) ?? '';
const protocol = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Any }[];
};

/** Arguments for tools whose scenario does not say. */
const ARGUMENTS: Readonly<Record<string, Any>> = {
  add_numbers: { a: 5, b: 3 },
  valid_tool: { region: 'us-west1' },
  lookup_user: { id: 'ann' },
};

const tools = { box: { url, ...(protocol === undefined ? {} : { protocol }) } };
const kernel = await startKernel(undefined, `tools: ${JSON.stringify(tools)}`);
try {
  const agent = await kernel.agent('conformance');
  const client = await earlierClient(
    `${agent.origin}/a/${agent.token}/mcp/box`,
    { elicitation: {}, sampling: {}, roots: {} },
    answer,
  );
  const list = async (method: string, member: string) =>
    ((await client.ask(method, {})).result?.[member] ?? []) as Any[];
  const offered = await list('tools/list', 'tools');
  const calls =
    context.toolCalls ?? offered.map(({ name }) => ({ name, arguments: ARGUMENTS[String(name)] ?? {} }));
  for (const call of calls) await client.ask('tools/call', { ...call });
  for (const { uri } of await list('resources/list', 'resources'))
    await client.ask('resources/read', { uri });
  for (const { name } of await list('prompts/list', 'prompts')) await client.ask('prompts/get', { name });
} finally {
  await kernel.close();
}
process.exit(0);

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

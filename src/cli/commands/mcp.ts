import type { Command } from 'commander';
import { Bridge } from '../mcp/bridge.ts';
import { selfAsRunner } from '../run/family.ts';
import { parentOf } from '../run/parent.ts';
import type { Session } from '../session.ts';
import { ensureKernel } from '../start.ts';

interface McpOptions {
  readonly name?: string;
}

interface Place {
  readonly url: string;
  /** The agent that was opened for it; it ends with this program. */
  readonly own?: number;
}

/** The address of the agent that mezz run started this under, or of one opened for it. */
async function placeOf(session: Session, options: McpOptions): Promise<Place> {
  const { env } = session;
  if (env.MEZZ_MCP_URL) return { url: env.MEZZ_MCP_URL };
  await ensureKernel(session);
  const parent = parentOf(env.MEZZ_AGENT);
  const { launches } = await session.control.call('agent.open', {
    client: 'mcp',
    cwd: session.cwd,
    hooks: false,
    // A client that is killed says nothing: that this program is gone is noticed.
    hosted: true,
    ...selfAsRunner(),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(parent === undefined ? {} : { parent }),
  });
  const [launch] = launches;
  if (!launch) throw new Error('the kernel opened no agent');
  session.terminal.note(`mezz: agent ${launch.name} (pid ${launch.pid})`);
  return { url: `${launch.origin}/a/${launch.token}/mcp`, own: launch.pid };
}

async function mcp(session: Session, server: string | undefined, options: McpOptions): Promise<void> {
  const { url, own } = await placeOf(session, options);
  const path = server === undefined ? '' : `/${encodeURIComponent(server)}`;
  await new Bridge(`${url}${path}`, process.stdout).serve(process.stdin);
  if (own === undefined) return;
  const exited = { agent: String(own), exitCode: 0, signal: null };
  // Where the kernel is gone, it will notice.
  await session.control.call('agent.exited', exited).catch(() => {});
}

const CONFIGURATION = `
In the configuration of a client:
  {"mcpServers": {"mezz": {"command": "mezz", "args": ["mcp"]}}}             all tools, as server__tool
  {"mcpServers": {"memory": {"command": "mezz", "args": ["mcp", "memory"]}}} one server under its own names`;

export function define(program: Command, session: Session): void {
  program
    .command('mcp')
    .description(
      'an MCP server over standard input and output: the tools that mezz offers, for clients that start commands',
    )
    .argument('[server]', 'one tool server, under its own names; all by default')
    .option('--name <name>', 'what to call the agent')
    .addHelpText('after', CONFIGURATION)
    .action((server: string | undefined, options: McpOptions) => mcp(session, server, options));
}

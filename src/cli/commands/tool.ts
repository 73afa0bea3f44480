import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isRecord, parseJson } from '../../base/json.ts';
import type { ToolServerView } from '../../base/tools.ts';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';
import { defineLogins, loginProblem } from '../tools/login.ts';
import { defineManifests } from '../tools/manifest.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

interface ListOptions extends ViewOptions {
  readonly agent?: string;
}

function list(session: Session, options: ListOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'tools',
    request: options.agent === undefined ? {} : { agent: options.agent },
    ids: ({ tools }) => tools.map(({ name }) => name),
    render: ({ tools, problems }) => {
      terminal.printTable(
        [
          { head: 'TOOL', cell: ({ name }) => name },
          { head: 'STATE', cell: ({ state }) => state },
          { head: 'DEFINITION', cell: ({ digest }) => digest.slice(0, 12) },
          { head: 'WHAT', cell: ({ text }) => firstLine(text) },
        ],
        tools,
      );
      for (const problem of problems) terminal.note(`mezz: ${problem}`);
    },
  });
}

function processesOf({ instances, osPid, command }: ToolServerView): string {
  const each = instances.map(
    ({ agent, osPid: pid }) => `${pid ?? 'starting'}${agent === 0 ? '' : ` of ${agent}`}`,
  );
  if (each.length > 0) return each.join(', ');
  if (osPid !== null) return String(osPid);
  // An HTTP service, a server at an address and mezz's own have no process of mezz's.
  return command.length === 0 ? '' : 'not started';
}

function healthOf({ id, login, problem, failures, shutUntil, restsUntil }: ToolServerView): string {
  const locked = loginProblem(login);
  if (locked !== undefined) return `${locked}: mezz tool login ${id}`;
  if (shutUntil !== null)
    return `${failures} calls without an answer: none until ${new Date(shutUntil).toISOString()}`;
  if (restsUntil !== null) return `asked for no call until ${new Date(restsUntil).toISOString()}`;
  if (problem !== null) return problem;
  return failures === 0 ? '' : `${failures} calls without an answer`;
}

function servers(session: Session, options: ViewOptions): Promise<void> {
  return show(session, options, {
    verb: 'tool.servers',
    request: {},
    ids: (answer) => answer.servers.map(({ id }) => id),
    render: (answer) =>
      session.terminal.printTable(
        [
          { head: 'SERVER', cell: ({ id }) => id },
          { head: 'PROCESS', cell: processesOf },
          { head: 'CALLS', cell: ({ calls }) => String(calls), right: true },
          { head: 'REFUSED', cell: ({ refused }) => String(refused), right: true },
          { head: 'HEALTH', cell: healthOf },
          { head: 'COMMAND', cell: ({ command, address }) => address ?? command.join(' ') },
        ],
        answer.servers,
      ),
  });
}

async function logs(session: Session, server: string, options: ViewOptions): Promise<void> {
  const answer = await session.control.call('tool.servers', {});
  const found = answer.servers.filter(({ id }) => id === server);
  if (found.length === 0)
    throw new UsageFailure(`there is no tool server "${server}"`, 'mezz tool ps lists them', 3);
  if (options.json) session.terminal.printJson({ ...answer, servers: found });
  else for (const { said } of found) session.terminal.out.write(said);
}

interface CallOptions {
  readonly json?: boolean;
  readonly agent: string;
  readonly args: string;
}

/** Prints what a tool says; an answer that is an error is the exit code too. */
async function call(session: Session, name: string, { json, agent, args }: CallOptions): Promise<void> {
  const input = parseJson(args);
  if (!isRecord(input))
    throw new UsageFailure('--args takes one JSON object', `write it as --args '{"path":"a"}'`);
  const answer = await session.control.call('tool.call', { agent, name, args: input });
  if (answer.isError) session.exit = 1;
  if (json) return session.terminal.printJson(answer);
  const content = Array.isArray(answer.result.content) ? answer.result.content : [];
  for (const part of content)
    session.terminal.print(
      isRecord(part) && typeof part.text === 'string' ? part.text : JSON.stringify(part),
    );
}

interface ImportOptions extends ViewOptions {
  readonly write?: true;
}

/** Where programs keep what tool servers they know, in the directory and at home. */
const PLACES = ['.mcp.json', '.cursor/mcp.json', '.vscode/mcp.json'];
const HOME_PLACES = ['.claude.json', '.codex/config.toml', '.cursor/mcp.json'];

async function importTools(
  session: Session,
  named: readonly string[],
  options: ImportOptions,
): Promise<void> {
  const { terminal } = session;
  const places = [...PLACES, ...HOME_PLACES.map((place) => join(homedir(), place))];
  const paths = named.length > 0 ? named : places.filter((path) => existsSync(path));
  const missing = named.find((path) => !existsSync(path));
  if (missing !== undefined)
    throw new UsageFailure(`there is no file ${missing}`, 'name one that is there', 3);
  const files = paths.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const answer = await session.control.call('tool.import', { files, write: options.write === true });
  if (answer.problems.length > 0 && answer.added.length === 0) session.exit = 1;
  if (options.json) return terminal.printJson(answer);
  terminal.print(...answer.lines);
  for (const name of answer.kept) terminal.note(`${name} is in mezz.yaml already, and stays`);
  for (const name of answer.left) terminal.note(`${name} looks like a secret and was left out`);
  if (answer.lines.some((line) => line.includes('{ env: ')))
    terminal.note('what is { env: NAME } comes from the environment that mezz is started in');
  for (const note of answer.notes) terminal.note(note);
  for (const problem of answer.problems) terminal.note(problem);
  if (answer.problems.length > 0 && answer.lines.length === 0) return;
  if (answer.lines.length === 0)
    terminal.note(`no new tool server in ${paths.join(', ') || 'the usual places'}`);
  else if (options.write) terminal.note(`${answer.file}: added ${answer.added.join(', ')}`);
  else terminal.note(`Next: the same with --write puts ${answer.lines.length} into ${answer.file}`);
}

interface ResolveOptions extends ViewOptions {
  readonly done?: true;
  readonly retry?: true;
  readonly abandon?: true;
}

function resolve(session: Session, call: string, options: ResolveOptions): Promise<void> {
  const asked = (['done', 'retry', 'abandon'] as const).filter((as) => options[as]);
  const [as] = asked;
  if (as === undefined || asked.length > 1)
    throw new UsageFailure('say one of --done, --retry and --abandon', 'mezz tool resolve --help');
  return change(
    session,
    options,
    'tool.resolve',
    { call, as },
    (answer) => `${call}: ${answer.outcome === 'given_up' ? 'given up' : answer.outcome}`,
  );
}

export function define(program: Command, session: Session): void {
  const tool = program.command('tool').description('tool servers that mezz starts, and what they offer');
  asList(tool.command('ls', { isDefault: true }).description('list tools, as agents call them'))
    .option('--agent <agent>', 'only those that this agent sees: pid, name, or the beginning of a name')
    .action((options: ListOptions) => list(session, options));
  asList(tool.command('ps').description('list tool servers')).action((options: ViewOptions) =>
    servers(session, options),
  );
  asJson(tool.command('call').description('call a tool as an agent: the gate decides as for its own calls'))
    .argument('<tool>', 'as mezz tool ls names it')
    .requiredOption('--agent <agent>', 'pid, name, or the beginning of a name')
    .option('--args <json>', 'its arguments', '{}')
    .action((name: string, options: CallOptions) => call(session, name, options));
  defineManifests(tool, session);
  defineLogins(tool, session);
  asJson(tool.command('logs').description('the last that a tool server said on its error stream'))
    .argument('<server>', 'its name in mezz.yaml')
    .action((server: string, options: ViewOptions) => logs(session, server, options));
  asJson(tool.command('resolve').description('decide on a call that may or may not have taken effect'))
    .argument('<call>', 'its id, as mezz inbox lists it')
    .option('--done', 'it took effect: whoever repeats it is told so')
    .option('--retry', 'make it once more, now')
    .option('--abandon', 'it is not made again: whoever repeats it is told so')
    .action((call: string, options: ResolveOptions) => resolve(session, call, options));
  asJson(tool.command('import').description('take over tool servers that other programs know'))
    .argument(
      '[file...]',
      'settings of Claude Code, Codex, Cursor or VS Code, or a server.json; by default those that are here',
    )
    .option('--write', 'write them into mezz.yaml; else only say what would be written')
    .action((files: string[], options: ImportOptions) => importTools(session, files, options));
  asJson(tool.command('diff').description('what a tool server offers now against what was accepted'))
    .argument('<server>', 'its name in mezz.yaml')
    .action((server: string, options: ViewOptions) =>
      show(session, options, {
        verb: 'tool.diff',
        request: { server },
        ids: ({ changes }) => changes.map(({ name }) => name),
        render: ({ changes }) => {
          for (const { name, text } of changes) session.terminal.print(name, text, '');
          if (changes.length === 0) session.terminal.note(`${server} offers what was accepted`);
          else session.terminal.note(`Next: mezz tool accept ${server}, if that is right`);
        },
      }),
    );
  asJson(tool.command('accept').description('accept the definitions that a tool server offers now'))
    .argument('<server>', 'its name in mezz.yaml')
    .action((server: string, options: ViewOptions) =>
      change(
        session,
        options,
        'tool.accept',
        { server },
        ({ tools }) => `${tools.length} tools of ${server} are accepted`,
      ),
    );
}

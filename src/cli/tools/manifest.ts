/**
 * tools/ owns what an operator does about tools beyond calling them: seeing and mending what mezz knows of them. It asks
 * the kernel and changes no file: a draft is printed, and holds once mezz.yaml names it.
 */
import type { Command } from 'commander';
import type { KnownView } from '../../base/tools.ts';
import type { Session } from '../session.ts';
import { asJson, asList, show, type ViewOptions } from '../view.ts';

const SOURCES: { readonly [S in KnownView['source']]: string } = {
  operator: 'its manifest in mezz.yaml',
  shipped: 'mezz',
  http: 'its HTTP methods',
  annotations: 'itself, trusted',
  none: 'nobody',
};

function effectsOf({ manifest }: KnownView): string {
  if (!manifest) return 'may write anything of its server';
  const { resources = [], shell, patch } = manifest;
  const told = [
    ...resources.map(({ key, access }) => `${access} ${key}`),
    ...(shell === undefined ? [] : [`as ${shell}`]),
    ...(patch ? ['the files of its patch'] : []),
  ];
  return told.join(', ') || 'nothing of another agent';
}

function manifests(session: Session, server: string | undefined, options: ViewOptions): Promise<void> {
  return show(session, options, {
    verb: 'tool.manifest',
    request: server === undefined ? {} : { server },
    ids: ({ tools }) => tools.map(({ name }) => name),
    render: ({ tools, problems }) => {
      session.terminal.printTable(
        [
          { head: 'TOOL', cell: ({ name }) => name },
          { head: 'AGAIN', cell: ({ manifest }) => manifest?.retry ?? 'unsafe' },
          { head: 'UNDO', cell: ({ manifest }) => manifest?.undo?.tool ?? '' },
          { head: 'SAID BY', cell: ({ source }) => SOURCES[source] },
          { head: 'WHAT IT TOUCHES', cell: effectsOf },
        ],
        tools,
      );
      for (const problem of problems) session.terminal.note(`mezz: ${problem}`);
    },
  });
}

/** A problem is the exit code too: a build can ask. */
async function lint(session: Session, server: string | undefined, options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('tool.lint', server === undefined ? {} : { server });
  if (answer.problems.length > 0) session.exit = 1;
  if (options.json) return terminal.printJson(answer);
  for (const { server: id, problem, remedy } of answer.problems)
    terminal.print(`${id}: ${problem}`, `  ${remedy}`);
  if (answer.problems.length === 0) terminal.print('every tool is described, and each description fits');
}

async function learn(session: Session, server: string, options: ViewOptions): Promise<void> {
  const answer = await session.control.call('tool.learn', { server });
  if (options.json) return session.terminal.printJson(answer);
  const { stringify } = await import('yaml');
  session.terminal.out.write(stringify(answer.manifest));
}

export function defineManifests(tool: Command, session: Session): void {
  asList(tool.command('manifest').description('what each tool does to what, and who says so'))
    .argument('[server]', 'its name in mezz.yaml')
    .action((server: string | undefined, options: ViewOptions) => manifests(session, server, options));
  asJson(tool.command('lint').description('what is wrong with descriptions of tools, or missing'))
    .argument('[server]', 'its name in mezz.yaml')
    .action((server: string | undefined, options: ViewOptions) => lint(session, server, options));
  asJson(tool.command('learn').description('print a draft of a manifest: it holds once mezz.yaml names it'))
    .argument('<server>', 'its name in mezz.yaml')
    .action((server: string, options: ViewOptions) => learn(session, server, options));
}

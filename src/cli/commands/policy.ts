import type { Command } from 'commander';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { UsageFailure } from '../exit.ts';
import { readTextFile } from '../files.ts';
import { findingsExit, printFindings } from '../findings.ts';
import { parseSince } from '../format.ts';
import type { Session } from '../session.ts';
import { asJson, type ViewOptions } from '../view.ts';

interface CanOptions extends ViewOptions {
  readonly args?: string;
}
interface TestOptions extends ViewOptions {
  readonly since?: string;
  readonly agent?: string;
}
interface ApplyOptions extends ViewOptions {
  readonly profile?: string;
}

/** Exit codes of `mezz can`, so that a script can ask. */
const DECISION_EXITS = { permit: 0, forbid: 4, ask: 5 } as const;
const DECISIONS = {
  permit: 'permitted',
  forbid: 'forbidden',
  ask: 'a person must approve it first',
} as const;

function parseArgs(text: string): JsonRecord {
  const args = parseJson(text);
  if (isRecord(args)) return args;
  throw new UsageFailure('--args is not a JSON object', '--args \'{"command":"git push"}\'');
}

async function can(
  session: Session,
  agent: string,
  action: string,
  resource: string,
  options: CanOptions,
): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('can', {
    agent,
    action,
    resource,
    ...(options.args === undefined ? {} : { args: parseArgs(options.args) }),
  });
  session.exit = DECISION_EXITS[answer.decision];
  if (options.json) return terminal.printJson(answer);
  terminal.print(`${DECISIONS[answer.decision]}: ${answer.message}`);
  for (const rule of answer.rules) terminal.print(`  rule  ${rule}`);
  if (answer.remedy) terminal.note(`Next: ${answer.remedy}`);
}

async function showPolicy(session: Session, options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('policy', {});
  if (options.json) return terminal.printJson(answer);
  terminal.print(`// profile ${answer.profile}, epoch ${answer.epoch}`);
  for (const source of answer.sources) terminal.print(`// ${source.name}: ${source.rules} rules`);
  terminal.print('', answer.text.trimEnd());
}

async function check(session: Session, file: string, options: ViewOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('policy.check', { text: readTextFile(session, file) });
  session.exit = findingsExit(answer.findings);
  if (options.json) return terminal.printJson(answer);
  printFindings(terminal, answer.findings);
  if (session.exit === 0) terminal.print(`${file} can be applied`);
}

async function test(session: Session, file: string, options: TestOptions): Promise<void> {
  const { terminal, control } = session;
  const answer = await control.call('policy.test', {
    text: readTextFile(session, file),
    ...(options.since === undefined ? {} : { since: parseSince(options.since, session.now()) }),
    ...(options.agent === undefined ? {} : { agent: options.agent }),
  });
  session.exit = answer.changed.length === 0 ? 0 : 1;
  if (options.json) return terminal.printJson(answer);
  if (answer.changed.length > 0)
    terminal.printTable(
      [
        { head: 'CALL', cell: (one) => one.call },
        { head: 'AGENT', cell: (one) => String(one.agent), right: true },
        { head: 'ACTION', cell: (one) => one.action },
        { head: 'TARGET', cell: (one) => one.target },
        { head: 'WAS', cell: (one) => one.before },
        { head: 'WOULD BE', cell: (one) => one.after },
        { head: 'RULE', cell: (one) => one.rule },
      ],
      answer.changed,
    );
  const { recorded, tested, untestable, changed, more } = answer;
  terminal.note(
    `${tested} of ${recorded} recorded calls tested, ${changed.length} would be decided differently`,
  );
  if (untestable.body > 0)
    terminal.note(
      `${untestable.body} are not testable: what they asked is not stored (retention, erasure, settings)`,
    );
  if (untestable.agent > 0)
    terminal.note(`${untestable.agent} are not testable: their agent is not known any more`);
  if (more) terminal.note('there is more than was looked at or listed: narrow it with --since or --agent');
}

async function apply(session: Session, file: string | undefined, options: ApplyOptions): Promise<void> {
  const { terminal, control } = session;
  if (file === undefined && options.profile === undefined)
    throw new UsageFailure('mezz policy apply needs a file or a profile', 'mezz policy apply <file>');
  const answer = await control.call('policy.apply', {
    ...(file === undefined ? {} : { text: readTextFile(session, file) }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  });
  session.exit = findingsExit(answer.findings);
  if (options.json) return terminal.printJson(answer);
  printFindings(terminal, answer.findings);
  if (session.exit === 0) terminal.print(`in force since now (epoch ${answer.epoch})`);
}

function defineCan(command: Command, session: Session): void {
  asJson(command)
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .argument('<action>', 'what it would do, as mezz logs names it')
    .argument('<resource>', 'a model, tool, path or address')
    .option('--args <json>', 'the arguments of a tool call')
    .action((agent: string, action: string, resource: string, options: CanOptions) =>
      can(session, agent, action, resource, options),
    );
}

export function define(program: Command, session: Session): void {
  defineCan(
    program.command('can').description('would an agent be allowed to do this (exit 0, 4 or 5)'),
    session,
  );
  const policy = program.command('policy').description('access policies');
  asJson(policy.command('show', { isDefault: true }).description('the access policies in force')).action(
    (options: ViewOptions) => showPolicy(session, options),
  );
  asJson(policy.command('check').description('can this file be applied'))
    .argument('<file>', 'access policies; - for standard input')
    .action((file: string, options: ViewOptions) => check(session, file, options));
  asJson(
    policy
      .command('test')
      .description('which recorded calls would this file decide differently (exit 1 if any)'),
  )
    .argument('<file>', 'access policies; - for standard input')
    .option('--since <time>', '2h, today, or a date')
    .option('--agent <agent>', 'of one agent: pid, name, or the beginning of a name')
    .action((file: string, options: TestOptions) => test(session, file, options));
  defineCan(policy.command('explain').description('which rules decide, and how'), session);
  asJson(policy.command('apply').description('put access policies in force'))
    .argument('[file]', 'access policies; - for standard input')
    .option('--profile <name>', 'a profile that comes with mezz')
    .action((file: string | undefined, options: ApplyOptions) => apply(session, file, options));
}

import type { Command } from 'commander';
import { openDescription } from '../checklist/against/description.ts';
import { withProduct } from '../checklist/against/product.ts';
import type { Evidence, Question, Verdict } from '../checklist/condition.ts';
import { mezzSubject } from '../checklist/mezz.ts';
import { QUESTIONS, tryCondition } from '../checklist/questions.ts';
import { Room } from '../checklist/room.ts';
import type { Subject } from '../checklist/subject.ts';
import { crowdOf } from '../demo/shown.ts';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';
import type { Style, Terminal } from '../terminal.ts';

const STYLES: Readonly<Record<Verdict, Style>> = {
  yes: 'green',
  no: 'red',
  'cannot tell': 'yellow',
  'not built': 'dim',
};
const VERDICT_WIDTH = 'cannot tell'.length;

interface Answered extends Evidence {
  readonly id: string;
  readonly condition: string;
}

function printAnswer(terminal: Terminal, { id, condition, verdict, saw, calls }: Answered): void {
  const label = terminal.style(STYLES[verdict], verdict.padEnd(VERDICT_WIDTH));
  terminal.print(`  ${label}  ${id}  ${condition}`);
  const indent = ' '.repeat(VERDICT_WIDTH + 8);
  terminal.print(terminal.style('dim', `${indent}${saw}`));
  if (calls.length > 0) terminal.print(terminal.style('dim', `${indent}calls ${calls.join(' ')}`));
}

function chosen(numbers: readonly string[]): readonly Question[] {
  for (const number of numbers)
    if (!QUESTIONS.some((question) => String(question.number) === number))
      throw new UsageFailure(
        `There is no question ${number}: they are 1 to ${QUESTIONS.length}`,
        'mezz checklist 1',
      );
  return numbers.length === 0
    ? QUESTIONS
    : QUESTIONS.filter(({ number }) => numbers.includes(String(number)));
}

interface Options {
  readonly json?: boolean;
  readonly against?: string;
}

/** Asks the questions of one subject, and prints each answer when it is there. */
async function askAll(
  subject: Subject,
  questions: readonly Question[],
  shown: Terminal | undefined,
): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const { number, text, conditions } of questions) {
    shown?.print(shown.style('bold', `${number}  ${text}`));
    for (const condition of conditions) {
      const evidence = await tryCondition(subject, condition);
      const answered = { id: condition.id, condition: condition.text, ...evidence };
      answers.push(answered);
      if (shown) printAnswer(shown, answered);
    }
  }
  return answers;
}

async function checklist(session: Session, numbers: readonly string[], options: Options): Promise<void> {
  const { terminal } = session;
  const questions = chosen(numbers);
  const shown = options.json ? undefined : terminal;
  const description = options.against === undefined ? undefined : openDescription(options.against);
  terminal.note(
    description
      ? `mezz: ${description.name} is tried from outside, with a lab model behind it`
      : 'mezz: a kernel of its own is started for the experiments; yours is not touched',
  );
  const ask = (subject: Subject) => askAll(subject, questions, shown);
  const answers = description
    ? await withProduct(description, ask)
    : await Room.use(session, (room) => ask({ ...mezzSubject(room), crowd: crowdOf(session) }));
  if (!shown)
    return terminal.printJson({ schema: 'mezz.checklist/1', product: description?.name ?? 'mezz', answers });
  const counts = (Object.keys(STYLES) as Verdict[])
    .map((verdict) => [verdict, answers.filter((answered) => answered.verdict === verdict).length] as const)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`);
  terminal.print('', `${answers.length} conditions: ${counts.join(', ')}`);
}

const AGAINST = `
Another product is tried by the same experiments, from outside: --against takes the base URL of something that speaks
Chat Completions, or a file (YAML or JSON) that says what the product offers. docs/checklist.md has all of its members:
  name: A gateway
  start: { run: [node, gateway.js], ready: 'http://127.0.0.1:8080/' }
  models: { url: 'http://127.0.0.1:8080/v1', dialect: openai-chat, model: lab,
            headers: { authorization: 'Bearer {agent}', x-upstream: '{upstream}/v1' } }
  tools: { mcp: { url: 'http://127.0.0.1:8080/mcp' }, file: /tmp/shared.txt, kept: 'line {n}',
           change: { tool: append, input: { line: 'line {n}' } } }

Examples:
  mezz checklist 1 4
  mezz checklist --against gateway.yaml`;

export function define(program: Command, session: Session): void {
  program
    .command('checklist')
    .description('five questions, answered by experiments on this machine')
    .usage('[options] [question...]')
    .argument('[question...]', 'only these: 1 scheduling, 2 pausing, 3 tools, 4 access, 5 what it is not')
    .option('--json', 'print the answers as JSON')
    .option('--against <file or url>', 'try another product instead of mezz')
    .addHelpText('after', AGAINST)
    .action((numbers: string[], options: Options) => checklist(session, numbers, options));
}

import type { Command } from 'commander';
import type { Evidence, Question, Verdict } from '../checklist/condition.ts';
import { QUESTIONS, tryCondition } from '../checklist/questions.ts';
import { Room } from '../checklist/room.ts';
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

async function checklist(session: Session, numbers: readonly string[], json: boolean): Promise<void> {
  const { terminal } = session;
  const questions = chosen(numbers);
  terminal.note('mezz: a kernel of its own is started for the experiments; yours is not touched');
  const answers: Answered[] = [];
  await Room.use(session, async (room) => {
    for (const { number, text, conditions } of questions) {
      if (!json) terminal.print(terminal.style('bold', `${number}  ${text}`));
      for (const condition of conditions) {
        const evidence = await tryCondition(room, condition);
        const answered = { id: condition.id, condition: condition.text, ...evidence };
        answers.push(answered);
        if (!json) printAnswer(terminal, answered);
      }
    }
  });
  if (json) return terminal.printJson({ schema: 'mezz.checklist/1', answers });
  const counts = (Object.keys(STYLES) as Verdict[])
    .map((verdict) => [verdict, answers.filter((answered) => answered.verdict === verdict).length] as const)
    .filter(([, count]) => count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`);
  terminal.print('', `${answers.length} conditions: ${counts.join(', ')}`);
}

export function define(program: Command, session: Session): void {
  program
    .command('checklist')
    .description('five questions, answered by experiments on this machine')
    .usage('[options] [question...]')
    .argument('[question...]', 'only these: 1 scheduling, 2 pausing, 3 tools, 4 access, 5 what it is not')
    .option('--json', 'print the answers as JSON')
    .addHelpText('after', '\nExample:\n  mezz checklist 1 4')
    .action((numbers: string[], options: { json?: boolean }) =>
      checklist(session, numbers, options.json === true),
    );
}

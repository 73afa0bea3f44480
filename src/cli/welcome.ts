import { ENGINE_PORTS } from './found/engines.ts';
import { chooseModel } from './found/model.ts';
import { findProgram } from './found/programs.ts';
import { describeSurvey, nextSteps, type Survey, surveyMachine } from './found/survey.ts';
import type { Session } from './session.ts';
import { shellWord } from './shell.ts';

export async function survey({ env, control }: Session): Promise<Survey> {
  const { backends } = await control.call('backends', {});
  return surveyMachine(
    env,
    ENGINE_PORTS,
    backends.map(({ url }) => url),
  );
}

/** What is here, and the lines to type next; each of them works as it is printed. */
export async function printWelcome(session: Session, found: Survey): Promise<void> {
  const [models, { backends }] = await Promise.all([
    session.control.call('models', {}),
    session.control.call('backends', {}),
  ]);
  const reachable = findProgram('mezz', session.env.PATH) !== undefined;
  session.terminal.print('', 'Found here:', ...describeSurvey(found), '', 'Type next:');
  if (!reachable) session.terminal.print(...pathSteps(session));
  session.terminal.print(...nextSteps(found, chooseModel(models, backends)));
}

/** How `mezz` becomes a command of this shell, and of every other. */
function pathSteps({ mezz }: Session): string[] {
  const command = shellWord(mezz.at(-1) ?? 'mezz');
  return [
    `  alias mezz=${command}`,
    '                          so this shell knows mezz; in ~/.bashrc, every shell',
  ];
}

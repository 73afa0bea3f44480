import { assert } from '../../base/assert.ts';
import type { Condition, Evidence, Verdict } from '../checklist/condition.ts';
import { mezzSubject } from '../checklist/mezz.ts';
import { QUESTIONS, tryCondition } from '../checklist/questions.ts';
import { Room } from '../checklist/room.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { textWidth } from '../table.ts';
import type { Style, Terminal } from '../terminal.ts';
import { type Scene, STORY } from './story.ts';

const CONDITIONS = new Map(QUESTIONS.flatMap(({ conditions }) => conditions).map((one) => [one.id, one]));
const MARKS: Readonly<Record<Verdict, readonly [mark: string, style: Style]>> = {
  yes: ['✔', 'green'],
  no: ['✘', 'red'],
  'cannot tell': ['?', 'yellow'],
  'not built': ['not built yet:', 'dim'],
};
const WIDEST_COLUMNS = 100;

/** What a scene tries, as the checklist has it or as the tour alone does. */
function conditionOf({ id, told, experiment }: Scene, room: Room): Condition {
  const condition = experiment ? { id, text: told, experiment: () => experiment(room) } : CONDITIONS.get(id);
  assert(condition, `the checklist has no condition ${id}`);
  return condition;
}

/** How a tour ended: told to its end, ended by a key, or by its time. */
type TourEnd = 'told' | 'left' | 'late';

/** Tells the story, on a kernel of its own. With a keyboard any key ends it. */
export async function giveTour(session: Session, keyboard: boolean): Promise<void> {
  const { terminal } = session;
  terminal.print(
    '',
    ...wrap(
      `This is what it is for, tried now on a second kernel that is gone afterwards. The model in it is "lab", which is no model: what is shown is the kernel.${keyboard ? ' Any key ends the tour; mezz tour shows it again.' : ''}`,
      terminal,
    ),
  );
  const late = AbortSignal.timeout(LIMITS.tourMs.value);
  const key = keyboard ? anyKey() : undefined;
  const stop = key ? AbortSignal.any([late, key.signal]) : late;
  try {
    const end = await Room.use(session, (room) => tellStory(room, terminal, stop));
    if (end !== 'told')
      terminal.print(
        '',
        end === 'left' ? 'The tour is ended.' : 'That was a minute: the rest is in mezz checklist.',
      );
  } finally {
    key?.release();
  }
}

async function tellStory(room: Room, terminal: Terminal, stop: AbortSignal): Promise<TourEnd> {
  const stopped = new Promise<undefined>((resolve) => {
    stop.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const mezz = mezzSubject(room);
  for (const { trouble, scenes } of STORY) {
    terminal.print('', terminal.style('bold', trouble));
    for (const scene of scenes) {
      terminal.print(...wrap(scene.told, terminal, '  '));
      const tried = tryCondition(mezz, conditionOf(scene, room));
      const evidence = stop.aborted ? undefined : await Promise.race([tried, stopped]);
      if (!evidence) return stop.reason?.name === 'TimeoutError' ? 'late' : 'left';
      showEvidence(terminal, scene, evidence);
    }
  }
  return 'told';
}

function showEvidence(terminal: Terminal, { id }: Scene, { verdict, saw, calls }: Evidence): void {
  const [mark, style] = MARKS[verdict];
  const lines = wrap(`${mark} ${saw}`, terminal, '    ');
  terminal.print(
    ...lines.map((line) =>
      verdict === 'yes' ? line.replace(mark, terminal.style(style, mark)) : terminal.style(style, line),
    ),
  );
  if (calls.length > 0) terminal.print(terminal.style('dim', `      ${calls.slice(0, 2).join(' ')} (${id})`));
}

/** Lines of the terminal's width, at most of a width that is read with ease. */
function wrap(text: string, terminal: Terminal, indent = ''): string[] {
  const width = Math.min(WIDEST_COLUMNS, terminal.out.columns ?? WIDEST_COLUMNS);
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && textWidth(`${line} ${word}`) > width) {
      lines.push(line);
      line = indent === '' ? '' : `${indent}  `;
    }
    line += line.trim() === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** The keyboard, until any key is pressed or it is released. */
function anyKey(): { readonly signal: AbortSignal; release(): void } {
  const { stdin } = process;
  const pressed = new AbortController();
  const press = () => pressed.abort();
  stdin.setRawMode(true);
  stdin.on('data', press).resume();
  return {
    signal: pressed.signal,
    release() {
      stdin.off('data', press).pause();
      stdin.setRawMode(false);
    },
  };
}

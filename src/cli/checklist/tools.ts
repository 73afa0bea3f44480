import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Question, shows } from './condition.ts';
import type { Room } from './room.ts';

/** Two agents' clients edit one file at once: the second is let go only when the first has told its end. */
async function somethingResolves(room: Room) {
  const path = join(room.directory, 'shared.txt');
  writeFileSync(path, 'one\n');
  const [first, second] = [await room.agent('edits-first'), await room.agent('edits-second')];
  const edit = { file_path: path, old_string: 'one', new_string: 'two' };
  await room.before(first, 'Edit', edit, 'toolu_e1');
  let isFirstOver = false;
  const asked = room.before(second, 'Edit', edit, 'toolu_e2').then((answer) => ({ ...answer, isFirstOver }));
  const wait = await room.waits(second);
  const { held } = await room.control.call('locks', {});
  isFirstOver = true;
  await room.tell(first, 'Edit', edit, 'toolu_e1');
  const answer = await asked;
  await room.tell(second, 'Edit', edit, 'toolu_e2');
  return shows(
    wait?.waitsFor === 'lock' && answer.allowed && answer.isFirstOver,
    `the second waited for ${wait?.resource}: ${wait?.reasons[0] ?? ''}; it went on when the first had ended`,
    ...held.map(({ call }) => call),
    wait?.call ?? '',
  );
}

/** Both read a file, one replaces it, the other means to: what is it told, and whose lines are there in the end? */
async function eachIsTold(room: Room) {
  const path = join(room.directory, 'plan.txt');
  writeFileSync(path, 'plan\n');
  const [ann, bob] = [await room.agent('ann'), await room.agent('bob')];
  for (const [agent, id] of [
    [ann, 'toolu_r1'],
    [bob, 'toolu_r2'],
  ] as const)
    await room.use(agent, 'Read', { file_path: path }, id);
  await room.use(bob, 'Write', { file_path: path, content: "bob's" }, 'toolu_w1', () =>
    writeFileSync(path, "bob's\n"),
  );
  const command = `echo "ann's" > ${path}`;
  const refused = await room.use(ann, 'Bash', { command }, 'toolu_w2', () => writeFileSync(path, "ann's\n"));
  const told = /changed by bob \(\d+\) with Write, \d+ s ago, call (\w+)/.exec(refused.reason);
  return shows(
    !refused.allowed && told !== null && readFileSync(path, 'utf8') === "bob's\n",
    `ann's shell command was told: ${refused.reason || 'nothing'}`,
    told?.[1] ?? '',
  );
}

async function roundIsNoticed(room: Room) {
  const path = join(room.directory, 'notes.txt');
  writeFileSync(path, 'notes\n');
  const agent = await room.agent('reader');
  await room.use(agent, 'Read', { file_path: path }, 'toolu_n1');
  const before = (await room.control.call('locks', {})).counts.round;
  writeFileSync(path, 'written by a program that mezz does not know\n');
  const write = { file_path: path, content: 'mine' };
  const refused = await room.use(agent, 'Write', write, 'toolu_n2', () => writeFileSync(path, 'mine\n'));
  const { counts, events } = await room.control.call('locks', {});
  const noticed = events.findLast(({ kind, key }) => kind === 'round' && key.endsWith('notes.txt'));
  return shows(
    !refused.allowed && counts.round === before + 1 && noticed !== undefined,
    `the file was written by this experiment, past the kernel: the agent was told "${refused.reason}"`,
    noticed?.call ?? '',
  );
}

export const TOOLS: Question = {
  number: 3,
  text: 'Two agents call one tool with conflicting demands: what resolves it?',
  conditions: [
    { id: '3a', text: 'something resolves it', experiment: somethingResolves },
    { id: '3b', text: 'each caller is told how', experiment: eachIsTold },
    { id: '3c', text: 'a write round the mediator is noticed', experiment: roundIsNoticed },
  ],
};

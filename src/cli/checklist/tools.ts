import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Evidence, lacks, no, type Question, shows } from './condition.ts';
import { CROWD } from './crowd.ts';
import { waitOf } from './race.ts';
import type { Act, Caller, Guard, Subject, Tools } from './subject.ts';

const CHANGES = 40;
const NOTHING = lacks('tools to call and no gate to ask before one', '');

/** As a client does it: asks, acts when it may, and tells. */
async function use(guard: Guard, caller: Caller, act: Act, does: () => void = () => {}) {
  const answer = await guard.before(caller, act);
  if (!answer.allowed) return answer;
  does();
  await guard.after(caller, act);
  return answer;
}

async function somethingResolves(subject: Subject): Promise<Evidence> {
  const { tools, guard } = subject;
  if (tools?.change) return changesAtOnce(subject, tools, tools.change);
  return guard ? editsAtOnce(subject, guard) : NOTHING;
}

/** Two agents change one thing by one tool, all at once: what was answered as done must be there. */
async function changesAtOnce(subject: Subject, tools: Tools, change: NonNullable<Tools['change']>) {
  const callers = [await subject.caller('ann'), await subject.caller('bob')];
  tools.begin(CHANGES);
  const answers = await Promise.all(
    Array.from({ length: CHANGES }, (_, n) => change(callers[n % callers.length] as Caller, n)),
  );
  const done = answers.filter(({ ok }) => ok).length;
  const kept = tools.kept(CHANGES);
  const failed = answers.find(({ ok }) => !ok)?.text.slice(0, 120);
  const told = failed === undefined ? '' : `; the others were told: ${failed}`;
  const saw = `${CHANGES} changes of ${basename(tools.file)} by two agents at once: ${done} were answered as done, ${kept} of them are in the file, ${Math.max(0, done - kept)} are lost${told}`;
  return done === 0 ? { verdict: 'cannot tell' as const, saw, calls: [] } : shows(kept >= done, saw);
}

/** Two agents' clients edit one file at once: the second is let go only when the first has told its end. */
async function editsAtOnce(subject: Subject, guard: Guard) {
  const path = join(subject.directory, 'shared.txt');
  writeFileSync(path, 'one\n');
  const [first, second] = [await subject.caller('edits-first'), await subject.caller('edits-second')];
  const edit = (id: string) => ({
    ...{ tool: 'Edit', id },
    input: { file_path: path, old_string: 'one', new_string: 'two' },
  });
  await guard.before(first, edit('toolu_e1'));
  let isFirstOver = false;
  const asked = guard.before(second, edit('toolu_e2')).then((answer) => ({ ...answer, isFirstOver }));
  const wait = await waitOf(subject, second);
  isFirstOver = true;
  await guard.after(first, edit('toolu_e1'));
  const answer = await asked;
  await guard.after(second, edit('toolu_e2'));
  return shows(
    wait?.kind === 'lock' && answer.allowed && answer.isFirstOver,
    `the second waited for ${wait?.resource}: ${wait?.reasons[0] ?? ''}; it went on when the first had ended`,
    ...(wait?.calls ?? []),
  );
}

async function eachIsTold(subject: Subject): Promise<Evidence> {
  const { tools, guard } = subject;
  if (tools) return staleReplace(subject, tools, false);
  return guard ? staleWrite(subject, guard) : NOTHING;
}

const BOBS = "bob's\n";

/** A refusal shows changed lines as they are; evidence is a sentence. */
const inOneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Both read a file, one replaces it, the other means to: what is it told, and whose lines are there in the end? */
async function staleWrite(subject: Subject, guard: Guard) {
  const path = join(subject.directory, 'plan.txt');
  writeFileSync(path, 'plan\n');
  const [ann, bob] = [await subject.caller('ann'), await subject.caller('bob')];
  for (const caller of [ann, bob])
    await use(guard, caller, { tool: 'Read', input: { file_path: path }, id: `toolu_r_${caller.name}` });
  const write = { tool: 'Write', input: { file_path: path, content: "bob's" }, id: 'toolu_w1' };
  await use(guard, bob, write, () => writeFileSync(path, BOBS));
  const command = `echo "ann's" > ${path}`;
  const act = { tool: 'Bash', input: { command }, id: 'toolu_w2' };
  const refused = await use(guard, ann, act, () => writeFileSync(path, "ann's\n"));
  const told = /changed by bob \(\d+\) with Write, \d+ s ago, call (\w+)/.exec(refused.reason);
  return shows(
    !refused.allowed && (told !== null || !subject.isOwn) && readFileSync(path, 'utf8') === BOBS,
    `ann's shell command was told: ${inOneLine(refused.reason) || 'nothing'}`,
    told?.[1] ?? '',
  );
}

async function roundIsNoticed(subject: Subject): Promise<Evidence> {
  const { tools, guard } = subject;
  if (tools) return staleReplace(subject, tools, true);
  return guard ? writtenRound(subject, guard) : NOTHING;
}

async function writtenRound(subject: Subject, guard: Guard) {
  const path = join(subject.directory, 'notes.txt');
  writeFileSync(path, 'notes\n');
  const caller = await subject.caller('reader');
  await use(guard, caller, { tool: 'Read', input: { file_path: path }, id: 'toolu_n1' });
  writeFileSync(path, 'written by a program that mezz does not know\n');
  const write = { tool: 'Write', input: { file_path: path, content: 'mine' }, id: 'toolu_n2' };
  const refused = await use(guard, caller, write, () => writeFileSync(path, 'mine\n'));
  const record = await subject.records?.round?.(path);
  return shows(
    !refused.allowed && (record !== undefined || subject.records?.round === undefined),
    `the file was written by this experiment, past the kernel: the agent was told "${inOneLine(refused.reason)}"`,
    record?.id ?? '',
  );
}

/** As `staleWrite`, by tools that callers reach through the product; `round`: the change comes from outside of it. */
async function staleReplace(subject: Subject, tools: Tools, round: boolean): Promise<Evidence> {
  const { read, replace, file } = tools;
  if (!read || !replace) return lacks('tool that reads a file and one that replaces it', '');
  const [ann, bob] = [await subject.caller('ann'), await subject.caller('bob')];
  writeFileSync(file, 'plan\n');
  const was = [await read(ann), await read(bob)].every(({ ok }) => ok);
  if (round) writeFileSync(file, BOBS);
  else await replace(bob, BOBS);
  if (!was || readFileSync(file, 'utf8') !== BOBS)
    return { verdict: 'cannot tell', saw: `${basename(file)} could not be read or written first`, calls: [] };
  const answer = await replace(ann, "ann's\n");
  const isBobs = readFileSync(file, 'utf8') === BOBS;
  const who = round ? 'a program past it' : 'bob';
  const saw = `both read ${basename(file)}, ${who} wrote it, ann then replaced it: ann was answered ${answer.ok ? 'as if nothing had happened' : `"${answer.text.slice(0, 200)}"`}, and what ${who} wrote is ${isBobs ? 'still there' : 'gone'}`;
  return !answer.ok && isBobs ? shows(true, saw) : no(saw);
}

export const TOOLS: Question = {
  number: 3,
  text: 'Two agents call one tool with conflicting demands: what resolves it?',
  conditions: [
    { id: '3a', text: 'something resolves it', experiment: somethingResolves },
    { id: '3b', text: 'each caller is told how', experiment: eachIsTold },
    { id: '3c', text: 'a write round the mediator is noticed', experiment: roundIsNoticed },
    ...CROWD,
  ],
};

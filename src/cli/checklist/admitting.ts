import { type Evidence, lacks, type Question, shows } from './condition.ts';
import { groundClaims } from './ground.ts';
import type { Subject, Words } from './subject.ts';

const NO_WORDS = lacks('text that says it: its description names none', '');
/** What something that stands on an operating system calls itself. */
const LAYER = /\b(orchestration layer|layer|gateway|proxy|middleware|library|server)\b/i;

/** The first line of some texts that says it, and whose it is. */
function lineOf(texts: Readonly<Record<string, string>>, says: RegExp): string | undefined {
  for (const [name, text] of Object.entries(texts)) {
    const line = text.split('\n').find((one) => says.test(one));
    if (line !== undefined) return `${name} says: ${line.trim().replaceAll(/ +/g, ' ').slice(0, 200)}`;
  }
  return undefined;
}

const said = (texts: Readonly<Record<string, string>>, says: RegExp): Evidence => {
  if (Object.keys(texts).length === 0) return NO_WORDS;
  const line = lineOf(texts, says);
  return shows(line !== undefined, line ?? `${Object.keys(texts).join(', ')} says nothing of it`);
};

const withWords =
  (answer: (words: Words, subject: Subject) => Evidence) =>
  async (subject: Subject): Promise<Evidence> => {
    const words = await subject.words?.();
    return words ? answer(words, subject) : NO_WORDS;
  };

const normalSystem = withWords(({ unasked }) => said(unasked, /Linux|macOS|Windows/));

const orchestration = withWords(({ help }, { isOwn }) => said(help, isOwn ? /orchestration layer/ : LAYER));

const nothingImplied = withWords(({ help, pages }) => {
  const texts = { ...pages, ...help };
  if (Object.keys(texts).length === 0) return NO_WORDS;
  const claims = Object.entries(texts).flatMap(([name, text]) =>
    groundClaims(text).map((sentence) => `${name}: ${sentence}`),
  );
  const named = Object.keys(texts).join(', ');
  return shows(claims.length === 0, claims.length === 0 ? `no such claim in ${named}` : claims.join(' | '));
});

export const ADMITTING: Question = {
  number: 5,
  text: 'What does it admit it is not?',
  conditions: [
    { id: '5a', text: 'it says unasked that it runs on a normal operating system', experiment: normalSystem },
    { id: '5b', text: 'and that it is an orchestration layer', experiment: orchestration },
    { id: '5c', text: 'nothing it says implies otherwise', experiment: nothingImplied },
  ],
};

/**
 * Codex's tool `exec` takes a JavaScript program that calls the client's other tools. The program touches nothing by
 * itself: the calls it makes are the actions, and a hook asks about each of them, but not about input typed into a
 * command that still runs (`write_stdin`; Codex 0.169.0, tried). What the text shows is a reading, no proof: a program
 * that means to can hide a call.
 */

/** Does a program call nothing, only what hooks ask about, or something that nobody asks about? */
export type ProgramReading = 'calls_nothing' | 'asks' | 'unasked';

/** Strings on one line and templates without code in them: what they say is no call. */
const LITERALS = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\[\s\S])*`/g;
/** Calls without a hook, and ways to call that the text does not name. */
const UNASKED = /\b(?:write_stdin|eval|Function|globalThis)\b|\btools\b(?!\s*\??\.\s*[A-Za-z_$])/;

export function readProgram(source: string): ProgramReading {
  const code = source.replace(LITERALS, "''");
  if (UNASKED.test(code)) return 'unasked';
  return /\btools\b/.test(code) ? 'asks' : 'calls_nothing';
}

/** Exit codes of the command line. They are stable; `mezz help exit-codes` prints this table and the error table. */
export const EXITS = [
  [0, 'done'],
  [1, 'failed'],
  [2, 'the command was typed wrong, or the request cannot be read'],
  [3, 'no such agent, call, model or other object'],
  [4, 'refused: an access policy, a freeze or a missing key'],
  [5, 'a person must approve first (mezz inbox)'],
  [6, 'a budget, limit or price stands in the way'],
  [7, 'no kernel answers (mezz up)'],
  [124, 'timed out'],
  [126, 'the program to run cannot be executed'],
  [127, 'the program to run was not found'],
] as const;

/** Something the user can put right: what, and what to type next. */
export class UsageFailure extends Error {
  override name = 'UsageFailure';
  readonly remedy: string | undefined;
  readonly exit: number;

  constructor(message: string, remedy?: string, exit = 2) {
    super(message);
    this.remedy = remedy;
    this.exit = exit;
  }
}

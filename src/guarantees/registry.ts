/**
 * guarantees/ owns what mezz promises: each promise with what it rests on, how it can be bypassed and the test that
 * proves it, the documents made from that, and doctor, which looks at what really holds on this machine.
 * Invariant: no promise without a passing test. It must not know how a promise is kept.
 */
import type { CoverageLevel } from '../base/control.ts';
import type { Facts, Need, Promised } from './promise.ts';
import { PROMISES } from './promises.ts';

const LEVELS: readonly CoverageLevel[] = ['none', 'seen', 'held', 'hooked', 'enclosed'];

/** Why a need is not met here, or undefined when it is. */
const UNMET: { readonly [N in Need]: (facts: Facts) => string | undefined } = {
  enforcing: ({ profile }) =>
    profile === 'observe'
      ? 'the observe profile refuses nothing: mezz policy apply --profile default'
      : undefined,
  hooked: ({ coverage }) =>
    LEVELS.indexOf(coverage) < LEVELS.indexOf('hooked')
      ? `its own tools are ${coverage === 'none' ? 'not seen yet' : `only ${coverage}`}: start it with mezz run`
      : undefined,
  held: ({ held }) => (held ? undefined : 'its answers are not held: mezz agent hold <agent>'),
  strict: ({ strict }) => (strict ? undefined : 'no strict limit covers it: mezz limit set --strict'),
  bodies: ({ bodies }) => (bodies === 'keep' ? undefined : `journal.bodies is ${bodies}`),
};

/** The guarantee sheet of one agent: every promise, and why it does not hold for this agent where it does not. */
export function sheetFor(facts: Facts): { readonly promise: Promised; readonly unmet: readonly string[] }[] {
  return PROMISES.map((promise) => ({
    promise,
    unmet: (promise.needs ?? []).flatMap((need) => UNMET[need](facts) ?? []),
  }));
}

/** The sheet as lines for people; the promises that do not hold come first. */
export function sheetLines(facts: Facts): string[] {
  const sheet = sheetFor(facts);
  const open = sheet.filter(({ unmet }) => unmet.length > 0);
  return [
    ...open.map(({ promise, unmet }) => `not held: ${promise.text} (${unmet.join('; ')}) [${promise.id}]`),
    ...sheet
      .filter((line) => !open.includes(line))
      .map(({ promise }) => `held: ${promise.text} [${promise.id}]`),
  ];
}

/** Random conversations, as writers.ts writes them. Members that only one API has carry a mark. */
import fc from 'fast-check';
import type { JsonRecord } from '../../src/base/json.ts';

/** In everything that may be lost: where it is gone, the report must have named it. */
export const MARK = 'only-here';

export interface Shown {
  readonly kind: 'image' | 'url' | 'file' | 'stored';
  readonly close: boolean;
}
interface Step {
  readonly thought: string;
  readonly text: string;
  readonly calls: readonly { readonly name: string; readonly args: JsonRecord }[];
  /** What each call got; none of its own for a call without. */
  readonly results: readonly {
    readonly text: string;
    readonly shown: readonly Shown[];
    readonly isError: boolean;
  }[];
  readonly aside: string;
  readonly user: string;
  readonly shown: readonly Shown[];
}
export interface Conversation {
  readonly system: string;
  readonly first: string;
  readonly steps: readonly Step[];
  readonly tools: readonly string[];
  readonly hosted: boolean;
  readonly choice: 'auto' | 'none' | 'required' | 'one' | 'strange' | undefined;
  readonly single: boolean;
  readonly max: number | undefined;
  readonly temperature: number | undefined;
  readonly stop: readonly string[];
  readonly effort: 'low' | 'high' | undefined;
  readonly format: 'schema' | 'object' | undefined;
  /** Where a member that no other dialect has stands. */
  readonly marks: ReadonlySet<string>;
}

const prose = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((text) => `w${text.replace(/\s/g, '_')}`),
  fc.constantFrom('Grüße, 世界 🌍', 'two\nlines', '{"like": "json"}', 'data: [DONE]'),
);
const maybe = (text: fc.Arbitrary<string>) => fc.oneof({ weight: 2, arbitrary: text }, fc.constant(''));
const shown = fc.array(
  fc.record({ kind: fc.constantFrom('image', 'url', 'file', 'stored'), close: fc.boolean() }),
  { maxLength: 2 },
) as fc.Arbitrary<Shown[]>;
const TOOLS = ['read', 'shell', 'mcp__files__list'];
const step: fc.Arbitrary<Step> = fc
  .record({
    thought: maybe(prose),
    text: maybe(prose),
    calls: fc.array(
      fc.record({
        name: fc.constantFrom(...TOOLS),
        args: fc.dictionary(prose, fc.jsonValue({ maxDepth: 2 })),
      }),
      { maxLength: 3 },
    ) as fc.Arbitrary<Step['calls']>,
    outcomes: fc.array(fc.record({ text: maybe(prose), shown, isError: fc.boolean() }), {
      minLength: 3,
      maxLength: 3,
    }),
    aside: maybe(prose),
    user: maybe(prose),
    shown,
  })
  .map(({ outcomes, ...rest }) => ({
    ...rest,
    results: rest.calls.map((_, at) => outcomes[at] as Step['results'][number]),
  }));

/** Where marks may stand, in each dialect's own members. */
export const PLACES = ['top', 'message', 'text', 'tool', 'call', 'result', 'format', 'nested'] as const;

export const conversation: fc.Arbitrary<Conversation> = fc.record({
  system: maybe(prose),
  first: prose,
  steps: fc.array(step, { maxLength: 3 }),
  tools: fc.subarray(TOOLS),
  hosted: fc.boolean(),
  choice: fc.constantFrom('auto', 'none', 'required', 'one', 'strange', undefined),
  single: fc.boolean(),
  max: fc.constantFrom(undefined, 9, 4096),
  temperature: fc.constantFrom(undefined, 0, 0.5, 1.5),
  stop: fc.array(prose, { maxLength: 6 }),
  effort: fc.constantFrom(undefined, 'low', 'high'),
  format: fc.constantFrom(undefined, 'schema', 'object'),
  marks: fc.subarray([...PLACES]).map((places) => new Set<string>(places)),
});

/** What a verb of the control protocol is, and the look that a value from outside must have before anything sees it. */
import { isRecord, type Json, type JsonRecord } from './json.ts';

export interface Verb<Request, Response> {
  readonly request: Request;
  readonly response: Response;
}
export type Selector = { /** pid, name or unique name prefix */ readonly agent: string };

/** The look of one value. */
export interface Shape<T> {
  /** What is wrong with a value that stands at `at`; undefined where it is a T. */
  wrong(value: Json, at: string): string | undefined;
  /** Never set: carries the type. */
  readonly is?: T;
}
/** Of a member that may be left out. */
export interface Optional<T> extends Shape<T> {
  readonly isOptional: true;
}
/** One for each member of a request; the compiler sees to it that none is forgotten, and that they fit. */
export type Members<R> = {
  readonly [K in keyof R]-?: object extends Pick<R, K> ? Optional<Exclude<R[K], undefined>> : Shape<R[K]>;
};
export type Requests<Verbs extends { readonly [V in keyof Verbs]: { readonly request: unknown } }> = {
  readonly [V in keyof Verbs]: Members<Verbs[V]['request']>;
};

const NAME_CHARACTERS = 128;

export function shape<T>(words: string, isSo: (value: Json) => boolean): Shape<T> {
  return { wrong: (value, at) => (isSo(value) ? undefined : `${at} must be ${words}`) };
}

/** No file and no column takes NUL. */
function isText(value: Json): boolean {
  return typeof value === 'string' && !value.includes('\0');
}

/** A name or an id: what may stand in an entry of the journal. */
export const text: Shape<string> = shape(
  `a text of at most ${NAME_CHARACTERS} characters`,
  (value) => isText(value) && (value as string).length <= NAME_CHARACTERS,
);
/** A path, an address, a whole file. */
export const long: Shape<string> = shape('a text without NUL', isText);
export const flag: Shape<boolean> = shape('true or false', (value) => typeof value === 'boolean');
export const number: Shape<number> = shape('a number', (value) => typeof value === 'number');
export const json: Shape<JsonRecord> = shape('an object', isRecord);

export const whole: Shape<number> = shape('a whole number', (value) => Number.isSafeInteger(value));

/** A whole number, `least` or more. */
export const count = (least = 0): Shape<number> =>
  shape(
    `a whole number, ${least} or more`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least,
  );

export const oneOf = <const T extends string>(...values: readonly T[]): Shape<T> =>
  shape(`one of ${values.join(', ')}`, (value) => values.some((one) => one === value));

export const maybe = <T>(of: Shape<T>): Optional<T> => ({ ...of, isOptional: true });

export const orNull = <T>(of: Shape<T>): Shape<T | null> => ({
  wrong: (value, at) => (value === null ? undefined : of.wrong(value, at)),
});

export const listOf = <T>(of: Shape<T>): Shape<T[]> => ({
  wrong: (value, at) =>
    Array.isArray(value)
      ? first(value.map((one, i) => () => of.wrong(one, `${at}[${i}]`)))
      : `${at} must be a list`,
});

/** Named values. */
export const mapOf = <T>(of: Shape<T>): Shape<Readonly<Record<string, T>>> => ({
  wrong: (value, at) =>
    isRecord(value)
      ? first(
          Object.entries(value).map(
            ([name, one]) =>
              () =>
                of.wrong(one, `${at}.${name}`),
          ),
        )
      : `${at} must be an object`,
});

/** An object with these members; what else it holds is not looked at. */
export const object = <T>(members: Members<T>): Shape<T> => ({
  wrong: (value, at) => (isRecord(value) ? wrongIn(members, value, `${at}.`) : `${at} must be an object`),
});

/** The first member of a request that is not as it must be. */
export function wrongIn<T>(members: Members<T>, request: JsonRecord, at = ''): string | undefined {
  const all = Object.entries(members) as [string, Shape<unknown> | Optional<unknown>][];
  return first(
    all.map(([name, of]) => () => {
      const value = Object.hasOwn(request, name) ? request[name] : undefined;
      if (value !== undefined) return of.wrong(value, `${at}${name}`);
      return 'isOptional' in of ? undefined : `${at}${name} is missing`;
    }),
  );
}

function first(looks: readonly (() => string | undefined)[]): string | undefined {
  for (const look of looks) {
    const wrong = look();
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

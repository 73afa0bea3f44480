/** The kernel's log: one JSON object a line. Secrets never come here; what looks like one is taken out all the same. */
import type { Clock } from '../base/clock.ts';
import { LIMITS } from './limits.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export type Log = {
  readonly [L in Level]: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
};

const REDACTED = '[redacted]';
/** Keys of mezz and of providers, bearer tokens, JSON web tokens, and the token in a base URL's path. */
const SECRETS = [
  /\bmezz_[\w-]{20,}/g,
  /\bsk-[\w-]{6,}/g,
  /\beyJ[\w-]{10,}(?:\.[\w-]+)+/g,
  /\b(Bearer|Basic) +[^\s"'\\,;]+/gi,
  /(\/a\/)[^/\s"'\\?#]+/g,
];
const SECRET_FIELDS =
  /^(?:(?:proxy-)?authorization|(?:x-)?(?:mezz-|goog-)?(?:api-)?key|(?:set-)?cookie|.*(?:token|secret|password))$/i;

/** `text` without what looks like a credential. The second line of defence: callers must not log any. */
export function redact(text: string): string {
  return SECRETS.reduce(
    (rest, pattern) =>
      rest.replace(pattern, (...match: unknown[]) => {
        const kept = typeof match[1] === 'string' ? match[1] : '';
        return `${kept}${kept && !kept.endsWith('/') ? ' ' : ''}${REDACTED}`;
      }),
    text,
  );
}

/** Writes lines of at least `level` to `out`: `{"at":...,"level":...,"event":...}` and the fields. */
export function newLog(out: { write(line: string): unknown }, clock: Clock, level: Level): Log {
  const least = LEVELS.indexOf(level);
  const write =
    (at: Level) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
      if (LEVELS.indexOf(at) < least) return;
      const record = { at: new Date(clock.now()).toISOString(), level: at, event };
      const line = redact(JSON.stringify({ ...record, ...fields, ...record }, plain));
      const whole = line.length <= LIMITS.logLine.value;
      out.write(
        `${whole ? line : JSON.stringify({ ...record, event: redact(event).slice(0, 200), cutFrom: line.length })}\n`,
      );
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** For JSON.stringify: errors as their text, numbers that JSON lacks as text, fields with a secret's name without it. */
function plain(name: string, value: unknown): unknown {
  if (SECRET_FIELDS.test(name) && typeof value === 'string') return REDACTED;
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
  return typeof value === 'bigint' ? value.toString() : value;
}

/** A stream that has ended as the one answer it was. */
import { NO_USAGE } from '../base/usage.ts';
import type { NeutralAnswer, NeutralEvent, NeutralPart } from './neutral.ts';

export function collectAnswer(events: readonly NeutralEvent[]): NeutralAnswer {
  const texts = new Map<number, string>();
  for (const event of events)
    if (event.kind === 'delta') texts.set(event.index, (texts.get(event.index) ?? '') + event.text);
  const parts = events.flatMap((event): NeutralPart[] => {
    if (event.kind !== 'open') return [];
    const text = texts.get(event.index) ?? '';
    if (event.part.kind === 'call') return [{ ...event.part, input: text, extras: {} }];
    if (event.part.kind === 'reasoning') return [{ kind: 'reasoning', text, sealed: undefined, extras: {} }];
    return [{ kind: event.part.kind, text, extras: {} }];
  });
  const start = events.find((event) => event.kind === 'start');
  const end = events.find((event) => event.kind === 'end');
  return {
    id: start?.id ?? '',
    model: start?.model ?? '',
    parts,
    stop: end?.stop ?? 'end',
    usage: end?.usage ?? NO_USAGE,
  };
}

/** Answers as they are written: each part opens, grows word by word, and closes. */
import type { NeutralAnswer, NeutralEvent, NeutralPart, OpenPart } from '../../wire/neutral.ts';
import { tokensOf } from './model.ts';

export interface Piece {
  readonly tokens: number;
  readonly event: NeutralEvent;
}

export function piecesOf(part: NeutralPart, index: number): Piece[] {
  const open = openOf(part);
  if (!open) return [];
  const whole = part.kind === 'call' ? part.input : 'text' in part ? part.text : '';
  const sealed = part.kind === 'reasoning' ? part.sealed : undefined;
  let before = '';
  return [
    { tokens: 0, event: { kind: 'open', index, part: open } },
    // Counted on the whole so far: the sum of the words is the count of the text.
    ...(whole.match(/\s*\S+|\s+$/g) ?? []).map((text): Piece => {
      const tokens = tokensOf(before + text) - tokensOf(before);
      before += text;
      return { tokens, event: { kind: 'delta', index, text } };
    }),
    { tokens: 0, event: { kind: 'close', index, sealed } },
  ];
}

function openOf(part: NeutralPart): OpenPart | undefined {
  switch (part.kind) {
    case 'text':
    case 'refusal':
    case 'reasoning':
      return { kind: part.kind };
    case 'call': {
      const { kind, id, name, namespace, custom } = part;
      return { kind, id, name, namespace, custom };
    }
    default:
      return undefined;
  }
}

/** The answer as a stream, in order. */
export function eventsOf({ id, model, parts, stop, usage }: NeutralAnswer): NeutralEvent[] {
  const pieces = parts.flatMap((part, index) => piecesOf(part, index));
  // The real API has counted one token by then.
  const start: NeutralEvent = { kind: 'start', id, model, usage: { ...usage, output: 1 } };
  return [start, ...pieces.map(({ event }) => event), { kind: 'end', stop, usage }];
}

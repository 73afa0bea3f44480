/**
 * What changed between two texts, for a model to read: lines that went and came with two of what stands around them,
 * within bounds. The shortest way from one to the other: E. W. Myers, An O(ND) Difference Algorithm and Its Variations
 * (1986), which costs as much as there are changes.
 */
import { LIMITS } from './limits.ts';

const AROUND = 2;

type Line = { readonly mark: ' ' | '-' | '+'; readonly text: string };

/** undefined where one of them is no text. */
export function tellDiff(before: Uint8Array, after: Uint8Array): string | undefined {
  const [old, now] = [textOf(before), textOf(after)];
  if (old === undefined || now === undefined) return undefined;
  const compared = compare(linesOf(old), linesOf(now));
  if (!compared) return `More than ${LIMITS.diffEdits.value} lines went or came: too many to be shown.`;
  const lines = around(compared);
  const most = LIMITS.diffLines.value;
  const told = lines
    .slice(0, most)
    .map(({ mark, text }) => `${mark}${text.slice(0, LIMITS.diffWidth.value)}`);
  return [...told, ...(lines.length > most ? [`... and ${lines.length - most} more lines`] : [])].join('\n');
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.split('\n'));

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function compare(old: readonly string[], now: readonly string[]): Line[] | undefined {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  let [endOld, endNow] = [old.length, now.length];
  while (endOld > start && endNow > start && old[endOld - 1] === now[endNow - 1]) {
    endOld--;
    endNow--;
  }
  const same = (lines: readonly string[]) => lines.map((text): Line => ({ mark: ' ', text }));
  const changed = middle(old.slice(start, endOld), now.slice(start, endNow));
  return changed && [...same(old.slice(0, start)), ...changed, ...same(old.slice(endOld))];
}

/** What of the middles is the same; undefined where more lines changed than are looked for. */
function middle(old: readonly string[], now: readonly string[]): Line[] | undefined {
  if (old.length === 0) return now.map((text) => ({ mark: '+', text }));
  if (now.length === 0) return old.map((text) => ({ mark: '-', text }));
  const most = Math.min(old.length + now.length, LIMITS.diffEdits.value);
  // For each number of edits, how far down `old` each diagonal had been reached by fewer: diagonal k is at k + most + 1.
  const reached: Int32Array[] = [];
  const far = new Int32Array(2 * most + 3);
  const at = (k: number) => far[k + most + 1] as number;
  for (let edits = 0; edits <= most; edits++) {
    reached.push(far.slice(most - edits, most + edits + 3));
    for (let k = -edits; k <= edits; k += 2) {
      const isAdded = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
      let i = isAdded ? at(k + 1) : at(k - 1) + 1;
      while (i < old.length && i - k < now.length && old[i] === now[i - k]) i++;
      far[k + most + 1] = i;
      if (i >= old.length && i - k >= now.length) return backwards(old, now, reached);
    }
  }
  return undefined;
}

/** The way to the end, from the end. */
function backwards(old: readonly string[], now: readonly string[], reached: readonly Int32Array[]): Line[] {
  const lines: Line[] = [];
  let [i, j] = [old.length, now.length];
  for (let edits = reached.length - 1; edits >= 0; edits--) {
    const at = (k: number) => reached[edits]?.[k + edits + 1] as number;
    const k = i - j;
    const isAdded = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const from = edits === 0 ? 0 : isAdded ? at(k + 1) : at(k - 1) + 1;
    while (i > from) {
      lines.push({ mark: ' ', text: old[--i] as string });
      j--;
    }
    if (edits === 0) break;
    if (isAdded) lines.push({ mark: '+', text: now[--j] as string });
    else lines.push({ mark: '-', text: old[--i] as string });
  }
  return lines.reverse();
}

/** Only what stands near a change; a line of dots for what is left out. */
function around(lines: readonly Line[]): Line[] {
  const isNear = lines.map((_, n) =>
    lines.slice(Math.max(0, n - AROUND), n + AROUND + 1).some(({ mark }) => mark !== ' '),
  );
  return lines.flatMap((line, n): Line[] => {
    if (isNear[n]) return [line];
    return n > 0 && isNear[n - 1] && isNear.slice(n).includes(true) ? [{ mark: ' ', text: '...' }] : [];
  });
}

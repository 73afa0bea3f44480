/**
 * What changed between two texts, for a model to read: lines that went and came with two of what stands around them,
 * within bounds. The longest common subsequence by dynamic programming, where both middles are small.
 */
import { LIMITS } from './limits.ts';

const AROUND = 2;

type Line = { readonly mark: ' ' | '-' | '+'; readonly text: string };

/** undefined where one of them is no text. */
export function tellDiff(before: Uint8Array, after: Uint8Array): string | undefined {
  const [old, now] = [textOf(before), textOf(after)];
  if (old === undefined || now === undefined) return undefined;
  const lines = around(compare(old.split('\n'), now.split('\n')));
  const most = LIMITS.diffLines.value;
  const told = lines
    .slice(0, most)
    .map(({ mark, text }) => `${mark}${text.slice(0, LIMITS.diffWidth.value)}`);
  return [...told, ...(lines.length > most ? [`... and ${lines.length - most} more lines`] : [])].join('\n');
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function compare(old: readonly string[], now: readonly string[]): Line[] {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  let [endOld, endNow] = [old.length, now.length];
  while (endOld > start && endNow > start && old[endOld - 1] === now[endNow - 1]) {
    endOld--;
    endNow--;
  }
  const same = (lines: readonly string[]) => lines.map((text): Line => ({ mark: ' ', text }));
  return [
    ...same(old.slice(0, start)),
    ...middle(old.slice(start, endOld), now.slice(start, endNow)),
    ...same(old.slice(endOld)),
  ];
}

function middle(old: readonly string[], now: readonly string[]): Line[] {
  const gone = (text: string): Line => ({ mark: '-', text });
  const come = (text: string): Line => ({ mark: '+', text });
  if (old.length * now.length > LIMITS.diffCells.value) return [...old.map(gone), ...now.map(come)];
  // common[i][j]: how many lines old from i on and now from j on share, in order.
  const width = now.length + 1;
  const common = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const [a, b] = [old[i], now[j]];
    if (a !== undefined && a === b) {
      lines.push({ mark: ' ', text: a });
      i++;
      j++;
    } else if (a !== undefined && (b === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(gone(a));
      i++;
    } else {
      lines.push(come(b as string));
      j++;
    }
  }
  return lines;
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

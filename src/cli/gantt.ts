/** Who had which backend when: as text for a terminal, as SVG for a file. Pure: spans in, text out. */
import type { SpanView } from '../base/order.ts';

export interface Chart {
  readonly since: number;
  readonly until: number;
  readonly spans: readonly SpanView[];
}

interface Row {
  readonly backend: string;
  readonly name: string;
  readonly spans: SpanView[];
}

/** One row for each agent on each backend, in the order in which they first came. */
function rowsOf(spans: readonly SpanView[]): Row[] {
  const rows = new Map<string, Row>();
  for (const span of spans) {
    const id = `${span.backend} ${span.agent}`;
    const row = rows.get(id) ?? {
      backend: span.backend,
      name: `${span.agentName} (${span.agent})`,
      spans: [],
    };
    rows.set(id, row);
    row.spans.push(span);
  }
  return [...rows.values()].sort((a, b) => (a.backend < b.backend ? -1 : a.backend > b.backend ? 1 : 0));
}

const clockTime = (at: number): string => new Date(at).toISOString().slice(11, 19);

const WAITS = '·';
const RUNS = '█';

/** Lines of at most `columns` characters: `█` has the backend, `·` waits for it. */
export function ganttText(chart: Chart, columns: number): string[] {
  const rows = rowsOf(chart.spans);
  const left = Math.min(32, Math.max(0, ...rows.map(({ name }) => name.length)));
  const width = Math.max(10, columns - left - 2);
  const { since, until } = chart;
  const cellMs = Math.max(1, (until - since) / width);
  const cellOf = (at: number) => Math.min(width - 1, Math.max(0, Math.floor((at - since) / cellMs)));
  const lines: string[] = [];
  rows.forEach((row, index) => {
    if (row.backend !== rows[index - 1]?.backend)
      lines.push(...(index > 0 ? [''] : []), `${row.backend}, one column ${(cellMs / 1000).toFixed(2)} s`);
    const cells = new Array<string>(width).fill(' ');
    for (const { arrivedAt, startedAt, endedAt } of row.spans) {
      if (arrivedAt < startedAt)
        for (let at = cellOf(arrivedAt); at < cellOf(startedAt); at++)
          if (cells[at] === ' ') cells[at] = WAITS;
      for (let at = cellOf(startedAt); at <= cellOf(endedAt ?? until); at++) cells[at] = RUNS;
    }
    lines.push(`${row.name.slice(0, left).padEnd(left)}  ${cells.join('').trimEnd()}`);
  });
  if (rows.length > 0)
    lines.push(`${' '.repeat(left)}  ${clockTime(since).padEnd(Math.max(10, width - 8))}${clockTime(until)}`);
  return lines;
}

const HUES = [210, 25, 130, 280, 55, 340, 175, 95];
const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** As many letters as there is room for left of the bars. */
const NAMED = 32;
const shortened = (text: string): string => (text.length > NAMED ? `${text.slice(0, NAMED - 1)}…` : text);
/** Times along the top. */
const TICKS = 6;

/** A picture of its own: no script, no font, nothing it would have to load. */
export function ganttSvg(chart: Chart): string {
  const rows = rowsOf(chart.spans);
  const { since, until } = chart;
  const [left, width, height] = [220, 960, 22];
  const x = (at: number) =>
    left + (width * (Math.min(until, Math.max(since, at)) - since)) / (until - since || 1);
  const bar = (from: number, to: number, y: number, fill: string, title: string) =>
    `<rect x="${x(from).toFixed(1)}" y="${y}" width="${Math.max(0.5, x(to) - x(from)).toFixed(1)}" height="16" fill="${fill}"><title>${escaped(title)}</title></rect>`;
  const marks = rows.flatMap(({ backend, name, spans }, index) => {
    const y = 30 + index * height;
    const hue = HUES[index % HUES.length];
    return [
      `<text x="8" y="${y + 12}">${escaped(shortened(`${backend}: ${name}`))}<title>${escaped(`${backend}: ${name}`)}</title></text>`,
      ...spans.flatMap((span) => {
        const { arrivedAt, startedAt, endedAt, call } = span;
        const waitedS = ((startedAt - arrivedAt) / 1000).toFixed(1);
        const ranS = (((endedAt ?? until) - startedAt) / 1000).toFixed(1);
        const title = `${call}: waited ${waitedS} s, ran ${ranS} s`;
        return [
          ...(arrivedAt < startedAt ? [bar(arrivedAt, startedAt, y, `hsl(${hue} 30% 85%)`, title)] : []),
          bar(startedAt, endedAt ?? until, y, `hsl(${hue} 60% 45%)`, title),
        ];
      }),
    ];
  });
  const total = 58 + rows.length * height;
  const times = Array.from({ length: TICKS }, (_, n) => since + ((until - since) * n) / (TICKS - 1)).map(
    (at) =>
      `<text x="${x(at).toFixed(1)}" y="18" text-anchor="middle">${clockTime(at)}</text><path d="M${x(at).toFixed(1)} 24V${total - 24}" stroke="#ddd"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 40} ${total}" font-family="sans-serif" font-size="12">`,
    '<path d="M0 0H1300V100000H0Z" fill="#fff"/>',
    ...times,
    ...marks,
    `<text x="${left}" y="${total - 8}">pale: waits; full: has the backend (UTC)</text>`,
    '</svg>',
    '',
  ].join('\n');
}

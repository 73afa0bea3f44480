import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ganttSvg, ganttText } from './gantt.ts';

const span = (
  agent: number,
  backend: string,
  arrivedAt: number,
  startedAt: number,
  endedAt: number | null,
) => ({
  call: `c${arrivedAt}`,
  agent,
  agentName: `a<${agent}`,
  backend,
  arrivedAt,
  startedAt,
  endedAt,
});
const chart = {
  since: 0,
  until: 10_000,
  spans: [span(1, 'x', 0, 0, 4_500), span(2, 'x', 1_000, 5_000, 7_000), span(2, 'y', 8_000, 8_000, null)],
};

test('a row for each agent on each backend: dots while it waits, blocks while it has it', () => {
  const lines = ganttText(chart, 17);
  assert.deepEqual(lines.slice(0, 6), [
    'x, one column 1.00 s',
    'a<1 (1)  █████',
    'a<2 (2)   ····███',
    '',
    'y, one column 1.00 s',
    'a<2 (2)          ██',
  ]);
  assert.match(lines[6] ?? '', /00:00:00 .*00:00:10$/);
  assert.deepEqual(ganttText({ ...chart, spans: [] }, 80), []);
});

test('the picture has a bar for each wait and each run, and names nothing that could run', () => {
  const svg = ganttSvg(chart);
  assert.equal(svg.match(/<rect /g)?.length, 4);
  assert.match(svg, /<title>c1000: waited 4.0 s, ran 2.0 s<\/title>/);
  assert.ok(svg.includes('x: a&#60;1 (1)') && !svg.includes('a<1'));
  const long = ganttSvg({ ...chart, spans: [{ ...span(1, 'x', 0, 0, 5), agentName: 'n'.repeat(60) }] });
  assert.match(long, />x: n{28}…<title>x: n{60} \(1\)</);
});

/**
 * Reads Prometheus' text format 0.0.4 as strictly as promtool does: each family declared once with HELP and TYPE before
 * its samples, samples together, escapes, unique series, whole and rising histograms.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import assert from 'node:assert/strict';

export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `name{label="value",...}` as printed -> value. */
  readonly samples: Map<string, number>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/;
const LABELS = /^\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*")*\}$/;

export function readExposition(page: string): Map<string, Family> {
  assert.ok(page.endsWith('\n'), 'the last line ends');
  const families = new Map<string, Family>();
  let help = '';
  let current: [string, Family] | undefined;
  for (const line of page.slice(0, -1).split('\n')) {
    const declared = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (declared?.[1] === 'HELP') {
      help = declared[2] as string;
      assert.ok(!families.has(help), `${help} is declared once`);
    } else if (declared) {
      const [, , name = '', type = ''] = declared;
      assert.equal(name, help, 'TYPE follows its HELP');
      assert.match(type, /^(counter|gauge|histogram)$/);
      current = [name, { type: type as Family['type'], samples: new Map() }];
      families.set(...current);
    } else addSample(current, line);
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function addSample(current: [string, Family] | undefined, line: string): void {
  assert.ok(current, `a sample before any family: ${line}`);
  const [name, { type, samples }] = current;
  const [, own = '', labels = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(`not a sample: ${line}`);
  const base = type === 'histogram' ? own.replace(/_(bucket|sum|count)$/, '') : own;
  assert.equal(base, name, `${line} stands among the samples of ${name}`);
  if (type === 'counter') assert.ok(own.endsWith('_total'), `${own} ends in _total`);
  if (labels) assert.match(labels, LABELS);
  assert.ok(Number.isFinite(Number(value)), `${line} has a number`);
  if (type !== 'gauge') assert.ok(Number(value) >= 0, `${line} is not negative`);
  assert.ok(!samples.has(own + labels), `${own}${labels} is there once`);
  samples.set(own + labels, Number(value));
}

/** Of each series: buckets rise with `le`, the last is +Inf and equals the count, and there is a sum. */
function checkHistogram(name: string, { samples }: Family): void {
  const series = new Map<string, { le: number; count: number }[]>();
  for (const [key, value] of samples) {
    const bucket = /^(\w+)_bucket\{(.*?),?le="([^"]+)"\}$/.exec(key);
    if (!bucket) continue;
    const [, , labels = '', le = ''] = bucket;
    const list = series.get(labels) ?? [];
    list.push({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count: value });
    series.set(labels, list);
  }
  for (const [labels, buckets] of series) {
    const braces = labels ? `{${labels}}` : '';
    for (const [i, bucket] of buckets.entries()) {
      const before = buckets[i - 1];
      if (before) assert.ok(before.le < bucket.le && before.count <= bucket.count, `${name}${braces} rises`);
    }
    assert.equal(buckets.at(-1)?.le, Number.POSITIVE_INFINITY, `${name}${braces} ends with +Inf`);
    assert.equal(samples.get(`${name}_count${braces}`), buckets.at(-1)?.count, `${name}${braces} counts`);
    assert.ok(samples.has(`${name}_sum${braces}`), `${name}${braces} has a sum`);
  }
}

/** The sum of all samples whose key holds every one of `parts`. */
export function total(family: Family | undefined, ...parts: string[]): number {
  let sum = 0;
  for (const [key, value] of family?.samples ?? [])
    if (parts.every((part) => key.includes(part))) sum += value;
  return sum;
}

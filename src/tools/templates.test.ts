import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from './limits.ts';
import { Sought } from './templates.ts';

test('a template fits the addresses that its expressions can make', () => {
  const cases: readonly (readonly [template: string, fits: readonly string[], others: readonly string[]])[] =
    [
      [
        'test://{id}/data',
        ['test://7/data', 'test:///data'],
        ['test://7/8/data', 'test://7/data/x', 'x://7/data'],
      ],
      ['file:///{+path}', ['file:///a/b', 'file:///'], ['file://a', 'http:///a']],
      ['file:///{path}', ['file:///a b'], ['file:///a/b']],
      ['a:{b}{c}-{d}', ['a:-', 'a:1-2', 'a:1-2-3'], ['a:12', 'a:1/2-3']],
      ['a:{+b}x{c}/y', ['a:x/q x/y', 'a:1/x2/y'], ['a:x/q x/z', 'a:x/1/2/y']],
      ['q://s{?a,b}', ['q://s', 'q://s?a=1/2'], ['q://']],
      ['repo://{owner}/{repo}/contents{/path*}', ['repo://o/r/contents/a/b.c'], ['repo://o/contents/a']],
      ['a.c:{b}[1]', ['a.c:x[1]'], ['abc:x[1]', 'a.c:x1']],
      ['plain://', ['plain://'], ['plain://x']],
      ['a:{b', ['a:{b'], ['a:b', 'a:']],
      ['a:{b}\n{c}', ['a:1\n2'], ['a:12']],
    ];
  for (const [template, fits, others] of cases) {
    for (const uri of fits) assert.equal(new Sought(uri).fits(template), true, `${template} ${uri}`);
    for (const uri of others) assert.equal(new Sought(uri).fits(template), false, `${template} ${uri}`);
  }
});

test('a template of many expressions ends where trying all their lengths never would', () => {
  const uri = `a:${'a'.repeat(5000)}`;
  assert.equal(new Sought(`${uri}!`).fits(`a:${'{+x}a'.repeat(200)}`), false);
  assert.equal(new Sought(uri).fits(`a:${'{+x}a'.repeat(200)}`), true);
  assert.equal(new Sought(uri).fits(`a:${'{x}{y}'.repeat(100)}!`), false);
  assert.equal(new Sought('a:').fits(`a:${'{'.repeat(1_000_000)}`), false);
});

test('what a look may take is for all templates of a server together; those with another beginning cost nothing', () => {
  const uri = `a:${'a'.repeat(999)}`;
  const template = `a:${'{+x}a'.repeat(200)}`;
  const most = Math.floor(LIMITS.templateSteps.value / (template.length * (uri.length + 1)));
  const sought = new Sought(uri);
  for (let n = 0; n < 10 * most; n++) assert.equal(sought.fits(`b:${template}`), false);
  const fitting = Array.from({ length: most + 5 }, () => sought.fits(template)).filter(Boolean);
  assert.equal(fitting.length, most);
  assert.equal(sought.fits(uri), true, 'and its own name is found');
});

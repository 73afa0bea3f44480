import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import test from 'node:test';
import { addBackend } from './edit.ts';
import { readConfig } from './read.ts';

const BACKEND = {
  id: 'ollama',
  url: 'http://127.0.0.1:11434/v1',
  dialects: ['openai-chat', 'anthropic'],
  slots: 1,
  models: [{ name: 'qwen3:4b', window: 32_768 }, { name: 'org/plain' }],
};

const TEXTS: Readonly<Record<string, string>> = {
  'no file': '',
  'a comment alone': '# nothing yet\n',
  'no line end': 'port: 7000',
  'other sections': '# top\nport: 7000 # why\n\nscheduling:\n  policy: fifo\n# the end\n',
  'both sections, with comments and blank lines': `backends:
    # ours
    house: # the big box
        url: http://127.0.0.1:9/v1
        dialects: [openai-chat]
        credential: local # no key

    # another
    second: { url: 'http://127.0.0.1:8/v1', dialects: [openai-chat], credential: local } # last

models:
    'house-*': { backends: [house], price: free }
# trailing words
hold: none
`,
  'a last setting over several lines': `backends:
  house:
    url: http://127.0.0.1:9/v1
    dialects: [openai-chat]
    credential: local
    idleTimeout: >-
      10m
models:
  m: { backends: [house], price: free }
`,
  'sections without anything in them': 'backends:\nmodels: # none yet\nport: 7000\n',
  'sections in one line': 'backends: {}\nmodels: { big: { backends: [lab], price: free } }\n',
  'models before backends, no line end':
    'models:\n  big: { backends: [lab], price: free }\nbackends:\n  x: { url: http://127.0.0.1:9/v1, dialects: [openai-chat], credential: local }',
};

for (const [what, text] of Object.entries(TEXTS))
  test(`every byte stays and the settings are accepted: ${what}`, () => {
    const edited = addBackend(text, BACKEND);
    assert.ok(edited);
    let rest = edited.text;
    // What was there is there still, in its order: only insertions.
    for (const char of text) {
      const at = rest.indexOf(char);
      assert.notEqual(at, -1, edited.text);
      rest = rest.slice(at + 1);
    }
    for (const line of text.split('\n').filter((one) => !/^(backends|models): \{/.test(one)))
      assert.ok(edited.text.split('\n').includes(line), `${line}\n---\n${edited.text}`);
    const { config, problems } = readConfig('mezz.yaml', edited.text, '/', homedir());
    assert.deepEqual(problems, [], edited.text);
    const spec = config?.backends.find(({ spec: { id } }) => id === 'ollama')?.spec;
    assert.deepEqual([spec?.url, spec?.dialects, spec?.slots], [BACKEND.url, BACKEND.dialects, 1]);
    const windows = config?.models.filter(({ backends }) =>
      (backends as readonly string[]).includes('ollama'),
    );
    assert.deepEqual(
      windows?.map(({ pattern, window }) => [pattern, window]),
      [
        ['qwen3:4b', 32_768],
        ['org/plain', undefined],
      ],
    );
    const before = text === '' ? undefined : readConfig('mezz.yaml', text, '/', homedir()).config;
    if (before)
      assert.deepEqual(
        config?.backends.filter(({ spec: { id } }) => id !== 'ollama'),
        before.backends,
      );
    const again = addBackend(edited.text, BACKEND);
    assert.deepEqual(again, { text: edited.text, added: [], kept: ['ollama', 'qwen3:4b', 'org/plain'] });
  });

test('what is there keeps its meaning, and a text that is no settings is left alone', () => {
  const edited = addBackend("models:\n  'qwen3:4b': { backends: [lab] }\n", BACKEND);
  assert.deepEqual([edited?.added, edited?.kept], [['ollama', 'org/plain'], ['qwen3:4b']]);
  assert.match(edited?.text ?? '', /'qwen3:4b': \{ backends: \[lab\] \}\n/);
  for (const text of ['- a list\n', 'just words', 'a: [', '{ port: 7000 }'])
    assert.equal(addBackend(text, BACKEND), undefined, text);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import type { BackendView, ModelFileView, ModelView } from '../../base/models.ts';
import { chooseModel, LAB, PROVIDER_MODELS, waysToModel } from './model.ts';

const backend = (id: string, more: Partial<BackendView> = {}): BackendView => ({
  id,
  url: '',
  dialects: [],
  credential: 'auto',
  account: '',
  slots: 1,
  busy: 0,
  waiting: 0,
  preemption: { level: 'G1', allows: 'G1', why: '', triedAt: null },
  label: null,
  ready: true,
  keyHeld: false,
  hints: [],
  cache: null,
  ...more,
});
const model = (name: string, id: string, price: ModelView['price'] = null): ModelView => ({
  name,
  backends: [id],
  alias: null,
  window: null,
  price,
});
const file = (id: string): ModelFileView => ({
  id,
  name: id,
  architecture: 'llama',
  path: '',
  bytes: 1,
  sha256: '',
  source: '',
  licence: null,
  windowTokens: null,
  chat: true,
  osPid: null,
});
const lab = backend('lab', { label: 'lab', credential: 'local' });
const models = [model('claude-*', 'anthropic'), model(LAB, 'lab', 'free')];

test('the model of an agent that named none: what is set up here, what costs nothing first, then a key, then lab', () => {
  const anthropic = backend('anthropic');
  const ollama = backend('ollama', { credential: 'local' });
  const engine = backend('engine', { credential: 'local' });
  const held = { ...anthropic, keyHeld: true };
  const choose = (rows: readonly ModelView[], ids: readonly string[], ...backends: BackendView[]) =>
    chooseModel({ schema: 'mezz.models/1', models: [...rows], files: ids.map(file) }, [...backends, lab]);
  assert.equal(choose(models, [], anthropic), LAB);
  assert.equal(choose(models, [], held), PROVIDER_MODELS.anthropic);
  const set = [...models, model('house', 'anthropic'), model('qwen3:4b', 'ollama', 'free')];
  assert.equal(choose(set, ['smollm2'], held, ollama, engine), 'qwen3:4b');
  assert.equal(choose(set, ['tiny', 'smollm2'], held, engine), 'engine/smollm2');
  assert.equal(choose(set, ['smollm2'], held), 'house');
  assert.equal(choose(set, ['tiny'], anthropic, { ...ollama, ready: false }, engine), LAB);
});

test('where only lab is there, the way to a model is said, and a key that came too late is noticed', () => {
  const said = (env: Record<string, string>) => waysToModel(env, [backend('anthropic'), lab]).join('\n');
  assert.match(said({}), /lab is no model[\s\S]*export ANTHROPIC_API_KEY=/);
  assert.match(said({ ANTHROPIC_API_KEY: 'secret' }), /started without it\nNext: mezz down, then mezz sh$/);
  assert.doesNotMatch(said({ ANTHROPIC_API_KEY: 'secret' }), /secret/);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import type { BackendView, ModelView } from '../../base/control.ts';
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
  level: 'G1',
  label: null,
  ready: true,
  keyHeld: false,
  ...more,
});
const model = (name: string, id: string, price: ModelView['price'] = null): ModelView => ({
  name,
  backends: [id],
  alias: null,
  window: null,
  price,
});
const lab = backend('lab', { label: 'lab', credential: 'local' });
const models = [model('claude-*', 'anthropic'), model(LAB, 'lab', 'free')];

test('the model of an agent that named none: what is set up here, what costs nothing first, then a key, then lab', () => {
  const anthropic = backend('anthropic');
  const engine = backend('ollama', { credential: 'local' });
  const held = { ...anthropic, keyHeld: true };
  assert.equal(chooseModel(models, [anthropic, lab]), LAB);
  assert.equal(chooseModel(models, [held, lab]), PROVIDER_MODELS.anthropic);
  const both = [...models, model('house', 'anthropic'), model('qwen3:4b', 'ollama', 'free')];
  assert.equal(chooseModel(both, [held, engine, lab]), 'qwen3:4b');
  assert.equal(chooseModel(both, [held, lab]), 'house');
  assert.equal(chooseModel(both, [anthropic, { ...engine, ready: false }, lab]), LAB);
});

test('where only lab is there, the way to a model is said, and a key that came too late is noticed', () => {
  const said = (env: Record<string, string>) => waysToModel(env, [backend('anthropic'), lab]).join('\n');
  assert.match(said({}), /lab is no model[\s\S]*export ANTHROPIC_API_KEY=/);
  assert.match(said({ ANTHROPIC_API_KEY: 'secret' }), /started without it\nNext: mezz down, then mezz sh$/);
  assert.doesNotMatch(said({ ANTHROPIC_API_KEY: 'secret' }), /secret/);
});

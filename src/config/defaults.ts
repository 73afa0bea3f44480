/** What holds without a line of configuration: the three hosted backends, the lab, the engine, and the models they serve, by prefix. */
import type { RawBackend, RawConfig, RawModel } from './raw.ts';

/** A client's own login passes through where it brings one; else the kernel's key, if the environment holds it. */
const BACKENDS: Readonly<Record<string, RawBackend>> = {
  anthropic: {
    url: 'https://api.anthropic.com/v1',
    dialects: ['anthropic'],
    key: { env: 'ANTHROPIC_API_KEY' },
    slots: 64,
  },
  openai: {
    url: 'https://api.openai.com/v1',
    dialects: ['openai-responses', 'openai-chat', 'openai-embeddings'],
    key: { env: 'OPENAI_API_KEY' },
    slots: 64,
  },
  // ChatGPT subscriptions: the client's own login or nothing.
  chatgpt: {
    url: 'https://chatgpt.com/backend-api/codex',
    dialects: ['openai-responses'],
    credential: 'client',
    slots: 64,
  },
  // No model and no key: what there is to try mezz with before either is there.
  lab: {
    dialects: ['anthropic', 'openai-responses', 'openai-chat', 'openai-embeddings'],
    credential: 'local',
    slots: 2,
    lab: {},
  },
  // Models on this machine, each in a process of its own (mezz model).
  engine: {
    dialects: ['anthropic', 'openai-responses', 'openai-chat', 'openai-embeddings'],
    credential: 'local',
    engine: {},
  },
};

const OPENAI: RawModel = { backends: ['chatgpt', 'openai'] };
const MODELS: Readonly<Record<string, RawModel>> = {
  'claude-*': { backends: ['anthropic'] },
  'gpt-*': OPENAI,
  'o*': OPENAI,
  'codex-*': OPENAI,
  'text-embedding-*': { backends: ['openai'] },
  lab: { backends: ['lab'], price: 'free' },
  'lab-*': { backends: ['lab'], price: 'free' },
  'engine/*': { backends: ['engine'], price: 'free' },
};

export const DEFAULTS = {
  // An uncommon port; a second user's kernel on the same machine sets its own.
  port: 7717,
  backends: BACKENDS,
  models: MODELS,
  credential: 'auto',
  slots: 4,
  idleTimeout: '10m',
  access: { profile: 'default' },
  scheduling: { policy: 'mezz', maxWait: '10m', queue: 1000, weights: {} },
  journal: { bodies: 'keep', keepDays: 30, keepBytes: '10GB', entriesDays: 365 },
  // A hooked call may wait as long as its client lets it; a model call at most as long as its own timeout.
  ask: { hold: '10m', expires: '24h' },
  rateLimit: { on: 'wait', maxHold: '10m' },
  hold: 'none',
  loop: { repeats: 20, window: '10m', usdPerHour: 50 },
} as const satisfies RawConfig & Required<Pick<RawBackend, 'credential' | 'slots' | 'idleTimeout'>>;

import type { BackendView } from '../../base/models.ts';
import type { Answer } from '../../sdk/client.ts';
import type { Environment } from '../../sdk/home.ts';

/** What a provider's key is used with where nobody named a model: of the middle of its range, with a known price. */
export const PROVIDER_MODELS: Readonly<Record<string, string>> = {
  anthropic: 'claude-sonnet-5',
  openai: 'gpt-5.4-mini',
};
const KEY_NAMES: Readonly<Record<string, string>> = {
  anthropic: 'ANTHROPIC_API_KEY',
  openai: 'OPENAI_API_KEY',
};
/** The model of last resort: always there, and no model. */
export const LAB = 'lab';
const ENGINE = 'engine';
/** The engine's model of random weights: to try the engine on, and nothing to talk to. */
const RANDOM = 'tiny';

/** Backends that an agent without a login of its own can use. */
export const needsNoLogin = ({ label, ready, keyHeld, credential }: BackendView): boolean =>
  !label && ready && (keyHeld || credential === 'local');

/**
 * The model for an agent that named none: one that somebody set up here, else one of a provider whose key mezz holds,
 * else the lab. What costs nothing comes first, so that nobody is billed for a model they did not choose.
 */
export function chooseModel({ models, files }: Answer<'models'>, backends: readonly BackendView[]): string {
  const usable = new Set(backends.filter(needsNoLogin).map(({ id }) => id));
  const named = models.filter(
    ({ name, backends: ids }) => !name.includes('*') && ids.some((id) => usable.has(id)),
  );
  const file = files.find(({ id, chat }) => chat && id !== RANDOM && usable.has(ENGINE));
  const provider = Object.keys(PROVIDER_MODELS).find((id) => usable.has(id));
  return (
    named.find(({ price }) => price === 'free')?.name ??
    (file && `${ENGINE}/${file.id}`) ??
    named[0]?.name ??
    PROVIDER_MODELS[provider ?? ''] ??
    LAB
  );
}

/** What to type for a real model where only the lab is there. */
export function waysToModel(env: Environment, backends: readonly BackendView[]): string[] {
  const late = backends.find(({ id, keyHeld }) => !keyHeld && KEY_NAMES[id] && env[KEY_NAMES[id]]);
  if (late)
    return [
      `mezz: ${KEY_NAMES[late.id]} is set here, but the kernel was started without it`,
      'Next: mezz down, then mezz sh',
    ];
  return [
    'mezz: the only model here is lab, and lab is no model: it strings words together and says so',
    'Next, for a real one:',
    '  with a key     export ANTHROPIC_API_KEY=... or OPENAI_API_KEY=..., then mezz down, then mezz sh',
    '  without one    mezz model engine install, then mezz model pull smollm2: both ask first, with their sizes',
    '  your own       start Ollama, LM Studio, llama-server or vLLM; mezz start finds it and says what to type',
    '  for now        type @lab call run {"command":"date"} and lab uses a tool, through the gate as any model',
  ];
}

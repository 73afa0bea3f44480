/** Model engines on loopback: which they are, by what they answer and not by their port, and what each model holds. */

import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import type { BackendDraft } from '../../base/sheets.ts';
import { LIMITS } from '../limits.ts';
import { askEngine } from './ask.ts';

export type EngineKind = 'ollama' | 'lm-studio' | 'llama-server' | 'vllm' | 'sglang' | 'other';

export interface FoundModel {
  readonly name: string;
  /** Tokens of context it is served with now, prompt and answer together; null where the engine does not say. */
  readonly window: number | null;
  /** The window is what the engine takes where nobody set one: it may be another once the model is loaded. */
  readonly assumed: boolean;
  /** Tokens it was made for, or null. */
  readonly most: number | null;
  /** The file the engine read it from, where it says. */
  readonly file?: string;
}

export interface Engine {
  /** What its backend is called in mezz.yaml. */
  readonly name: string;
  readonly kind: EngineKind;
  readonly port: number;
  readonly models: readonly FoundModel[];
  /** Answers it writes at once, as far as that is known. */
  readonly slots: number;
  /** What it says that it understands beside a request. */
  readonly hints?: BackendDraft['hints'];
}

/** Where the common engines listen unless they are told otherwise. */
export const ENGINE_PORTS: readonly number[] = [11_434, 1234, 8080, 8000, 30_000];

/** What Ollama serves a model with where neither it nor the user says (docs/context-length, below 24 GiB of VRAM). */
const OLLAMA_WINDOW = 4096;

/**
 * The level of preemption that such an engine allows for a running call: to go on from the tokens so far where it
 * takes them (G3), else to stop it and start anew (G2).
 */
export const ALLOWS: Readonly<Record<EngineKind, 'G2' | 'G3'>> = {
  ollama: 'G2',
  'lm-studio': 'G2',
  'llama-server': 'G3',
  vllm: 'G3',
  sglang: 'G3',
  other: 'G2',
};

/** The engines among these ports that list models; anything else that listens there is not one. */
export async function findEngines(ports: readonly number[]): Promise<Engine[]> {
  const found = await Promise.all(ports.map(inspectEngine));
  const engines = found.filter((engine) => engine !== undefined);
  // Two of a kind need two names.
  return engines.map((engine, at) => {
    const isSecond = engines.findIndex(({ name }) => name === engine.name) < at;
    return isSecond ? { ...engine, name: `${engine.name}-${engine.port}` } : engine;
  });
}

/** One port: all engines list their models as OpenAI does; what else they answer says which they are. */
export async function inspectEngine(port: number): Promise<Engine | undefined> {
  const answer = await askEngine(port, '/v1/models');
  const list = recordsOf(answer?.json, 'data');
  if (!list) return undefined;
  const models = list.filter(({ id }) => typeof id === 'string' && id !== '');
  for (const probe of [probeServed, probeLlama, probeStudio, probeOllama]) {
    const engine = await probe(port, models);
    if (engine) return engine;
  }
  return { name: `local-${port}`, kind: 'other', port, slots: 4, models: models.map((one) => model(one)) };
}

function recordsOf(json: Json | undefined, member: string): JsonRecord[] | undefined {
  const list = isRecord(json) ? json[member] : undefined;
  return Array.isArray(list) ? list.filter(isRecord) : undefined;
}

const count = (value: Json | undefined): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;

const model = ({ id }: JsonRecord, window: number | null = null, most: number | null = null): FoundModel => ({
  name: String(id),
  window,
  assumed: false,
  most,
});

type Probe = (port: number, models: readonly JsonRecord[]) => Promise<Engine | undefined>;

/** vLLM and SGLang say in the list itself who they are and how much they take. */
const probeServed: Probe = async (port, models) => {
  const kind = models[0]?.owned_by;
  if (kind !== 'vllm' && kind !== 'sglang') return undefined;
  return {
    name: kind,
    kind,
    port,
    slots: 64,
    ...(kind === 'vllm' && (await ordersByPriority(port)) ? { hints: ['priority'] } : {}),
    models: models.map((one) => model(one, count(one.max_model_len), null)),
  };
};

/** vLLM refuses priorities unless it was started for them, and tells how it was started in its development mode alone. */
async function ordersByPriority(port: number): Promise<boolean> {
  const info = (await askEngine(port, '/server_info?config_format=json'))?.json;
  const config = isRecord(info) ? info.vllm_config : undefined;
  const scheduling = isRecord(config) ? config.scheduler_config : undefined;
  return isRecord(scheduling) && scheduling.policy === 'priority';
}

/** llama-server: one model; `/props` has the context of one slot, and how many slots there are. */
const probeLlama: Probe = async (port, models) => {
  if (models[0]?.owned_by !== 'llamacpp') return undefined;
  const props = (await askEngine(port, '/props'))?.json;
  const {
    default_generation_settings: settings,
    total_slots: slots,
    model_path: file,
  } = isRecord(props) ? props : {};
  const window = isRecord(settings) ? count(settings.n_ctx) : null;
  return {
    name: 'llama-server',
    kind: 'llama-server',
    port,
    slots: count(slots) ?? 1,
    models: models.map((one) => ({
      ...model(one, window, isRecord(one.meta) ? count(one.meta.n_ctx_train) : null),
      ...(typeof file === 'string' ? { file } : {}),
    })),
  };
};

/** LM Studio: its own list tells loaded models, with the window they were loaded with, from those on the disk. */
const probeStudio: Probe = async (port) => {
  const own = recordsOf((await askEngine(port, '/api/v0/models'))?.json, 'data');
  if (!own?.some(({ state }) => state === 'loaded' || state === 'not-loaded')) return undefined;
  return {
    name: 'lm-studio',
    kind: 'lm-studio',
    port,
    slots: 4,
    models: own
      .filter(({ id }) => typeof id === 'string')
      .map((one) => model(one, count(one.loaded_context_length), count(one.max_context_length))),
  };
};

/** Ollama: what a loaded model really has, else what its own file sets, else what Ollama takes by itself. */
const probeOllama: Probe = async (port, models) => {
  const version = (await askEngine(port, '/api/version'))?.json;
  if (!isRecord(version) || typeof version.version !== 'string') return undefined;
  const loaded = recordsOf((await askEngine(port, '/api/ps'))?.json, 'models') ?? [];
  const shown = await Promise.all(
    models.slice(0, LIMITS.engineModels.value).map(async (one) => {
      const name = String(one.id);
      const at = loaded.find((running) => running.name === name || running.model === name);
      const details = (await askEngine(port, '/api/show', { model: name }))?.json;
      const known = count(at?.context_length) ?? parameterOf(details);
      return { name, window: known ?? OLLAMA_WINDOW, assumed: known === null, most: madeFor(details) };
    }),
  );
  return { name: 'ollama', kind: 'ollama', port, slots: 1, models: shown };
};

/** `num_ctx 8192` among the lines of a model's parameters. */
function parameterOf(details: Json | undefined): number | null {
  const text = isRecord(details) && typeof details.parameters === 'string' ? details.parameters : '';
  return count(Number(/^\s*num_ctx\s+(\d+)/m.exec(text)?.[1] ?? 0));
}

/** `<architecture>.context_length` of the model's own metadata. */
function madeFor(details: Json | undefined): number | null {
  const info = isRecord(details) && isRecord(details.model_info) ? details.model_info : {};
  const name = Object.keys(info).find((key) => key.endsWith('.context_length'));
  return name === undefined ? null : count(info[name]);
}

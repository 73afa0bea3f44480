/** What the gate's catalog is built from. */
import type { BackendId } from '../base/ids.ts';
import { Catalog } from '../gate/catalog.ts';
import type { Config, ModelConfig } from './config.ts';

/** The model table of `config`; `hasKey` says for which backends the kernel holds a key. */
export function newCatalog(config: Config, hasKey: (backend: BackendId) => boolean): Catalog {
  // The engine inside mezz has one window for all its models.
  const windows = new Map(config.backends.map(({ spec, engine }) => [spec.id, engine?.windowTokens]));
  const routes = config.models.map((model) => {
    const window = model.window ?? windows.get(model.backends[0] ?? ('' as BackendId));
    return window === undefined ? model : { ...model, window };
  });
  return new Catalog({ backends: config.backends.map(({ spec }) => spec), routes, hasKey });
}

/** The row that serves this model name: the exact name, else the longest glob that fits; undefined if none does. */
export function resolveModel(config: Config, name: string): ModelConfig | undefined {
  return newCatalog(config, () => false).route(name);
}

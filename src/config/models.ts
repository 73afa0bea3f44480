/** What the gate's catalog is built from. */
import type { BackendId } from '../base/ids.ts';
import { Catalog } from '../gate/catalog.ts';
import type { Config, ModelConfig } from './config.ts';

/** The model table of `config`; `hasKey` says for which backends the kernel holds a key. */
export function newCatalog(config: Config, hasKey: (backend: BackendId) => boolean): Catalog {
  return new Catalog({ backends: config.backends.map(({ spec }) => spec), routes: config.models, hasKey });
}

/** The row that serves this model name: the exact name, else the longest glob that fits; undefined if none does. */
export function resolveModel(config: Config, name: string): ModelConfig | undefined {
  return newCatalog(config, () => false).route(name);
}

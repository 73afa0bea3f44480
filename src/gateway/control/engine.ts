/** Verbs of the embedded engine: its library, and the model files it can run. */

import { refusal } from '../../base/errors.ts';
import type { ModelFileView } from '../../base/models.ts';
import { EngineBackend } from '../../drivers/engine/backend.ts';
import {
  ENGINE_BYTES,
  ENGINE_LICENCE,
  enginePackages,
  findComponent,
} from '../../drivers/engine/component.ts';
import type { ShelvedModel } from '../../drivers/engine/shelf.ts';
import type { ControlContext, Handlers } from './context.ts';

const viewOf = (model: ShelvedModel, osPid: number | undefined): ModelFileView => ({
  ...model,
  licence: model.licence ?? null,
  windowTokens: model.windowTokens ?? null,
  osPid: osPid ?? null,
});

export function modelFiles({ engine, gate }: ControlContext): ModelFileView[] {
  const backends = [...gate.parts.backends.values()].filter((backend) => backend instanceof EngineBackend);
  const loaded = new Map(backends.flatMap((backend) => [...backend.loaded()]));
  return engine.shelf.list().map((model) => viewOf(model, loaded.get(model.id)));
}

export const engineVerbs: Handlers<'engine' | 'model.add' | 'model.remove'> = {
  async engine({ engine }) {
    return {
      installed: findComponent(engine.component) !== undefined,
      directory: engine.component,
      packages: enginePackages(process.platform, process.arch) ?? null,
      bytes: ENGINE_BYTES,
      licence: ENGINE_LICENCE,
      models: engine.shelf.directory,
    };
  },

  async 'model.add'({ engine }, { name, ...given }) {
    const added = await engine.shelf.add({ ...given, ...(name === undefined ? {} : { id: name }) });
    if (!('problem' in added)) return { model: viewOf(added, undefined) };
    const { problem, remedy } = added;
    return refusal(
      'bad_request',
      `The model was not added: ${problem}.`,
      remedy === undefined ? {} : { remedy },
    );
  },

  async 'model.remove'({ engine }, { name }) {
    const id = name.replace(/^engine\//, '');
    if (engine.shelf.remove(id)) return { removed: id };
    return refusal('not_found', `There is no model file "${id}".`, { remedy: 'mezz model ls' });
  },
};

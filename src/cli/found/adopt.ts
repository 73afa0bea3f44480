/** From an engine that was found to what mezz.yaml must say of it. */
import { isRecord } from '../../base/json.ts';
import type { BackendDraft } from '../../base/sheets.ts';
import { askEngine, type EngineAnswer } from './ask.ts';
import type { Engine } from './engines.ts';

const PATHS = {
  'openai-responses': '/v1/responses',
  anthropic: '/v1/messages',
  'openai-embeddings': '/v1/embeddings',
} as const;

/** Every engine has Chat; of the others it is asked, by a request so empty that no model can run for it. */
async function dialectsOf(port: number): Promise<string[]> {
  const asked = await Promise.all(
    Object.entries(PATHS).map(async ([dialect, path]) => {
      const answer = await askEngine(port, path, {});
      return answer && isThere(answer) ? [dialect] : [];
    }),
  );
  return ['openai-chat', ...asked.flat()];
}

/**
 * A route that is there complains about the request. LM Studio answers any path with 200 and an error; Ollama's 404
 * is that of a model without a name.
 */
function isThere({ status, json }: EngineAnswer): boolean {
  if (status === 404) return isRecord(json) && /\bmodel\b/i.test(JSON.stringify(json.error ?? ''));
  return status >= 400 && status !== 405 && status !== 501;
}

export async function backendFor(engine: Engine): Promise<BackendDraft> {
  return {
    id: engine.name,
    url: `http://127.0.0.1:${engine.port}/v1`,
    dialects: await dialectsOf(engine.port),
    slots: engine.slots,
    ...(engine.hints ? { hints: engine.hints } : {}),
    // What an engine only takes by itself is no setting: it changes with the machine.
    models: engine.models.map(({ name, window, assumed }) => ({
      name,
      ...(window === null || assumed ? {} : { window }),
    })),
  };
}

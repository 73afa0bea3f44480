import { isRecord, type Json, parseJson } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { get } = process.getBuiltinModule('node:http');

/** A model engine that answers on loopback. All of them speak OpenAI's Chat under /v1. */
export interface Engine {
  readonly name: string;
  readonly port: number;
  readonly models: readonly string[];
}

export interface EnginePort {
  readonly name: string;
  readonly port: number;
}

/** Where the common engines listen unless they are told otherwise. */
export const ENGINE_PORTS: readonly EnginePort[] = [
  { name: 'ollama', port: 11_434 },
  { name: 'lm-studio', port: 1234 },
  { name: 'llama-server', port: 8080 },
  { name: 'vllm', port: 8000 },
  { name: 'sglang', port: 30_000 },
];

/** The engines among these ports that list models; anything else that listens there is not one. */
export async function findEngines(ports: readonly EnginePort[]): Promise<Engine[]> {
  const found = await Promise.all(
    ports.map(async ({ name, port }) => {
      const models = modelIds(await fetchList(port));
      return models && { name, port, models };
    }),
  );
  return found.filter((engine) => engine !== undefined);
}

function modelIds(list: Json | undefined): string[] | undefined {
  if (!isRecord(list) || !Array.isArray(list.data)) return undefined;
  const ids = list.data.map((model) => (isRecord(model) ? model.id : undefined));
  return ids.filter((id): id is string => typeof id === 'string' && id !== '');
}

/** Asks for `/v1/models`; undefined when nobody answers in time, or not JSON. */
function fetchList(port: number): Promise<Json | undefined> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/v1/models', agent: false } as const;
    const request = get(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > LIMITS.engineListBytes.value) request.destroy();
      });
      response.on('end', () => resolve(parseJson(Buffer.concat(chunks).toString('utf8'))));
      response.on('error', () => resolve(undefined));
    });
    request.setTimeout(LIMITS.engineMs.value, () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

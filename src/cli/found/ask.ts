import { type Json, parseJson } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { request: httpRequest } = process.getBuiltinModule('node:http');

export interface EngineAnswer {
  readonly status: number;
  /** Undefined when the answer is no JSON. */
  readonly json: Json | undefined;
}

/** Asks something on loopback (GET, or POST with `body`); undefined when nobody answers in time. */
export function askEngine(port: number, path: string, body?: Json): Promise<EngineAnswer | undefined> {
  return new Promise((resolve) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = text
      ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      : {};
    const method = text ? 'POST' : 'GET';
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > LIMITS.engineListBytes.value) request.destroy();
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            json: parseJson(Buffer.concat(chunks).toString('utf8')),
          }),
        );
        response.on('error', () => resolve(undefined));
      },
    );
    request.setTimeout(LIMITS.engineMs.value, () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.end(text);
  });
}

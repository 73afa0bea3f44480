/** The load: a closed loop over keep-alive connections, one request at a time on each. Counts what came back whole. */
import { Pool } from 'undici';

export interface Target {
  readonly origin: string;
  readonly path: string;
  /** One set of headers per caller; requests take turns. */
  readonly callers: readonly Readonly<Record<string, string>>[];
}

/** Sends every body once, `connections` at a time. Throws when an answer is not 200 or not whole. */
export async function send(target: Target, bodies: readonly Buffer[], connections: number): Promise<void> {
  const pool = new Pool(target.origin, { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  let next = 0;
  const loop = async () => {
    while (next < bodies.length) {
      const at = next++;
      const caller = target.callers[at % target.callers.length] ?? {};
      await request(pool, target.path, caller, bodies[at] as Buffer);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, loop));
  } finally {
    await pool.destroy();
  }
}

/** Resolves with the time from sending to the first byte of the answer, ms, when the answer is whole. */
export async function request(
  pool: Pool,
  path: string,
  caller: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<number> {
  const startedAt = performance.now();
  const answer = await pool.request({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', ...caller },
    body,
  });
  const firstByteMs = performance.now() - startedAt;
  const text = Buffer.from(await answer.body.bytes());
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${text.toString().slice(0, 400)}`);
  if (!text.includes('usage')) throw new Error('the answer is not whole');
  return firstByteMs;
}

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A model API on loopback that answers one sentence and remembers what it was sent: the upstream's own view. */
export interface Recorder {
  readonly origin: string;
  /** SHA-256 of each body, in order of arrival. */
  readonly bodies: readonly string[];
  close(): Promise<void>;
}

const ANSWER = JSON.stringify({
  id: 'msg_lab',
  type: 'message',
  role: 'assistant',
  model: 'recorder',
  content: [{ type: 'text', text: '[lab] I have recorded this.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
});

export async function openRecorder(): Promise<Recorder> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const digest = createHash('sha256');
    request.on('data', (chunk: Buffer) => digest.update(chunk));
    request.on('end', () => {
      bodies.push(digest.digest('hex'));
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(ANSWER);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A script's reply on its way out: its bytes, its pace, and the ways in which it breaks. */
import type { ServerResponse } from 'node:http';
import type { JsonRecord } from '../../base/json.ts';
import { CODECS } from '../../wire/translate.ts';
import { LABEL } from './answering.ts';
import { eventsOf } from './pieces.ts';
import { contextOf } from './request.ts';
import type { LabReply, LabRequest } from './script.ts';

interface Made {
  readonly status: number;
  readonly type: string;
  readonly pieces: readonly Buffer[];
}

/** `now`: wall time in ms. */
export async function play(
  reply: LabReply,
  request: LabRequest,
  response: ServerResponse,
  now: number,
): Promise<void> {
  response.on('close', () => reply.closed?.(response.writableFinished));
  if (reply.hold) await reply.hold;
  if (reply.cut === 'before_headers') return void response.destroy();
  const { status, type, pieces } = make(reply, request, now);
  reply.sends?.(Buffer.concat(pieces));
  response.writeHead(status, { 'content-type': type, ...LABEL, ...reply.headers });
  const { leaving, isCut } = cut(pieces, reply);
  if (reply.pace || isCut) response.flushHeaders();
  for (const [write, piece] of leaving.entries()) {
    if (reply.pace) await reply.pace(write);
    if (response.destroyed) return;
    if (!isCut && write === leaving.length - 1) return void response.end(piece);
    if (!response.write(piece)) await drained(response);
  }
  // Without the answer's last chunk; what was written leaves first, on the next tick.
  if (isCut) setImmediate(() => response.socket?.end());
  else response.end();
}

/** The writes that leave, and whether the connection ends behind them instead of the answer. */
function cut(pieces: readonly Buffer[], reply: LabReply): { leaving: readonly Buffer[]; isCut: boolean } {
  if (reply.cut === undefined && reply.chunkBytes === undefined) return { leaving: pieces, isCut: false };
  const bytes = Buffer.concat(pieces);
  const end = typeof reply.cut === 'number' ? Math.min(reply.cut, bytes.length) : (bytes.length >> 1) + 1;
  const kept = reply.cut === undefined ? bytes : bytes.subarray(0, end);
  const size = reply.chunkBytes ?? bytes.length;
  const leaving: Buffer[] = [];
  for (let from = 0; from < kept.length; from += size) leaving.push(kept.subarray(from, from + size));
  return { leaving, isCut: reply.cut !== undefined };
}

function make(reply: LabReply, request: LabRequest, now: number): Made {
  const { status = 200, raw, answer } = reply;
  if (raw) return { status, type: raw.type, pieces: piecesOf(raw.body) };
  const codec = CODECS[request.dialect ?? 'openai-chat'];
  if (!answer) return json(codec.encodeFailure(status, reply.message ?? 'The lab was told to fail.'), status);
  const at = contextOf(request, now);
  const said = { ...answer, model: at.model };
  if (!request.asked()?.stream) return json(codec.encodeAnswer(said, at), 200);
  const encoder = codec.newEncoder(at);
  const events = eventsOf(said).flatMap((event) => encoder.event(event));
  if (reply.malformed) events.splice(2, 0, Buffer.from('event: broken\ndata: {"type": nonsense\n\n'));
  // One write, unless the script says otherwise.
  return { status: 200, type: 'text/event-stream; charset=utf-8', pieces: [Buffer.concat(events)] };
}

function piecesOf(body: Buffer | string | readonly Buffer[]): readonly Buffer[] {
  if (typeof body === 'string') return [Buffer.from(body)];
  return Buffer.isBuffer(body) ? [body] : body;
}

const json = (value: JsonRecord, status: number): Made => ({
  status,
  type: 'application/json',
  pieces: [Buffer.from(JSON.stringify(value))],
});

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

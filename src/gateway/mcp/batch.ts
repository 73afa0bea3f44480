/**
 * Batches of JSON-RPC: an array of messages in one post, answered by the array of what its requests are answered. Only the
 * versions of MCP before 2025-06-18 have them. Invariant: each message of a batch is decided, performed and recorded as it
 * would be alone.
 */
import type { IncomingMessage } from 'node:http';
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { EARLIER, RPC, rpcError } from '../../base/mcp.ts';
import { LIMITS } from '../limits.ts';
import { type Answer, messageOf } from './answer.ts';
import type { Asked } from './methods.ts';
import { isModern } from './modern.ts';
import { type Session, serveEarlier } from './sessions.ts';

const NO_BATCHES_SINCE = '2025-06-18';
/** What a client speaks that opened no session and names no version: the first version over this transport. */
const UNNAMED = '2025-03-26';

export function takesBatches(request: IncomingMessage, session: Session | undefined): boolean {
  const version = session?.version ?? request.headers['mcp-protocol-version'] ?? UNNAMED;
  return EARLIER.some((earlier) => earlier === version && earlier < NO_BATCHES_SINCE);
}

/** Resolves when all are answered; false: nothing of it asks for an answer. */
export async function serveBatch(
  batch: readonly Json[],
  by: Omit<Asked, 'method' | 'params'>,
  request: IncomingMessage,
  session: Session | undefined,
  answer: Answer,
): Promise<boolean> {
  const most = LIMITS.batchMessages.value;
  if (batch.length === 0 || batch.length > most) {
    by.kernel.refusedAtDoor('bad_request');
    answer.end(undefined, rpcError(RPC.invalidRequest, `a batch has 1 to ${most} messages`), 400);
    return true;
  }
  const replyTo = async (message: Json): Promise<JsonRecord | undefined> => {
    const wrong = (id: Json | undefined, why: string) => {
      by.kernel.refusedAtDoor('bad_request');
      return messageOf(id, rpcError(RPC.invalidRequest, why));
    };
    if (!isRpc(message)) return wrong(undefined, 'not one JSON-RPC request');
    const { id, method } = message;
    if (typeof method !== 'string' || id === undefined) return session?.hear(message);
    if (method === 'initialize' || isModern(request, message)) return wrong(id, `${method} comes alone here`);
    const params = isRecord(message.params) ? message.params : {};
    let reply: JsonRecord | undefined;
    const part = answer.part((...ended) => {
      reply = messageOf(...ended);
    });
    await serveEarlier({ ...by, method, params }, session, id, part);
    return reply;
  };
  const replies = (await Promise.all(batch.map(replyTo))).filter((reply) => reply !== undefined);
  if (replies.length > 0) answer.endAll(replies);
  return replies.length > 0;
}

/** A request, a notification or an answer. */
export const isRpc = (message: Json | undefined): message is JsonRecord =>
  isRecord(message) &&
  message.jsonrpc === '2.0' &&
  (typeof message.method === 'string' || message.id !== undefined);

/** The operators' way in: a unix socket in the state directory, for the directory's owner alone. */
import { chmodSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { VERBS, type VerbName, type VerbRequest } from '../../base/control.ts';
import { ERRORS, type Refusal, refusal } from '../../base/errors.ts';
import { isRecord, parseJson } from '../../base/json.ts';
import { type Members, wrongIn } from '../../base/verb.ts';
import { StoreError } from '../../db/store.ts';
import { collectBody } from '../body.ts';
import { agentVerbs } from './agents.ts';
import type { ControlContext, Handler, Handlers } from './context.ts';
import { engineVerbs } from './engine.ts';
import { insightVerbs } from './insight.ts';
import { lockVerbs } from './locks.ts';
import { moneyVerbs } from './money.ts';
import { pmapVerbs } from './pmap.ts';
import { rightsVerbs } from './rights.ts';
import { schedulingVerbs } from './scheduling.ts';
import { sheetVerbs } from './sheets.ts';
import { storeVerbs } from './store.ts';
import { toolVerbs } from './tools.ts';
import { undoVerbs } from './undo.ts';
import { upkeepVerbs } from './upkeep.ts';
import { windowVerbs } from './window.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { createServer } = process.getBuiltinModule('node:http');

const HANDLERS: Handlers<VerbName> = {
  ...agentVerbs,
  ...moneyVerbs,
  ...rightsVerbs,
  ...insightVerbs,
  ...sheetVerbs,
  ...pmapVerbs,
  ...schedulingVerbs,
  ...windowVerbs,
  ...lockVerbs,
  ...toolVerbs,
  ...undoVerbs,
  ...storeVerbs,
  ...upkeepVerbs,
  ...engineVerbs,
};
const MAX_REQUEST_BYTES = 8_388_608;

export interface ControlServer {
  close(): Promise<void>;
}

export async function openControl(context: ControlContext, socketPath: string): Promise<ControlServer> {
  // The store's lock is held: a socket left here belongs to a kernel that is gone.
  rmSync(socketPath, { force: true });
  const server = createServer((request, response) => void serve(context, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  context: ControlContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const verb = /^\/v1\/([\w.]+)$/.exec(request.url ?? '')?.[1];
  if (verb === undefined || !Object.hasOwn(VERBS, verb) || request.method !== 'POST') {
    return fail(response, refusal('not_found', `There is no verb ${request.method} ${request.url}.`));
  }
  const body = await collectBody(request, MAX_REQUEST_BYTES);
  if ('code' in body) return fail(response, body);
  const message = body.length === 0 ? {} : parseJson(body.toString('utf8'));
  if (!isRecord(message)) return fail(response, refusal('bad_request', 'The request is not a JSON object.'));
  const wrong = wrongIn(VERBS[verb as VerbName] as Members<VerbRequest<VerbName>>, message);
  if (wrong !== undefined) return fail(response, refusal('bad_request', `${verb}: ${wrong}.`));
  try {
    const handler = HANDLERS[verb as VerbName] as Handler<VerbName>;
    const answer = await handler(context, message as never);
    if ('code' in answer) return fail(response, answer as Refusal);
    send(response, 200, { schema: `mezz.${verb}/1`, ...answer });
  } catch (error) {
    if (error instanceof StoreError)
      return fail(response, refusal('store_failed', error.message, { remedy: error.remedy }));
    // A file that was named cannot be read, or a disk is full: anything else is a bug, and ends the kernel.
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    fail(response, refusal('bad_request', `${verb}: ${error.message}.`));
  }
}

const fail = (response: ServerResponse, error: Refusal): void =>
  send(response, ERRORS[error.code].status, { error });

function send(response: ServerResponse, status: number, value: object): void {
  const text = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
}

/** OpenAI embeddings: never streamed, no messages. */
import { refusal } from '../../base/errors.ts';
import { isRecord, parseJson } from '../../base/json.ts';
import { openaiChat } from '../openai-chat/dialect.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import { type Scanned, text, textMember } from '../read.ts';
import { scanBody } from '../scan.ts';
import type { Dialect } from '../dialect.ts';

export const openaiEmbeddings: Dialect = {
  ...openaiChat,
  name: 'openai-embeddings',
  readRequest(body) {
    const scan = scanBody(body, []);
    if ('problem' in scan) return scan;
    const scanned: Scanned = { ...scan, body };
    const model = textMember(scanned, 'model');
    if (model === undefined)
      return { problem: refusal('bad_request', 'The member "model" is missing or not a string.') };
    // An embedding has no output tokens: its bound is proven by the body alone.
    return {
      dialect: 'openai-embeddings',
      model,
      stream: false,
      maxOutput: 0,
      choices: 1,
      messages: [],
      hostedTools: [],
      toolResults: [],
      objects: [],
      lastIsUser: true,
    };
  },
  readResponse(body) {
    const answer = parseJson(Buffer.from(body).toString('utf8'));
    if (!isRecord(answer)) return undefined;
    return {
      ...(isRecord(answer.usage) ? { usage: openaiUsage(answer.usage) } : {}),
      model: text(answer, 'model'),
      intents: [],
      objects: [],
    };
  },
};

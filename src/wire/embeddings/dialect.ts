/** OpenAI embeddings: never streamed, no messages. */
import { viewOf } from '../../base/bytes.ts';
import { isRecord, parseJson } from '../../base/json.ts';
import type { Dialect } from '../dialect.ts';
import { openaiChat } from '../openai-chat/dialect.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import { modelMember, readBody, text } from '../read.ts';

export const openaiEmbeddings: Dialect = {
  ...openaiChat,
  name: 'openai-embeddings',
  readRequest(body) {
    return readBody(body, [], (scan) => ({
      // An embedding has no output tokens: its bound is proven by the body alone.
      dialect: 'openai-embeddings',
      model: modelMember(scan),
      stream: false,
      maxOutput: 0,
      choices: 1,
      messages: [],
      hostedTools: [],
      toolResults: [],
      objects: [],
      lastIsUser: true,
    }));
  },
  readResponse(body) {
    const answer = parseJson(viewOf(body).toString('utf8'));
    if (!isRecord(answer)) return undefined;
    return {
      ...(isRecord(answer.usage) ? { usage: openaiUsage(answer.usage) } : {}),
      model: text(answer, 'model'),
      intents: [],
      objects: [],
    };
  },
};

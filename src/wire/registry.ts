/** Every dialect by its name. */
import type { DialectName } from '../base/model.ts';
import { anthropic } from './anthropic/dialect.ts';
import type { Dialect } from './dialect.ts';
import { openaiEmbeddings } from './embeddings/dialect.ts';
import { openaiChat } from './openai-chat/dialect.ts';
import { openaiResponses } from './openai-responses/dialect.ts';

export const DIALECTS: { readonly [N in DialectName]: Dialect } = {
  anthropic,
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  'openai-embeddings': openaiEmbeddings,
};

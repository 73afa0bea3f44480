/** Every dialect by its name, and the stream machine of a call. */
import type { DialectName, ModelCall } from '../base/model.ts';
import { anthropic } from './anthropic/dialect.ts';
import type { Dialect, StreamMachine } from './dialect.ts';
import { openaiEmbeddings } from './embeddings/dialect.ts';
import { openaiChat } from './openai-chat/dialect.ts';
import { openaiResponses } from './openai-responses/dialect.ts';
import { WithoutUsage } from './transforms/usage.ts';
import { TranslatedStream } from './translate.ts';

export const DIALECTS: { readonly [N in DialectName]: Dialect } = {
  anthropic,
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  'openai-embeddings': openaiEmbeddings,
};

/** The machine for the answer to a call: it also undoes what a transform of the request does to the answer. */
export function newStream(call: Pick<ModelCall, 'dialect' | 'transforms' | 'translation'>): StreamMachine {
  const machine = DIALECTS[call.dialect].newStream();
  if (call.translation) return new TranslatedStream(machine, call.translation);
  return call.transforms?.includes('usage') ? new WithoutUsage(machine) : machine;
}

/** Does the machine give out other bytes than the upstream's? */
export const rewritesAnswer = (call: Pick<ModelCall, 'transforms' | 'translation'>): boolean =>
  call.translation !== undefined || call.transforms?.includes('usage') === true;

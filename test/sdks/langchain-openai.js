import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { runLangChain } from './langchain.js';
import { QUESTION } from './task.js';

await runLangChain((model) => new ChatOpenAI({ model, maxRetries: 1 }), {
  embeddings: (model) => new OpenAIEmbeddings({ model, encodingFormat: 'float' }).embedQuery(QUESTION),
});

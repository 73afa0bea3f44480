import { ChatAnthropic } from '@langchain/anthropic';
import { runLangChain } from './langchain.js';

await runLangChain((model) => new ChatAnthropic({ model, maxRetries: 1 }));

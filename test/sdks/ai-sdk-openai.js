import { openai } from '@ai-sdk/openai';
import { runAiSdk } from './ai-sdk.js';

await runAiSdk({ model: (name) => openai(name), embedding: (name) => openai.embedding(name) });

import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent } from 'langchain';
import { z } from 'zod';
import { crowd, STEP } from './crowd.js';

await crowd(async ({ baseURL, apiKey, model, question }) => {
  const { name, description, run } = STEP;
  const step = tool(run, { name, description, schema: z.object({ n: z.number() }) });
  const llm = new ChatOpenAI({ model, apiKey, configuration: { baseURL } });
  await createAgent({ model: llm, tools: [step] }).invoke({
    messages: [{ role: 'user', content: question }],
  });
});

import { createOpenAI } from '@ai-sdk/openai';
import { generateText, isStepCount, tool } from 'ai';
import { z } from 'zod';
import { crowd, STEP } from './crowd.js';

await crowd(async ({ baseURL, apiKey, model, question }) => {
  const { name, description, run } = STEP;
  const inputSchema = z.object({ n: z.number() });
  const step = tool({ description, inputSchema, execute: async (input) => run(input) });
  await generateText({
    model: createOpenAI({ baseURL, apiKey })(model),
    prompt: question,
    stopWhen: isStepCount(20),
    tools: { [name]: step },
  });
});

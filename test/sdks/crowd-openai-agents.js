import { Agent, OpenAIResponsesModel, run as runAgent, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';
import { z } from 'zod';
import { crowd, STEP } from './crowd.js';

setTracingDisabled(true);
await crowd(async ({ baseURL, apiKey, model, question }) => {
  const { name, description, run } = STEP;
  const step = tool({
    name,
    description,
    parameters: z.object({ n: z.number() }),
    execute: async (input) => run(input),
  });
  const responses = new OpenAIResponsesModel(new OpenAI({ baseURL, apiKey }), model);
  await runAgent(
    new Agent({ name: 'worker', instructions: 'Be brief.', model: responses, tools: [step] }),
    question,
  );
});

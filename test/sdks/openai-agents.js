import { Agent, run as runAgent, setTracingDisabled, tool } from '@openai/agents';
import { z } from 'zod';
import { ADD, add, QUESTION, ran, run } from './task.js';

setTracingDisabled(true);
const agentOf = (model, tools = []) => new Agent({ name: 'adder', instructions: 'Be brief.', model, tools });

await run({
  plain: async (model) => (await runAgent(agentOf(model), QUESTION)).finalOutput,
  stream: async (model) => {
    const stream = await runAgent(agentOf(model), QUESTION, { stream: true });
    let text = '';
    for await (const chunk of stream.toTextStream()) text += chunk;
    await stream.completed;
    return text;
  },
  tools: async (model) => {
    const adder = tool({
      name: ADD.name,
      description: ADD.description,
      parameters: z.object({ a: z.number(), b: z.number() }),
      execute: async (input) => add(input),
    });
    return { text: (await runAgent(agentOf(model, [adder]), QUESTION)).finalOutput, ran };
  },
});

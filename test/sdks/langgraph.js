import { ChatOpenAI } from '@langchain/openai';
import { createAgent } from 'langchain';
import { adder } from './langchain.js';
import { QUESTION, ran, run } from './task.js';

const agentOf = (model, tools = []) =>
  createAgent({ model: new ChatOpenAI({ model, maxRetries: 1 }), tools });
const ask = async (agent) => {
  const { messages } = await agent.invoke({ messages: [{ role: 'user', content: QUESTION }] });
  return messages.at(-1).text;
};

await run({
  plain: (model) => ask(agentOf(model)),
  stream: async (model) => {
    let text = '';
    const input = { messages: [{ role: 'user', content: QUESTION }] };
    for await (const [chunk] of await agentOf(model).stream(input, { streamMode: 'messages' }))
      text += chunk.text;
    return text;
  },
  tools: async (model) => ({ text: await ask(agentOf(model, [adder])), ran }),
});

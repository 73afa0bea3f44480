import OpenAI from 'openai';
import { ADD, add, QUESTION, ran, run } from './task.js';

const client = new OpenAI();

await run({
  plain: async (model) => (await client.responses.create({ model, input: QUESTION })).output_text,
  stream: async (model) => {
    let text = '';
    const stream = await client.responses.create({ model, input: QUESTION, stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta;
    return text;
  },
  tools: async (model) => {
    const input = [{ role: 'user', content: QUESTION }];
    const tools = [{ type: 'function', strict: true, ...ADD }];
    const first = await client.responses.create({ model, input, tools });
    for (const item of first.output) {
      input.push(item);
      if (item.type === 'function_call')
        input.push({
          type: 'function_call_output',
          call_id: item.call_id,
          output: add(JSON.parse(item.arguments)),
        });
    }
    return { text: (await client.responses.create({ model, input, tools })).output_text, ran };
  },
});

import OpenAI from 'openai';
import { ADD, add, QUESTION, ran, run } from './task.js';

const client = new OpenAI();
const question = () => [{ role: 'user', content: QUESTION }];

await run({
  plain: async (model) =>
    (await client.chat.completions.create({ model, messages: question() })).choices[0].message.content,
  stream: async (model) => {
    let text = '';
    const stream = await client.chat.completions.create({ model, messages: question(), stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    return text;
  },
  tools: async (model) => {
    const messages = question();
    const tools = [{ type: 'function', function: ADD }];
    const first = await client.chat.completions.create({ model, messages, tools });
    const { message } = first.choices[0];
    messages.push(message);
    for (const call of message.tool_calls ?? [])
      messages.push({
        role: 'tool',
        tool_call_id: call.id,
        content: add(JSON.parse(call.function.arguments)),
      });
    const last = await client.chat.completions.create({ model, messages, tools });
    return { text: last.choices[0].message.content, ran };
  },
  embeddings: async (model) => (await client.embeddings.create({ model, input: QUESTION })).data[0].embedding,
  models: async () => (await client.models.list()).data.map(({ id }) => id),
});

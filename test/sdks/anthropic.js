import Anthropic from '@anthropic-ai/sdk';
import { ADD, add, QUESTION, ran, run } from './task.js';

const client = new Anthropic();
const question = () => [{ role: 'user', content: QUESTION }];
const textOf = (message) =>
  message.content
    .filter(({ type }) => type === 'text')
    .map(({ text }) => text)
    .join('');

await run({
  plain: async (model) =>
    textOf(await client.messages.create({ model, max_tokens: 100, messages: question() })),
  stream: async (model) => {
    const stream = client.messages.stream({ model, max_tokens: 100, messages: question() });
    return textOf(await stream.finalMessage());
  },
  tools: async (model) => {
    const messages = question();
    const { parameters: input_schema, ...named } = ADD;
    const tools = [{ ...named, input_schema }];
    const first = await client.messages.create({ model, max_tokens: 100, messages, tools });
    const results = first.content
      .filter(({ type }) => type === 'tool_use')
      .map(({ id, input }) => ({ type: 'tool_result', tool_use_id: id, content: add(input) }));
    messages.push({ role: 'assistant', content: first.content }, { role: 'user', content: results });
    return { text: textOf(await client.messages.create({ model, max_tokens: 100, messages, tools })), ran };
  },
  count: async (model) =>
    (await client.messages.countTokens({ model, messages: question() })).input_tokens > 0,
  models: async () => (await client.models.list()).data.map(({ id }) => id),
});

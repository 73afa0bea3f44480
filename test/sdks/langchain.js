import { HumanMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { z } from 'zod';
import { ADD, add, QUESTION, ran, run } from './task.js';

export const adder = tool(async (input) => add(input), {
  name: ADD.name,
  description: ADD.description,
  schema: z.object({ a: z.number(), b: z.number() }),
});

/** LangChain's tasks over one of its chat models. */
export const runLangChain = (chat, more = {}) =>
  run({
    plain: async (model) => (await chat(model).invoke(QUESTION)).text,
    stream: async (model) => {
      let text = '';
      for await (const chunk of await chat(model).stream(QUESTION)) text += chunk.text;
      return text;
    },
    tools: async (model) => {
      const bound = chat(model).bindTools([adder]);
      const messages = [new HumanMessage(QUESTION)];
      const first = await bound.invoke(messages);
      messages.push(first);
      for (const call of first.tool_calls ?? []) messages.push(await adder.invoke(call));
      return { text: (await bound.invoke(messages)).text, ran };
    },
    ...more,
  });

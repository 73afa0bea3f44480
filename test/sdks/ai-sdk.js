import { embed, generateText, isStepCount, jsonSchema, streamText, tool } from 'ai';
import { ADD, add, QUESTION, ran, run } from './task.js';

/** The AI SDK's tasks over one of its providers: `model` and `embedding` make its models. */
export const runAiSdk = (provider) =>
  run({
    plain: async (model) => (await generateText({ model: provider.model(model), prompt: QUESTION })).text,
    stream: async (model) => {
      let text = '';
      const { fullStream } = streamText({ model: provider.model(model), prompt: QUESTION, onError() {} });
      for await (const part of fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta') text += part.text;
      }
      return text;
    },
    tools: async (model) => {
      const { text } = await generateText({
        model: provider.model(model),
        prompt: QUESTION,
        stopWhen: isStepCount(5),
        tools: {
          add: tool({
            description: ADD.description,
            inputSchema: jsonSchema(ADD.parameters),
            execute: async (input) => add(input),
          }),
        },
      });
      return { text, ran };
    },
    embeddings: async (model) =>
      (await embed({ model: provider.embedding(model), value: QUESTION })).embedding,
  });

/** The engine without mezz: the same model, template and sampling in a process of its own, asked by messages. */
import { getLlama, type LlamaContextSequence, LlamaLogLevel, resolveChatWrapper } from 'node-llama-cpp';
import type { Asked, Measured } from './engine-asked.ts';

const [modelPath = '', sequences = '8', window = '2048', threads = '1'] = process.argv.slice(2);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: Number(threads),
  logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({
  sequences: Number(sequences),
  contextSize: Number(window),
  threads: Number(threads),
});
const chat = resolveChatWrapper(model, { warningLogs: false });
const free = Array.from({ length: Number(sequences) }, () => context.getSequence());

async function answer(sequence: LlamaContextSequence, prompt: string, most: number, startedAt: number) {
  const history = [
    { type: 'user', text: prompt },
    { type: 'model', response: [] },
  ] as const;
  const { contextText } = chat.generateContextState({
    chatHistory: history.map((item) => ({ ...item }) as never),
  });
  await sequence.clearHistory();
  let tokens = 0;
  let firstMs = 0;
  for await (const token of sequence.evaluate(contextText.tokenize(model.tokenizer), { temperature: 0 })) {
    model.detokenize([token]);
    if (tokens++ === 0) firstMs = performance.now() - startedAt;
    if (tokens >= most) break;
  }
  return { tokens, firstMs };
}

process.on('message', ({ prompts, most }: Asked) => {
  const startedAt = performance.now();
  void Promise.all(
    prompts.map((prompt, at) => answer(free[at] as LlamaContextSequence, prompt, most, startedAt)),
  ).then((answers) => {
    const measured: Measured = {
      tokens: answers.reduce((sum, one) => sum + one.tokens, 0),
      ms: performance.now() - startedAt,
      firstMs: answers.map((one) => one.firstMs),
    };
    process.send?.(measured);
  });
});
process.once('disconnect', () => process.exit(0));
process.send?.({ ready: 'yes' });

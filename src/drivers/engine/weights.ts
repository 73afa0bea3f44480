/** One model in memory: reads prompts, writes answers in several sequences at once, embeds. Lives in the child alone. */
import { randomInt } from 'node:crypto';
import type {
  LlamaContext,
  LlamaContextSequence,
  LlamaEmbeddingContext,
  LlamaModel,
  SequenceEvaluateOptions,
  Token,
} from 'node-llama-cpp';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { LIMITS } from '../limits.ts';
import { callGrammar, schemaGrammar } from './grammar.ts';
import type { Embedded, JobRefusal, Opening, Sampling } from './protocol.ts';
import { type Latch, Steps } from './steps.ts';
import { type Prompt, promptOf } from './template.ts';
import { Writing } from './writing.ts';

type Library = typeof import('node-llama-cpp');
type Llama = Awaited<ReturnType<Library['getLlama']>>;
type Chat = NonNullable<ReturnType<Library['resolveChatWrapper']>>;

/** Where a request says nothing: less than the hosted APIs' 1, at which small models wander. */
const TEMPERATURE = 0.7;
const TOP_P = 0.95;

interface Read {
  readonly prompt: Prompt;
  readonly tokens: readonly Token[];
}

export class Weights {
  readonly #library: Library;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #chat: Chat;
  readonly #threads: number;
  readonly #steps = new Steps();
  readonly #free: LlamaContextSequence[];
  readonly #queue: ((sequence: LlamaContextSequence) => void)[] = [];
  #embedder: Promise<LlamaEmbeddingContext> | undefined;

  private constructor(
    library: Library,
    llama: Llama,
    model: LlamaModel,
    context: LlamaContext,
    opening: Opening,
  ) {
    this.#library = library;
    this.#llama = llama;
    this.#model = model;
    this.#context = context;
    this.#threads = opening.threads;
    this.#chat = library.resolveChatWrapper(model, { warningLogs: false });
    this.#free = Array.from({ length: opening.sequences }, () => context.getSequence());
  }

  /** Throws what the engine says of a file that it cannot load, or that does not fit. `loading`: the library works. */
  static async open(opening: Opening, loading: () => void): Promise<Weights> {
    const library = (await import(opening.component)) as Library;
    const llama = await library.getLlama({
      // Without a graphics processor's package there is nothing to look for.
      gpu: process.platform === 'darwin' ? 'auto' : false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: opening.threads,
      logLevel: library.LlamaLogLevel.error,
    });
    loading();
    const model = await llama.loadModel({ modelPath: opening.modelPath, checkTensors: true });
    const { sequences, threads, windowTokens } = opening;
    const most = Math.min(windowTokens, model.trainContextSize ?? windowTokens);
    const context = await model.createContext({
      sequences,
      threads,
      contextSize: { max: most },
      batchSize: LIMITS.engineChunkTokens.value,
    });
    return new Weights(library, llama, model, context, opening);
  }

  /** Steps of the model so far, over all that it writes. */
  get stepsEnded(): number {
    return this.#steps.ended;
  }

  /** Of one answer: where it stops and goes on. */
  newLatch(): Latch {
    return this.#steps.newLatch();
  }

  /** Tokens of the prompt that a request becomes. */
  count(request: NeutralRequest): number | JobRefusal {
    const read = this.#read(request);
    return 'status' in read ? read : read.tokens.length;
  }

  /** Writes one answer; nothing is emitted of a request that is refused. */
  async generate(
    request: NeutralRequest,
    sampling: Sampling,
    emit: (event: NeutralEvent) => void,
    latch: Latch,
    signal: AbortSignal,
  ): Promise<JobRefusal | undefined> {
    const read = this.#read(request);
    if ('status' in read) return read;
    const { tokens, prompt } = read;
    const window = this.#context.contextSize;
    if (tokens.length + 1 >= window) return tooLong(`The prompt has ${tokens.length} tokens`, window);
    const format = this.#formatOf(request);
    if (format !== undefined && typeof format === 'object') return format;
    if (prompt.tools.length > 0 && callGrammar(prompt.tools, prompt.call.named) === undefined)
      return { status: 400, message: 'The schemas of these tools are too large for the engine.' };
    const sequence = await this.#take(tokens);
    try {
      if (signal.aborted) return undefined;
      const cached = await this.#recall(sequence, tokens);
      emit({ kind: 'start', id: crypto.randomUUID(), model: request.model });
      const writing = new Writing(
        {
          request,
          prompt,
          tokens,
          evaluation: evaluationOf(request, sampling),
          seed: sampling.seed ?? randomInt(2 ** 32),
          format: format === undefined ? undefined : this.#grammar(format),
          mostTokens: Math.min(request.maxOutput ?? window, window - tokens.length - 1),
          newGrammar: (text) => this.#grammar(text),
          emit,
          latch,
          signal,
        },
        sequence,
      );
      const written = await writing.run();
      if (!written) return undefined;
      const { stop, output, reasoning } = written;
      const usage = { input: tokens.length - cached, cacheRead: cached, cacheWrite: 0, output, reasoning };
      emit({ kind: 'end', stop, usage });
      return undefined;
    } finally {
      this.#giveBack(sequence);
    }
  }

  async embed(texts: readonly string[]): Promise<Embedded | JobRefusal> {
    const window = this.#context.contextSize;
    const inputs = texts.map((text) => this.#model.tokenize(text));
    const longest = Math.max(0, ...inputs.map(({ length }) => length));
    if (longest + 2 > window) return tooLong(`An input has ${longest} tokens`, window);
    this.#embedder ??= this.#model.createEmbeddingContext({ contextSize: window, threads: this.#threads });
    const embedder = await this.#embedder;
    const vectors: (readonly number[])[] = [];
    for (const input of inputs) vectors.push((await embedder.getEmbeddingFor(input)).vector);
    return { vectors, tokens: inputs.reduce((sum, { length }) => sum + length, 0) };
  }

  #read(request: NeutralRequest): Read | JobRefusal {
    const prompt = promptOf(this.#chat, request);
    if ('status' in prompt) return prompt;
    return { prompt, tokens: prompt.text.tokenize(this.#model.tokenizer) };
  }

  /** The grammar of the format that was asked for. */
  #formatOf({ format }: NeutralRequest): string | JobRefusal | undefined {
    if (format === undefined) return undefined;
    const schema = format.kind === 'object' ? { type: 'object' } : format.schema;
    return schemaGrammar(schema) ?? { status: 400, message: 'This schema is too large for the engine.' };
  }

  #grammar(text: string) {
    const grammar = new this.#library.LlamaGrammar(this.#llama, { grammar: text });
    return new this.#library.LlamaGrammarEvaluationState({ model: this.#model, grammar });
  }

  /** The free sequence that knows most of this prompt, of those the one used least recently; else the next to be free. */
  #take(tokens: readonly Token[]): Promise<LlamaContextSequence> {
    const best = this.#free.toSorted((a, b) => knownOf(b, tokens) - knownOf(a, tokens))[0];
    if (!best) return new Promise((resolve) => this.#queue.push(resolve));
    this.#free.splice(this.#free.indexOf(best), 1);
    return Promise.resolve(best);
  }

  /** Makes the sequence ready for the prompt; how many of its tokens need not be read again. */
  async #recall(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<number> {
    // A few tokens in common are not worth an answer that differs in its last digits from a fresh one.
    if (knownOf(sequence, tokens) < LIMITS.engineSharedTokens.value) await sequence.clearHistory();
    // One token is read anew even of a prompt that is known whole: what follows it is computed from it.
    else await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
    return sequence.nextTokenIndex;
  }

  #giveBack(sequence: LlamaContextSequence): void {
    const next = this.#queue.shift();
    if (next) next(sequence);
    else this.#free.push(sequence);
  }
}

/** Tokens that a sequence holds already of the beginning of a prompt. */
const knownOf = (sequence: LlamaContextSequence, tokens: readonly Token[]): number =>
  sequence.nextTokenIndex === 0 ? 0 : sequence.compareContextTokens([...tokens]).firstDifferentIndex;

const tooLong = (what: string, window: number): JobRefusal => ({
  status: 400,
  message: `${what}, and the window of this model holds ${window}. Send less, or raise backends.engine.engine.window in mezz.yaml.`,
});

function evaluationOf(request: NeutralRequest, { topK }: Sampling): SequenceEvaluateOptions {
  return {
    temperature: request.temperature ?? TEMPERATURE,
    topP: request.topP ?? TOP_P,
    topK: topK ?? LIMITS.engineTopK.value,
  };
}

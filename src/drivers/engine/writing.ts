/**
 * One answer as it is written, token by token: it stops between any two of them, at a mark, when its latch is closed or
 * when nobody waits. Invariant: what it says depends on its prompt and its seed alone, not on where it was stopped nor on
 * what else runs.
 */
import { randomUUID } from 'node:crypto';
import type {
  LlamaContextSequence,
  LlamaGrammarEvaluationState,
  SequenceEvaluateOptions,
  Token,
} from 'node-llama-cpp';
import { isRecord, parseJson } from '../../base/json.ts';
import type { NeutralEvent, NeutralRequest, Stop } from '../../wire/neutral.ts';
import { type CallableTool, callGrammar } from './grammar.ts';
import { Parts } from './parts.ts';
import { Scanner } from './scanner.ts';
import { tokenSeed } from './seeds.ts';
import type { Latch } from './steps.ts';
import type { MarkKind, Prompt } from './template.ts';

export interface Order {
  readonly request: NeutralRequest;
  readonly prompt: Prompt;
  /** The prompt as the model reads it. */
  readonly tokens: readonly Token[];
  readonly evaluation: SequenceEvaluateOptions;
  /** Where the random numbers of its tokens come from. */
  readonly seed: number;
  /** Holds the whole answer, where a format was asked for. */
  readonly format: LlamaGrammarEvaluationState | undefined;
  readonly mostTokens: number;
  newGrammar(text: string): LlamaGrammarEvaluationState;
  emit(event: NeutralEvent): void;
  readonly latch: Latch;
  readonly signal: AbortSignal;
}

export interface Written {
  readonly stop: Stop;
  /** Tokens. */
  readonly output: number;
  readonly reasoning: number;
}

/** What stands in a text besides text: its end, or the beginning of a call. */
type Met = { readonly stop: Stop } | { readonly begun: string };

/** More tokens than this never make one character. */
const CHARACTER_TOKENS = 8;

export class Writing {
  readonly #order: Order;
  readonly #sequence: LlamaContextSequence;
  readonly #all: Token[];
  readonly #parts: Parts;
  readonly #scanner = new Scanner<MarkKind>();
  #kind: 'text' | 'reasoning';
  #output = 0;
  #reasoning = 0;
  /** Tokens that are no whole character yet, and those before them. */
  #pending: Token[] = [];
  #last: readonly Token[] = [];

  constructor(order: Order, sequence: LlamaContextSequence) {
    this.#order = order;
    this.#sequence = sequence;
    this.#all = [...order.tokens];
    this.#kind = order.prompt.thinking ? 'reasoning' : 'text';
    this.#parts = new Parts(order.emit);
  }

  /** Writes until the end; undefined when nobody waits any more. */
  async run(): Promise<Written | undefined> {
    const { request, prompt } = this.#order;
    const { choice } = request;
    const forced = prompt.tools.length > 0 && (choice === 'required' || typeof choice === 'object');
    if (forced) this.#force(prompt.call.before);
    const stop = forced ? await this.#call('') : await this.#text();
    if (stop === undefined) return undefined;
    this.#parts.close();
    return { stop, output: this.#output, reasoning: this.#reasoning };
  }

  /** Tokens that the model is given as if it had written them. */
  #force(text: string): void {
    const tokens = this.#sequence.model.tokenize(text, true);
    this.#all.push(...tokens);
    this.#output += tokens.length;
  }

  async #text(): Promise<Stop | undefined> {
    const { format, signal } = this.#order;
    let met: Met | undefined;
    for await (const piece of this.#pieces(format)) {
      met = this.#take(piece);
      if (met) break;
    }
    if (signal.aborted) return undefined;
    if (met) return 'begun' in met ? this.#call(met.begun) : met.stop;
    this.#take(this.#flush());
    this.#parts.grow(this.#kind, this.#scanner.rest());
    return this.#full ? 'length' : 'end';
  }

  /** Text that may hold marks; what ends it or turns it into a call. */
  #take(piece: string): Met | undefined {
    const { marks } = this.#order.prompt;
    let more = piece;
    for (;;) {
      const { text, mark } = this.#scanner.push(more, marks);
      this.#parts.grow(this.#kind, text);
      if (!mark) return undefined;
      more = mark.behind;
      if (mark.kind === 'think') this.#kind = 'reasoning';
      else if (mark.kind === 'thought') this.#kind = 'text';
      else if (mark.kind === 'stop') return { stop: 'stop_sequence' };
      else if (mark.kind === 'end') return { stop: 'end' };
      else if (this.#begun(more).length > 0) return { begun: more };
      // It wrote the mark and no tool's name: that is text.
      else this.#parts.grow(this.#kind, mark.text);
    }
  }

  /** The tools whose call may begin so. */
  #begun(written: string): CallableTool[] {
    const { tools, call } = this.#order.prompt;
    return tools.filter(({ name }) => call.named(name).startsWith(written));
  }

  /** The call whose text has begun so: held to the schema of its tool. It ends the answer. */
  async #call(begun: string): Promise<Stop | undefined> {
    const { prompt, request, signal } = this.#order;
    const { named } = prompt.call;
    const grammar = callGrammar(this.#begun(begun), (name) => named(name).slice(begun.length));
    // The schema of each tool was seen to fit before the answer began.
    if (grammar === undefined) return 'end';
    let written = begun;
    for await (const piece of this.#pieces(this.#order.newGrammar(grammar))) {
      if (signal.aborted) return undefined;
      written += piece;
    }
    if (signal.aborted) return undefined;
    written += this.#flush();
    if (this.#full) return 'length';
    const called = prompt.tools.filter(({ name }) => written.startsWith(named(name)));
    const tool = called.sort((a, b) => b.name.length - a.name.length)[0];
    if (!tool) return 'end';
    const input = written.slice(named(tool.name).length);
    const custom = request.tools.some((one) => one.kind === 'custom' && one.name === tool.name);
    const args = custom ? parseJson(input) : undefined;
    const text = isRecord(args) && typeof args.input === 'string' ? args.input : input;
    this.#parts.call({ kind: 'call', id: `call_${randomUUID()}`, name: tool.name, custom }, text);
    return 'calls';
  }

  get #full(): boolean {
    return this.#output >= this.#order.mostTokens;
  }

  /** What the model writes next, character by whole character, until it ends, is full, or nobody waits. */
  async *#pieces(grammar: LlamaGrammarEvaluationState | undefined): AsyncGenerator<string> {
    const { evaluation, latch, signal } = this.#order;
    const { batchSize } = this.#sequence.context;
    const options = grammar === undefined ? evaluation : { ...evaluation, grammarEvaluationState: grammar };
    while (!this.#full) {
      const unread = this.#all.slice(this.#sequence.nextTokenIndex);
      let token: Token | undefined;
      const isWhole = unread.length <= batchSize;
      const went = await latch.step(signal, async () => {
        if (isWhole) token = await this.#next(unread, options);
        else await this.#sequence.evaluateWithoutGeneratingNewTokens(unread.slice(0, batchSize));
      });
      if (!went || signal.aborted) return;
      if (!isWhole) continue;
      if (token === undefined) return;
      this.#all.push(token);
      this.#output++;
      if (this.#kind === 'reasoning') this.#reasoning++;
      yield this.#decode(token);
    }
  }

  /** Each token has a seed of its own, so that none depends on how often the answer was stopped. */
  async #next(unread: readonly Token[], options: SequenceEvaluateOptions): Promise<Token | undefined> {
    const seed = tokenSeed(this.#order.seed, this.#all.length);
    const step = this.#sequence.evaluate([...unread], { ...options, seed });
    const { value, done } = await step.next();
    await step.return();
    return done === true ? undefined : value;
  }

  #decode(token: Token): string {
    this.#pending.push(token);
    const text = this.#sequence.model.detokenize(this.#pending, true, this.#last);
    if (text.endsWith('\uFFFD') && this.#pending.length < CHARACTER_TOKENS) return '';
    this.#last = this.#pending;
    this.#pending = [];
    return text;
  }

  /** The tokens that never became a character. */
  #flush(): string {
    const text = this.#sequence.model.detokenize(this.#pending, true, this.#last);
    this.#pending = [];
    return text;
  }
}

/**
 * All this agent knows of mezz: one address. Its model calls go there as to any server that speaks OpenAI's Chat; before
 * each of its tools it asks there whether it may, and then says how that went. It holds no key: the address names it.
 */
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';

export type Fields = Record<string, unknown>;
/** A tool call as Chat has it; its arguments are JSON, as the model wrote it. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; arguments: string };
}

/** The kernel, or the provider behind it, said no. The message says why and what to do next. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, error: Fields) {
    super(String(error.message ?? `status ${status}`));
    this.status = status;
    this.code = String(error.code ?? 'failed');
  }
}

export class Kernel {
  readonly #address: string;
  constructor(address: string) {
    this.#address = address;
  }

  /** One model call. `say` gets the text as it comes; aborted, it throws, and the model is stopped too. */
  async ask(body: Fields, say: (text: string) => void, signal: AbortSignal) {
    const response = await this.#post('/v1/chat/completions', { ...body, stream: true }, signal);
    let text = '';
    const calls: ToolCall[] = [];
    for await (const event of eventsOf(response)) {
      if (event.error) throw new Refused(502, fields(event.error));
      const delta = fields(fields(list(event.choices)[0]).delta);
      text += delta.content ?? '';
      say(String(delta.content ?? ''));
      // A tool call comes in pieces too: its name first, its arguments bit by bit.
      for (const piece of list(delta.tool_calls).map(fields)) {
        const { name = '', arguments: more = '' } = fields(piece.function) as Record<string, string>;
        const call = calls[Number(piece.index)];
        if (call) call.function.arguments += more;
        else calls.push({ id: String(piece.id), type: 'function', function: { name, arguments: more } });
      }
    }
    return { text, calls };
  }

  /**
   * May this tool be used, with exactly these arguments? Waits as long as the gate does, which may ask a person first.
   * Gives why not, or undefined for yes. What is no clear yes throws, and the tool is not used.
   */
  async whyNot(call: ToolCall, input: Fields, signal: AbortSignal): Promise<string | undefined> {
    const event = { ...named('PreToolUse', call), tool_input: input };
    const { decision, reason } = fields(await json(await this.#post('/hooks/mezz-sh', event, signal)));
    return decision === 'go' ? undefined : String(reason);
  }

  /** Tells how a tool call ended, or whose turn it is (`Stop`: the person's). Nothing hangs on being heard. */
  async tell(event: 'PostToolUse' | 'PostToolUseFailure' | 'UserPromptSubmit' | 'Stop', call?: ToolCall) {
    const signal = AbortSignal.timeout(5000);
    await this.#post('/hooks/mezz-sh', named(event, call), signal).then(json, () => {});
  }

  /** Not `fetch`, which gives up after five minutes: a call may wait longer for a slot or a person. */
  async #post(path: string, body: Fields, signal: AbortSignal): Promise<IncomingMessage> {
    const options = { method: 'POST', signal, headers: { 'content-type': 'application/json' } };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(this.#address + path, options, resolve)
        .on('error', reject)
        .end(JSON.stringify(body));
    });
    if (response.statusCode === 200) return response;
    const refusal = await json(response).catch(() => ({}));
    throw new Refused(response.statusCode ?? 0, fields(fields(refusal).error));
  }
}

/** Server-sent events (WHATWG HTML, 9.2): blocks between blank lines, of which Chat uses the field `data` alone. */
async function* eventsOf(response: IncomingMessage): AsyncGenerator<Fields> {
  let pending = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const blocks = (pending + chunk).split('\n\n');
    pending = blocks.pop() ?? '';
    for (const block of blocks) if (block.startsWith('data: {')) yield JSON.parse(block.slice(6)) as Fields;
  }
}

const named = (event: string, call?: ToolCall): Fields => ({
  hook_event_name: event,
  ...(call ? { tool_name: call.function.name, tool_use_id: call.id } : {}),
});
const fields = (value: unknown): Fields => Object(value) as Fields;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

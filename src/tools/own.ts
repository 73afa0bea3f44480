/**
 * mezz's own tools, offered like those of any server: reading on in a result that was too large to be shown. Invariant:
 * who asks is the agent of the ticket, never one that the arguments name.
 */
import { type JsonRecord, stringOf } from '../base/json.ts';
import { RPC } from '../base/mcp.ts';
import type { Described, ServerRequest, ToolAnswer, ToolServer, ToolServerSpec } from '../base/ports.ts';
import type { Ticket } from '../base/ticket.ts';
import { LIMITS } from './limits.ts';
import type { Results } from './results.ts';
import { linkTo, OWN, READ_ON, stretchOf } from './shorten.ts';

const DESCRIBED: Described = {
  software: OWN,
  tools: [
    {
      name: READ_ON,
      description:
        'Reads on in a result of a tool call that was too long to be shown whole. Such a result says what to give here.',
      inputSchema: {
        type: 'object',
        properties: {
          result: { type: 'string', description: 'As the shortened result names it.' },
          offset: { type: 'integer', minimum: 0, description: 'The first character to read.' },
          length: { type: 'integer', minimum: 1, maximum: LIMITS.readCharacters.value },
        },
        required: ['result'],
      },
      annotations: { readOnlyHint: true },
    },
  ],
  templates: [
    { uriTemplate: `${linkTo('{call}/{part}')}{?offset}`, name: 'What a result of a tool did not show' },
  ],
};

export class OwnTools implements ToolServer {
  readonly spec: ToolServerSpec = { id: OWN, command: [], env: {}, cwd: '/' };
  readonly osPid = undefined;
  readonly said = '';
  readonly #results: Results;

  constructor(results: Results) {
    this.#results = results;
  }

  async describe(): Promise<Described> {
    return DESCRIBED;
  }

  async call(ticket: Ticket, _tool: string, input: JsonRecord): Promise<ToolAnswer> {
    ticket.use();
    const id = stringOf(input.result);
    const part = await this.#results.read(ticket.agent, id);
    if (!part) return told(notKept(id), true);
    if (!isText(part.mime))
      return told(`${id} is ${part.mime}, ${part.bytes.length} bytes: read the resource ${linkTo(id)}`, true);
    return told(stretchOf(textOf(part), id, numberOf(input.offset, 0), numberOf(input.length)), false);
  }

  /** `resources/read`: text as the tool gives it, anything else whole. */
  async ask(ticket: Ticket, { params }: ServerRequest): Promise<ToolAnswer> {
    ticket.use();
    const uri = stringOf(params.uri);
    const [, id = '', offset = '0'] = /^mezz:\/\/result\/([^?]+)(?:\?offset=(\d{1,9}))?$/.exec(uri) ?? [];
    const part = await this.#results.read(ticket.agent, id);
    if (!part) {
      const error = { code: RPC.invalidParams, message: notKept(uri), data: { uri } };
      return { kind: 'called', result: {}, isError: true, error };
    }
    const { mime: mimeType, bytes } = part;
    const content = isText(mimeType)
      ? { text: stretchOf(textOf(part), id, Number(offset), LIMITS.readCharacters.value) }
      : { blob: Buffer.from(bytes).toString('base64') };
    return { kind: 'called', result: { contents: [{ uri, mimeType, ...content }] }, isError: false };
  }

  async close(): Promise<void> {}
}

const isText = (mime: string): boolean => /^text\/|[/+](?:json|xml|yaml|javascript)\b/.test(mime);

const textOf = ({ bytes }: { readonly bytes: Uint8Array }): string => Buffer.from(bytes).toString('utf8');

const numberOf = (value: unknown, otherwise: number = LIMITS.readCharacters.value): number =>
  typeof value === 'number' ? value : otherwise;

const notKept = (id: string): string => `There is no ${id} of this agent, or it is not kept any more.`;

const told = (text: string, isError: boolean): ToolAnswer => ({
  kind: 'called',
  result: { content: [{ type: 'text', text }], ...(isError ? { isError } : {}) },
  isError,
});

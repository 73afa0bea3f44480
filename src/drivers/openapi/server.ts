/**
 * An HTTP service as a tool server. What an agent has read of a resource is remembered by its ETag and sent with its next
 * write as If-Match (RFC 9110, 13.1.1): the service itself refuses a write that would undo what the agent never saw. The
 * id of the call is the Idempotency-Key, the same for every sending of it.
 */
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { Described, ToolAnswer, ToolServer, ToolServerSpec } from '../../base/ports.ts';
import { Recent } from '../../base/recent.ts';
import type { Ticket } from '../../base/ticket.ts';
import { LIMITS } from '../limits.ts';
import { type Operation, type Parameter, readDocument, type ServiceDescription } from './document.ts';
import { type HttpAnswer, request } from './request.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

export class OpenApiServer implements ToolServer {
  readonly spec: ToolServerSpec;
  readonly osPid = undefined;
  #said = '';
  readonly #clock: Clock;
  readonly #key: string | undefined;
  #service: Promise<ServiceDescription | Refusal> | undefined;
  /** What each agent has seen last of a resource, by agent and address. */
  readonly #seen = new Recent<string, string>(LIMITS.apiTags.value);

  /** `key`: sent as a bearer token to the service, and nowhere else. */
  constructor(spec: ToolServerSpec, clock: Clock, key: string | undefined) {
    this.spec = spec;
    this.#clock = clock;
    this.#key = key;
  }

  /** Why its document could not be read, or what of it is not offered. */
  get said(): string {
    return this.#said;
  }

  async describe(): Promise<Described | Refusal> {
    this.#service ??= this.#read();
    const service = await this.#service;
    if ('code' in service) {
      this.#service = undefined;
      return service;
    }
    const { title, tools, manifest } = service;
    return { software: title, tools, manifest };
  }

  async call(ticket: Ticket, tool: string, input: JsonRecord, signal: AbortSignal): Promise<ToolAnswer> {
    ticket.use();
    this.#service ??= this.#read();
    const service = await this.#service;
    if ('code' in service) return { kind: 'broken', refusal: service };
    const operation = service.operations.get(tool);
    const address = operation && addressOf(operation, input);
    if (!operation || !address)
      return {
        kind: 'broken',
        refusal: refusal('bad_request', `${tool} cannot be called with these arguments.`),
      };
    // Its query too: the same address shown otherwise has another tag.
    const seenBy = `${ticket.agent} ${address}`;
    const seen = this.#seen.get(seenBy);
    const isWrite = !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(operation.method);
    // What is added to a list depends on no version of it.
    const isGuarded = isWrite && operation.method !== 'POST' && seen !== undefined;
    const answer = await request(this.#clock, signal, {
      method: operation.method,
      url: address,
      headers: {
        accept: 'application/json, */*;q=0.1',
        ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
        ...headersOf(operation, input),
        ...(isWrite ? { 'idempotency-key': ticket.call } : {}),
        ...(isGuarded ? { 'if-match': seen } : {}),
      },
      body: bodyOf(operation, input),
    });
    if ('code' in answer) return { kind: 'broken', refusal: answer };
    // The tag of what was added is no tag of the list.
    if (operation.method !== 'POST') this.#learn(seenBy, isWrite, answer);
    return this.#told(tool, isGuarded, answer);
  }

  async close(): Promise<void> {}

  async #read(): Promise<ServiceDescription | Refusal> {
    const { openapi = '', baseUrl, id } = this.spec;
    try {
      const url = /^https?:/.test(openapi) ? openapi : pathToFileURL(openapi).href;
      const text = url === openapi ? await this.#fetch(url) : await readFile(openapi, 'utf8');
      // JSON is YAML too; the library loads only where there is a document to read.
      const { parse } = await import('yaml');
      const document: unknown = parse(text);
      if (document === null || typeof document !== 'object') throw new Error('it is no document');
      const service = await readDocument(document, url, baseUrl);
      const { protocol, hostname } = new URL(service.baseUrl);
      if (this.#key !== undefined && protocol !== 'https:' && !LOOPBACK.test(hostname))
        throw new Error('its key would travel unencrypted to another machine');
      this.#said = service.left
        .map((line) => `${line}\n`)
        .join('')
        .slice(0, LIMITS.toolSaid.value);
      return service;
    } catch (error) {
      this.#said = String((error as Error).message).slice(0, LIMITS.toolSaid.value);
      return refusal(
        'unreachable',
        `The description of ${id} cannot be read: ${this.#said.split('\n', 1)[0]}`,
        {
          remedy: `look at ${openapi}`,
        },
      );
    }
  }

  async #fetch(url: string): Promise<string> {
    const answer = await request(this.#clock, new AbortController().signal, {
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
      body: undefined,
    });
    if ('code' in answer) throw new Error(answer.message);
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`);
    return answer.text;
  }

  /** A weak tag tells no two versions apart (RFC 9110, 8.8.3.2), so nothing may depend on it. */
  #learn(seenBy: string, isWrite: boolean, { status, headers }: HttpAnswer): void {
    const tag = headers.etag;
    const isGood = status >= 200 && status < 300;
    if (isGood && typeof tag === 'string' && !tag.startsWith('W/')) this.#seen.set(seenBy, tag);
    else if (isGood && isWrite) this.#seen.delete(seenBy);
  }

  #told(tool: string, wasGuarded: boolean, answer: HttpAnswer): ToolAnswer {
    const { status, headers, text } = answer;
    const retryAfterMs = waitOf(headers['retry-after'], this.#clock.now());
    if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
      const wait = retryAfterMs ?? LIMITS.apiRetryMs.value;
      const words = `${this.spec.id} takes no more just now (HTTP ${status}): again in ${Math.ceil(wait / 1000)} s.`;
      return {
        kind: 'broken',
        restMs: wait,
        refusal: refusal('busy', words, {
          rule: 'tools:service-limit',
          retryAfterMs: wait,
          remedy: 'do something else first',
        }),
      };
    }
    const data = parseJson(text);
    const stale =
      status === 412 && wasGuarded
        ? `mezz: it was changed by somebody else since you last read it, so ${tool} was refused. Next: read it again, then write what holds both changes.\n`
        : '';
    // Redirects too: nothing follows them.
    const isError = status >= 300;
    const head = isError ? `${stale}HTTP ${status}\n` : '';
    return {
      kind: 'called',
      isError,
      result: {
        content: [{ type: 'text', text: head + text }],
        ...(isRecord(data) ? { structuredContent: data } : {}),
        isError,
      },
    };
  }
}

/** undefined where a value would leave its place in the path. */
function addressOf({ baseUrl, path, parameters }: Operation, input: JsonRecord): string | undefined {
  let isInPlace = true;
  const filled = path.replaceAll(/\{([^{}]+)\}/g, (_, name) => {
    const one = parameters.find((parameter) => parameter.in === 'path' && parameter.name === name);
    const value = one && input[one.argument];
    const text = value === undefined || typeof value === 'object' ? '' : String(value);
    if (/^\.{0,2}$/.test(text)) isInPlace = false;
    return encodeURIComponent(text);
  });
  const query = new URLSearchParams();
  for (const parameter of parameters.filter((one) => one.in === 'query'))
    for (const [name, value] of membersOf(parameter, input[parameter.argument])) query.append(name, value);
  const search = query.size > 0 ? `?${query}` : '';
  return isInPlace ? baseUrl + filled + search : undefined;
}

/** What a parameter adds to a query, name by name. */
function membersOf({ name, joinedBy, object }: Parameter, value: Json | undefined): [string, string][] {
  if (isRecord(value) && object !== 'json')
    return Object.entries(value).flatMap(([member, one]) =>
      valuesOf(one).map((text): [string, string] => [
        object === 'deep' ? `${name}[${member}]` : member,
        text,
      ]),
    );
  const values = valuesOf(value);
  if (joinedBy === undefined) return values.map((text) => [name, text]);
  return values.length === 0 ? [] : [[name, values.join(joinedBy)]];
}

const bodyOf = ({ bodyType }: Operation, { body }: JsonRecord) =>
  bodyType === undefined || body === undefined ? undefined : { type: bodyType, text: JSON.stringify(body) };

const headersOf = ({ parameters }: Operation, input: JsonRecord): Record<string, string> =>
  Object.fromEntries(
    parameters
      .filter((parameter) => parameter.in === 'header')
      .flatMap(({ argument, name }) =>
        valuesOf(input[argument]).map((value) => [name, value.replaceAll(/[^\x20-\x7e]/g, '')]),
      ),
  );

function valuesOf(value: Json | undefined): string[] {
  if (value === undefined || value === null) return [];
  return [value].flat().map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one)));
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function waitOf(value: string | string[] | undefined, nowMs: number): number | undefined {
  const text = [value].flat()[0];
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, LIMITS.apiMaxRetryMs.value);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - nowMs), LIMITS.apiMaxRetryMs.value);
}

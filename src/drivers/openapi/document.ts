/**
 * openapi/ owns HTTP services as tools. Invariant: a credential goes to the service's own origin alone, a call is sent
 * once, and what HTTP says of a method (RFC 9110, 9.2) is what mezz believes of the tool. This file reads the document:
 * operations become tools whose `$ref`s and types are as the document words them.
 */
import { isRecord, type Json, type JsonRecord, stringOf } from '../../base/json.ts';
import type { Manifest, ManifestFile } from '../../base/manifest.ts';
import { LIMITS } from '../limits.ts';

export interface Parameter {
  /** As the tool's argument is called. */
  readonly argument: string;
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  /** What stands between the elements of a list in a query; undefined where each has the name before it. */
  readonly joinedBy?: string | undefined;
  /** How an object is told in a query: as JSON, its members by their own names, or as `name[member]`. */
  readonly object: 'json' | 'members' | 'deep';
}

export interface Operation {
  readonly method: string;
  /** Where it is, without a slash at its end. */
  readonly baseUrl: string;
  /** `/items/{id}`, as the document has it. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** The type of its body; undefined where it takes none. */
  readonly bodyType: string | undefined;
}

export interface ServiceDescription {
  readonly title: string;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly tools: readonly JsonRecord[];
  readonly manifest: ManifestFile;
  readonly operations: ReadonlyMap<string, Operation>;
  /** What is offered to nobody, and why, one line each. */
  readonly left: readonly string[];
}

const METHODS = ['get', 'head', 'options', 'put', 'post', 'delete', 'patch', 'trace'];
/** mezz itself says these: from what it has seen, from its journal, from its settings. */
const OWN_HEADERS = new Set([
  'if-match',
  'if-none-match',
  'idempotency-key',
  'authorization',
  'accept',
  'content-type',
]);
const SAFE = new Set(['get', 'head', 'options', 'trace']);

/** Rejects with what is wrong with the document. */
export async function readDocument(
  document: object,
  url: string,
  baseUrl?: string,
): Promise<ServiceDescription> {
  const api = document as unknown as JsonRecord;
  if (!/^3\./.test(stringOf(api.openapi ?? '')))
    throw new Error(
      `it is ${api.swagger === undefined ? 'no OpenAPI document' : `Swagger ${stringOf(api.swagger)}`}: convert it to OpenAPI 3`,
    );
  const foreign = foreignReference(api);
  if (foreign !== undefined) throw new Error(`it refers to another place, ${foreign}: bundle it first`);
  // Large, and needed by few.
  const { default: SwaggerParser } = await import('@apidevtools/swagger-parser');
  await SwaggerParser.validate(structuredClone(document) as never, { resolve: { external: false } });
  const { paths } = api;
  const base = (baseUrl ?? serverOf(api, url) ?? new URL('/', url).href).replace(/\/+$/, '');
  if (!/^https?:/.test(base)) throw new Error('it does not say where the service is: write baseUrl');
  const tools: JsonRecord[] = [];
  const operations = new Map<string, Operation>();
  const known: Record<string, Manifest> = {};
  const left: string[] = [];
  for (const [path, item] of Object.entries(isRecord(paths) ? paths : {})) {
    if (!isRecord(item)) continue;
    for (const method of METHODS) {
      const operation = item[method];
      if (!isRecord(operation)) continue;
      const place = baseUrl ?? serverOf(operation, url) ?? serverOf(item, url) ?? base;
      const input = inputOf(api, item, operation);
      const why =
        tools.length >= LIMITS.apiOperations.value
          ? `more than ${LIMITS.apiOperations.value}`
          : whyNot(input, place, base);
      if (!input || why !== undefined) {
        left.push(`${method.toUpperCase()} ${path} is no tool: ${why}`);
        continue;
      }
      const name = freeName(nameOf(operation, method, path), operations);
      const { parameters, inputSchema, isKeyed, bodyType } = input;
      const at = place.replace(/\/+$/, '');
      operations.set(name, { method: method.toUpperCase(), baseUrl: at, path, parameters, bodyType });
      known[name] = manifestOf(method, at + keyPath(path, parameters), isKeyed);
      tools.push({
        name,
        description: textOf(operation, method, path),
        inputSchema,
        annotations: hintsOf(method),
      });
    }
  }
  const info = isRecord(api.info) ? api.info : {};
  return {
    title: stringOf(info.title ?? ''),
    baseUrl: base,
    tools,
    manifest: { tools: known },
    operations,
    left,
  };
}

function whyNot(input: object | undefined, place: string, base: string): string | undefined {
  if (!input) return 'its body is no JSON';
  // Which gets no credential of this one.
  return new URL(place).origin === new URL(base).origin ? undefined : `it is at another service, ${place}`;
}

/** The first server that the document, a path or an operation names, its variables by their defaults. */
function serverOf({ servers }: JsonRecord, url: string): string | undefined {
  const [first] = Array.isArray(servers) ? servers : [];
  if (!isRecord(first)) return undefined;
  const { variables } = first;
  const defaultOf = (name: string) => {
    const variable = isRecord(variables) ? variables[name] : undefined;
    return isRecord(variable) ? stringOf(variable.default ?? '') : '';
  };
  const named = stringOf(first.url ?? '/').replaceAll(/\{([^{}]+)\}/g, (_, name) => defaultOf(name));
  return URL.canParse(named, url) ? new URL(named, url).href : undefined;
}

function nameOf({ operationId }: JsonRecord, method: string, path: string): string {
  const name = typeof operationId === 'string' && operationId !== '' ? operationId : `${method}_${path}`;
  return (
    name
      .replaceAll(/[^A-Za-z0-9_-]+/g, '_')
      .replaceAll(/^_+|_+$/g, '')
      .slice(0, 48) || method
  );
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name}_${n}`)) return `${name}_${n}`;
}

const textOf = ({ summary, description }: JsonRecord, method: string, path: string): string =>
  [summary, description, `${method.toUpperCase()} ${path}`]
    .filter((text) => typeof text === 'string')
    .join('\n');

const hintsOf = (method: string): JsonRecord => ({
  readOnlyHint: SAFE.has(method),
  idempotentHint: SAFE.has(method) || method === 'put' || method === 'delete',
  destructiveHint: !SAFE.has(method) && method !== 'post',
});

/** The path is the key; methods say the access, and whether a second sending does more (RFC 9110, 9.2.2). */
function manifestOf(method: string, key: string, isKeyed: boolean): Manifest {
  if (SAFE.has(method)) return { resources: [{ key: `url:${key}`, access: 'read' }], retry: 'pure' };
  const isWhole = method === 'put' || method === 'delete';
  const retry = isWhole ? 'idempotent' : isKeyed ? 'keyed' : 'unsafe';
  return { resources: [{ key: `url:${key}`, access: isWhole ? 'replace' : 'delta' }], retry };
}

const keyPath = (path: string, parameters: readonly Parameter[]): string =>
  path.replaceAll(/\{([^{}]+)\}/g, (_, name) => {
    const found = parameters.find((one) => one.in === 'path' && one.name === name);
    return `{${found?.argument ?? name}}`;
  });

/** undefined where it takes a body of another kind than JSON. */
function inputOf(api: JsonRecord, item: JsonRecord, operation: JsonRecord) {
  const own = [item.parameters, operation.parameters].flatMap((list) => (Array.isArray(list) ? list : []));
  const declared = own.map((one) => lookUp(api, one)).filter(isRecord);
  const isHidden = (one: JsonRecord) =>
    one.in === 'header' && OWN_HEADERS.has(stringOf(one.name).toLowerCase());
  const shown = declared.filter(
    (one) => ['path', 'query', 'header'].includes(stringOf(one.in)) && !isHidden(one),
  );
  const parameters: Parameter[] = [];
  const properties: Record<string, Json> = {};
  const required: string[] = [];
  for (const one of shown) {
    const argument = argumentFor(stringOf(one.name), stringOf(one.in), properties);
    const [media] = isRecord(one.content) ? Object.values(one.content) : [];
    const name = stringOf(one.name);
    parameters.push({ argument, name, in: one.in as Parameter['in'], ...styleOf(one, media !== undefined) });
    const { description } = one;
    const described = isRecord(media) ? media.schema : one.schema;
    const schema = isRecord(described) ? described : {};
    properties[argument] = typeof description === 'string' ? { description, ...schema } : schema;
    if (one.required === true || one.in === 'path') required.push(argument);
  }
  const body = bodyOf(api, operation);
  if (body === 'other') return undefined;
  if (body) {
    properties.body = body.schema;
    if (body.required) required.push('body');
  }
  const isKeyed = declared.some(
    (one) => isHidden(one) && stringOf(one.name).toLowerCase() === 'idempotency-key',
  );
  const schema = { type: 'object', properties, required, additionalProperties: false };
  return { parameters, inputSchema: withDefinitions(api, schema), isKeyed, bodyType: body?.type };
}

function argumentFor(name: string, place: string, taken: Record<string, Json>): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  return plain in taken || plain === 'body' ? `${place}_${plain}` : plain;
}

/** How lists and objects are written into a query (OpenAPI 3.1, 4.8.12.2). */
function styleOf({ style = 'form', explode = style === 'form' }: JsonRecord, isContent: boolean) {
  const marks: Readonly<Record<string, string>> = { form: ',', spaceDelimited: ' ', pipeDelimited: '|' };
  const joinedBy = explode === true || isContent ? undefined : marks[stringOf(style)];
  const members = style === 'form' && explode === true ? ('members' as const) : ('json' as const);
  return {
    joinedBy,
    object: isContent ? ('json' as const) : style === 'deepObject' ? ('deep' as const) : members,
  };
}

interface Body {
  readonly type: string;
  readonly schema: Json;
  readonly required: boolean;
}

const PLAIN_JSON = 'application/json';

function bodyOf(api: JsonRecord, operation: JsonRecord): Body | 'other' | undefined {
  const body = lookUp(api, operation.requestBody);
  const content = isRecord(body) && isRecord(body.content) ? body.content : {};
  const types = Object.keys(content);
  if (!isRecord(body) || types.length === 0) return undefined;
  const isJson = (type: string) => /^application\/(?:[\w.-]+\+)?json\b/i.test(type);
  const type =
    types.find((one) => one === PLAIN_JSON) ?? types.find(isJson) ?? types.find((one) => one.includes('*'));
  const json = type === undefined ? undefined : content[type];
  if (type === undefined || !isRecord(json)) return 'other';
  const schema = isRecord(json.schema) ? json.schema : {};
  return { type: type.includes('*') ? PLAIN_JSON : type, schema, required: body.required === true };
}

/** What a local reference names, or the value itself. */
function lookUp(api: JsonRecord, value: Json | undefined): Json | undefined {
  if (!isRecord(value) || typeof value.$ref !== 'string') return value;
  const steps = value.$ref.replace(/^#\//, '').split('/');
  return steps.reduce<Json | undefined>(
    (at, step) => (isRecord(at) ? at[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
    api,
  );
}

/** A definition by the reference that names it: `#/components/schemas/Node` is `Node`. */
const definitionOf = (reference: string): string =>
  reference
    .replace(/^#\//, '')
    .replace(/^components\/schemas\//, '')
    .replaceAll('/', '_');

/** The first reference to another place, if there is one. */
function foreignReference(value: Json): string | undefined {
  if (Array.isArray(value)) return value.map(foreignReference).find((found) => found !== undefined);
  if (!isRecord(value)) return undefined;
  const { $ref } = value;
  if (typeof $ref === 'string' && !$ref.startsWith('#/')) return $ref;
  return Object.values(value)
    .map(foreignReference)
    .find((found) => found !== undefined);
}

/** OpenAPI 3.0's own words in those of JSON Schema 2020-12, which 3.1 has. */
function reword(schema: JsonRecord): JsonRecord {
  const made = { ...schema };
  for (const [edge, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof made[edge] !== 'boolean') continue;
    const limit = made[bound];
    const isOutside = made[edge] && typeof limit === 'number';
    delete made[edge];
    if (!isOutside) continue;
    delete made[bound];
    made[edge] = limit;
  }
  if (typeof made.nullable !== 'boolean') return made;
  const { nullable, type, ...rest } = made;
  if (!nullable) return type === undefined ? rest : { type, ...rest };
  return typeof type === 'string' ? { type: [type, 'null'], ...rest } : { anyOf: [rest, { type: 'null' }] };
}

/** References stay references, to definitions that travel with the schema: also those that name themselves. */
function withDefinitions(api: JsonRecord, schema: JsonRecord): JsonRecord {
  const definitions: Record<string, Json> = {};
  const carry = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(carry);
    if (!isRecord(value)) return value;
    const members = Object.entries(value).map(([name, one]): [string, Json] => {
      if (name !== '$ref' || typeof one !== 'string') return [name, carry(one)];
      const target = definitionOf(one);
      if (!(target in definitions)) {
        definitions[target] = {};
        definitions[target] = carry(lookUp(api, { $ref: one }) ?? {});
      }
      return [name, `#/$defs/${target}`];
    });
    return reword(Object.fromEntries(members));
  };
  const carried = carry(schema) as JsonRecord;
  return Object.keys(definitions).length > 0 ? { ...carried, $defs: definitions } : carried;
}

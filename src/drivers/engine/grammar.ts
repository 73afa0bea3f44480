/**
 * JSON Schema as a grammar (GBNF, github.com/ggml-org/llama.cpp/blob/master/grammars/README.md): a model that is held to
 * it can write nothing that the schema refuses. Said exactly: types, enum, const, anyOf, oneOf, allOf of objects, $ref
 * into the schema itself, properties, required, items, prefixItems, bounds on items and on lengths, a minimum of 0 or
 * 1. Not said, and so not enforced: pattern, format, other bounds on numbers, not, if.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';

export interface CallableTool {
  readonly name: string;
  readonly schema: Json;
}

/** A text written exactly. */
const literal = (text: string): string => (text === '' ? '""' : JSON.stringify(text));
/** A JSON value written exactly. */
const constant = (value: Json): string => literal(JSON.stringify(value));

const PRIMITIVES: Readonly<Record<string, string>> = {
  char: '[^"\\\\\\x00-\\x1F\\x7F] | "\\\\" ["\\\\/bfnrt]',
  string: '"\\"" char* "\\""',
  natural: '"0" | [1-9] [0-9]{0,14}',
  integer: '"-"? natural',
  fraction: '("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
  number: 'integer fraction',
  boolean: '"true" | "false"',
  null: '"null"',
  comma: '"," " "?',
  colon: '":" " "?',
  pair: 'string colon value',
  object: '"{" (pair (comma pair)*)? "}"',
  array: '"[" (value (comma value)*)? "]"',
  value: 'object | array | string | number | boolean | null',
};

/** A grammar for one value of the schema; undefined where it would be too large. */
export function schemaGrammar(schema: Json): string | undefined {
  const rules = new Rules();
  return rules.text(rules.named(schema, schema));
}

/**
 * A grammar for one call of one of the tools, as `write` spells it: the name and what stands before the arguments.
 * undefined where it would be too large.
 */
export function callGrammar(
  tools: readonly CallableTool[],
  write: (name: string) => string,
): string | undefined {
  const rules = new Rules();
  const calls = tools.map(
    ({ name, schema }) => `${literal(write(name))} ${rules.named(argumentsOf(schema), schema)}`,
  );
  return rules.text(calls.join(' | '));
}

/** Arguments are an object, whatever else a schema leaves open. */
const argumentsOf = (schema: Json): Json =>
  isRecord(schema) ? { ...schema, type: 'object' } : { type: 'object' };

class Rules {
  readonly #rules = new Map<string, string>();
  /** Rules of schemas that are referred to, by root and pointer: a schema may contain itself. */
  readonly #referred = new Map<Json, Map<string, string>>();

  text(root: string): string | undefined {
    const all = [...Object.entries({ root, ...PRIMITIVES }), ...this.#rules];
    const text = all.map(([name, body]) => `${name} ::= ${body}`).join('\n');
    return text.length <= LIMITS.engineGrammarCharacters.value ? text : undefined;
  }

  /** The name of a rule for this schema, which is a part of `root`. */
  named(schema: Json, root: Json): string {
    const body = this.#body(schema, root);
    return /^[\w-]+$/.test(body) ? body : this.#add(body);
  }

  #add(body: string): string {
    const name = `r${this.#rules.size}`;
    this.#rules.set(name, body);
    return name;
  }

  #body(schema: Json, root: Json): string {
    if (!isRecord(schema)) return 'value';
    if (typeof schema.$ref === 'string') return this.#refer(schema.$ref, root);
    if (schema.const !== undefined) return constant(schema.const);
    if (Array.isArray(schema.enum)) return schema.enum.map(constant).join(' | ');
    const any = schema.anyOf ?? schema.oneOf;
    if (Array.isArray(any)) return any.map((one) => this.named(chosen(schema, one), root)).join(' | ');
    if (Array.isArray(schema.allOf)) return this.#body(merged(schema, schema.allOf, root), root);
    const types = typesOf(schema);
    return types.map((type) => this.#typed(type, schema, root)).join(' | ');
  }

  #refer(pointer: string, root: Json): string {
    const known = this.#referred.get(root) ?? new Map<string, string>();
    this.#referred.set(root, known);
    const name = known.get(pointer);
    if (name !== undefined) return name;
    const target = pointedAt(root, pointer);
    if (target === undefined) return 'value';
    // Named before it is written: it may refer to itself.
    const own = this.#add('value');
    known.set(pointer, own);
    this.#rules.set(own, this.#body(target, root));
    return own;
  }

  #typed(type: string, schema: JsonRecord, root: Json): string {
    switch (type) {
      case 'string':
        return this.#string(schema);
      case 'integer':
      case 'number':
        return number(type, schema);
      case 'array':
        return this.#array(schema, root);
      case 'object':
        return this.#object(schema, root);
      case 'boolean':
      case 'null':
        return type;
      default:
        return 'value';
    }
  }

  #string({ minLength, maxLength }: JsonRecord): string {
    const bounds = repeated(minLength, maxLength);
    return bounds === '*' ? 'string' : `"\\"" char${bounds} "\\""`;
  }

  #array(schema: JsonRecord, root: Json): string {
    const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
    if (first.length > 0) return `"[" ${first.map((item) => this.named(item, root)).join(' comma ')} "]"`;
    const item = this.named(schema.items ?? {}, root);
    const least = count(schema.minItems) ?? 0;
    const most = count(schema.maxItems);
    if (most === 0) return '"[]"';
    const more = repeated(Math.max(0, least - 1), most === undefined ? undefined : most - 1);
    const items = `${item} (comma ${item})${more}`;
    return least === 0 ? `"[" (${items})? "]"` : `"[" ${items} "]"`;
  }

  #object(schema: JsonRecord, root: Json): string {
    const properties = record(schema.properties);
    const required = [...new Set(list(schema.required).map(String))];
    const names = [...new Set([...required, ...Object.keys(properties)])];
    if (names.length === 0) return this.#open(schema, root);
    const pair = (name: string) => `${constant(name)} colon ${this.named(properties[name] ?? {}, root)}`;
    const needed = required.map(pair);
    const others = names.filter((name) => !required.includes(name)).map((name) => this.#add(pair(name)));
    const rest = (from: number) =>
      others
        .slice(from)
        .map((other) => ` (comma ${other})?`)
        .join('');
    if (needed.length > 0) return `"{" ${needed.join(' comma ')}${rest(0)} "}"`;
    // Any of them may be the first.
    return `"{" (${others.map((other, at) => `${other}${rest(at + 1)}`).join(' | ')})? "}"`;
  }

  /** An object whose names are free. */
  #open({ additionalProperties: more }: JsonRecord, root: Json): string {
    if (more === false) return '"{}"';
    if (!isRecord(more)) return 'object';
    const pair = `string colon ${this.named(more, root)}`;
    return `"{" (${pair} (comma ${pair})*)? "}"`;
  }
}

const TYPES = ['object', 'array', 'string', 'number', 'boolean', 'null'];

function typesOf(schema: JsonRecord): string[] {
  const { type, nullable } = schema;
  const told = Array.isArray(type) ? type.map(String) : typeof type === 'string' ? [type] : implied(schema);
  return nullable === true ? [...told, 'null'] : told;
}

/** What a schema without a type is about. */
function implied(schema: JsonRecord): string[] {
  if (schema.properties !== undefined || schema.required !== undefined) return ['object'];
  if (schema.items !== undefined || schema.prefixItems !== undefined) return ['array'];
  return TYPES;
}

function number(type: 'integer' | 'number', schema: JsonRecord): string {
  const least = bound(schema.minimum, 0) ?? bound(schema.exclusiveMinimum, 1);
  const whole = least === undefined || least < 0 ? 'integer' : least < 1 ? 'natural' : '[1-9] [0-9]{0,14}';
  // An exponent could bring it below the bound again.
  return type === 'integer' || whole.startsWith('[') ? whole : `${whole} fraction`;
}

const bound = (value: Json | undefined, more: number): number | undefined =>
  typeof value === 'number' ? value + more : undefined;
const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && value >= 0 ? Math.floor(value) : undefined;

/** How often, as GBNF writes it; a longer text than the bound of this folder is not written, and so fits all the more. */
function repeated(least: Json | undefined, most: Json | undefined): string {
  const from = count(least) ?? 0;
  const to = count(most);
  if (to === undefined) return from === 0 ? '*' : `{${from},}`;
  return `{${from},${Math.max(from, Math.min(to, LIMITS.engineRepetitions.value))}}`;
}

/** One of several, with what holds for all of them; one that is referred to stands for itself. */
function chosen(schema: JsonRecord, one: Json): Json {
  if (!isRecord(one) || one.$ref !== undefined) return one;
  const { anyOf: _any, oneOf: _one, ...shared } = schema;
  return both(shared, one);
}

/** Objects that must all hold, as one. */
function merged(schema: JsonRecord, all: readonly Json[], root: Json): JsonRecord {
  const { allOf: _all, ...rest } = schema;
  let sum = rest;
  for (const one of all) {
    const found = isRecord(one) && typeof one.$ref === 'string' ? pointedAt(root, one.$ref) : one;
    if (isRecord(found)) sum = both(sum, found);
  }
  return sum;
}

function both(a: JsonRecord, b: JsonRecord): JsonRecord {
  const properties = { ...record(a.properties), ...record(b.properties) };
  const required = [...list(a.required), ...list(b.required)];
  return {
    ...a,
    ...b,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
  };
}

const record = (value: Json | undefined): JsonRecord => (isRecord(value) ? value : {});
const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** A JSON Pointer (RFC 6901) into the schema, as a fragment. */
function pointedAt(root: Json, pointer: string): Json | undefined {
  if (!pointer.startsWith('#')) return undefined;
  const steps = decodeURIComponent(pointer.slice(1)).split('/').slice(1);
  let at: Json | undefined = root;
  for (const step of steps) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    at = isRecord(at) || Array.isArray(at) ? (at as JsonRecord)[name] : undefined;
  }
  return at;
}

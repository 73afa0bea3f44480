/**
 * against/ owns the checklist's view of another product: a description says where it is and what it offers, and that
 * becomes a Subject. Invariant: what the description does not name is not offered, and nothing of it can end the
 * checklist. It must not know: any product by name.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { isRecord, type Json, type JsonRecord } from '../../../base/json.ts';
import { UsageFailure } from '../../exit.ts';
import { DIALECT_NAMES, type DialectName } from '../dialects.ts';

export interface Program {
  readonly run: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
export interface Request {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonRecord | undefined;
}
/** Something to do with the product: a program that is run, or a request that is sent. */
export type Action = Program | Request;

export interface ToolUse {
  readonly tool: string;
  readonly input: JsonRecord;
}

/** All texts may hold places to fill: see docs/checklist.md. */
export interface Description {
  readonly name: string;
  readonly start: (Program & { readonly ready: string }) | undefined;
  /** Run for each new agent; what it prints is the agent's key. */
  readonly agent: Action | undefined;
  readonly models:
    | {
        readonly url: string;
        readonly dialect: DialectName;
        readonly model: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly body: JsonRecord;
        /** The response header that names the call. */
        readonly id: string | undefined;
      }
    | undefined;
  readonly policies: readonly { readonly name: string; readonly text: string; readonly set: Action }[];
  readonly actions: Readonly<Partial<Record<ActionName, Action>>>;
  readonly tools:
    | {
        readonly mcp: Action;
        readonly file: string;
        readonly begin: string;
        readonly kept: string;
        readonly uses: Readonly<Partial<Record<'change' | 'read' | 'replace', ToolUse>>>;
      }
    | undefined;
  readonly says: Readonly<Record<'unasked' | 'help' | 'pages', Readonly<Record<string, Action>>>> | undefined;
}

export const ACTION_NAMES = ['prefer', 'demote', 'waits', 'pause', 'resume', 'check', 'decision'] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

const EXAMPLE = 'mezz checklist --help';

/** Members of a description, each read once; what is left is unknown and told. */
class Members {
  readonly #value: JsonRecord;
  readonly #where: string;
  readonly #left: Set<string>;

  constructor(value: Json | undefined, where: string) {
    if (!isRecord(value)) throw new UsageFailure(`${where}: a mapping is expected`, EXAMPLE);
    this.#value = value;
    this.#where = where;
    this.#left = new Set(Object.keys(value));
  }

  fail(name: string, expected: string): never {
    throw new UsageFailure(`${this.#where}.${name}: ${expected} is expected`, EXAMPLE);
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined && this.#value[name] !== null;
  }

  take(name: string): Json | undefined {
    this.#left.delete(name);
    return this.#value[name] ?? undefined;
  }

  names(): readonly string[] {
    return Object.keys(this.#value);
  }

  text(name: string, otherwise?: string): string {
    const value = this.take(name) ?? otherwise;
    return typeof value === 'string' ? value : this.fail(name, 'a text');
  }

  texts(name: string): Record<string, string> {
    const value = this.record(name);
    for (const [key, text] of Object.entries(value))
      if (typeof text !== 'string') this.fail(`${name}.${key}`, 'a text');
    return value as Record<string, string>;
  }

  record(name: string): JsonRecord {
    const value = this.take(name) ?? {};
    return isRecord(value) ? value : this.fail(name, 'a mapping');
  }

  list(name: string): readonly Json[] {
    const value = this.take(name) ?? [];
    return Array.isArray(value) ? value : this.fail(name, 'a list');
  }

  words(name: string): readonly string[] {
    const value = this.list(name);
    const isWords = value.length > 0 && value.every((word) => typeof word === 'string');
    return isWords ? (value as string[]) : this.fail(name, 'a list of texts, a program and its arguments,');
  }

  within(name: string): Members {
    return new Members(this.take(name), `${this.#where}.${name}`);
  }

  end(): void {
    const [unknown] = this.#left;
    if (unknown !== undefined)
      throw new UsageFailure(`${this.#where}.${unknown}: there is no such member`, EXAMPLE);
  }
}

const onlyIf = <T>(holds: boolean, read: () => T): T | undefined => (holds ? read() : undefined);

/** A program, a request, or, where a text is enough, the address or the file that has it. */
function readAction(from: Members, name: string): Action {
  const value = from.take(name);
  if (typeof value === 'string')
    return /^https?:/.test(value)
      ? { url: value, method: 'GET', headers: {}, body: undefined }
      : { run: ['cat', value], env: {} };
  return actionOf(new Members(value, name));
}

function actionOf(members: Members): Action {
  const action: Action = members.has('run')
    ? { run: members.words('run'), env: members.texts('env') }
    : {
        url: members.text('url'),
        method: members.text('method', 'POST'),
        headers: members.texts('headers'),
        body: onlyIf(members.has('body'), () => members.record('body')),
      };
  members.end();
  return action;
}

function readModels(members: Members): Description['models'] {
  const dialect = members.text('dialect', 'openai-chat') as DialectName;
  if (!DIALECT_NAMES.includes(dialect)) members.fail('dialect', DIALECT_NAMES.join(', '));
  const models = {
    url: members.text('url').replace(/\/$/, ''),
    dialect,
    model: members.text('model', 'lab'),
    headers: members.texts('headers'),
    body: members.record('body'),
    id: onlyIf(members.has('id'), () => members.text('id')),
  };
  members.end();
  return models;
}

function readTools(members: Members): Description['tools'] {
  const uses: Partial<Record<'change' | 'read' | 'replace', ToolUse>> = {};
  for (const name of ['change', 'read', 'replace'] as const)
    if (members.has(name)) {
      const use = members.within(name);
      uses[name] = { tool: use.text('tool'), input: use.record('input') };
      use.end();
    }
  const tools = {
    mcp: readAction(members, 'mcp'),
    file: members.text('file'),
    begin: members.text('begin', ''),
    kept: members.text('kept', ''),
    uses,
  };
  members.end();
  return tools;
}

const readNamed = (members: Members): Record<string, Action> => {
  const named: Record<string, Action> = {};
  for (const name of members.names()) named[name] = readAction(members, name);
  return named;
};

/** Reads a description; `where` names it in complaints. */
export function readDescription(value: Json, where: string): Description {
  const all = new Members(value, where);
  const actions: Partial<Record<ActionName, Action>> = {};
  for (const name of ACTION_NAMES) if (all.has(name)) actions[name] = readAction(all, name);
  const description: Description = {
    name: all.text('name', where),
    start: onlyIf(all.has('start'), () => readStart(all.within('start'))),
    agent: onlyIf(all.has('agent'), () => readAction(all, 'agent')),
    models: onlyIf(all.has('models'), () => readModels(all.within('models'))),
    policies: all.list('policies').map((one, at) => readPolicy(new Members(one, `${where}.policies.${at}`))),
    actions,
    tools: onlyIf(all.has('tools'), () => readTools(all.within('tools'))),
    says: onlyIf(all.has('says'), () => readSays(all.within('says'))),
  };
  all.end();
  return description;
}

function readStart(members: Members): NonNullable<Description['start']> {
  const start = { run: members.words('run'), env: members.texts('env'), ready: members.text('ready') };
  members.end();
  return start;
}

function readPolicy(members: Members): Description['policies'][number] {
  const name = members.text('name');
  const policy = { name, text: members.text('text', name), set: readAction(members, 'set') };
  members.end();
  return policy;
}

function readSays(members: Members): NonNullable<Description['says']> {
  const part = (name: string) => (members.has(name) ? readNamed(members.within(name)) : {});
  const says = { unasked: part('unasked'), help: part('help'), pages: part('pages') };
  members.end();
  return says;
}

/** A file in YAML or JSON, or the base URL of something that speaks Chat Completions. */
export function openDescription(source: string): Description {
  if (/^https?:/.test(source)) return readDescription({ name: source, models: { url: source } }, source);
  let value: Json;
  try {
    value = parse(readFileSync(source, 'utf8')) as Json;
  } catch (error) {
    throw new UsageFailure(`${source}: ${error instanceof Error ? error.message : String(error)}`, EXAMPLE);
  }
  return readDescription(value, source);
}

/**
 * Tool servers as other programs write them down: Claude Code, Cursor, VS Code, Codex, and the registry's `server.json`.
 * Invariant: what looks like a secret is left out and named, never copied; what does not work here as it is written there
 * is said.
 */
import { isRecord, type Json, type JsonRecord, parseJson, tableOf } from '../base/json.ts';
import type { ToolDraft, ToolValue } from '../base/tools.ts';
import { readToml } from './toml.ts';

const SECRET = /key|token|secret|passw|credential|auth(?!or)/i;
/** Keys known by how they begin, and logins inside of addresses. */
const SECRET_TEXT =
  /^(?:sk-|gh[opsu]_|github_pat_|glpat-|xox[abp]-|AKIA|eyJ)[\w-]{8}|\bbearer |:\/\/[^/\s:@]*:[^/\s@]+@/i;
const VARIABLE = /^[A-Z_][A-Z0-9_]{0,127}$/;
/** The whole of a value is a variable of the environment; any other `${...}` is filled in by the program itself. */
const REFERENCE = /^\$\{(?:env:)?([A-Z_][A-Z0-9_]{0,127})\}$/;
const FILLED_IN = /\$\{[^}]*\}/;

/** What the text of a settings file says of tool servers; empty where it says nothing, a text where it cannot be read. */
export function readToolFile(path: string, text: string): ToolDraft[] | string {
  if (path.endsWith('.toml')) return draftsOf(readToml(text).mcp_servers);
  const read = parseJson(withoutComments(text));
  if (read === undefined) return `${path} is not JSON`;
  if (!isRecord(read)) return [];
  if (Array.isArray(read.packages) || Array.isArray(read.remotes)) return fromRegistry(read);
  const projects = isRecord(read.projects) ? Object.values(read.projects).filter(isRecord) : [];
  return [read.mcpServers, read.servers, ...projects.map(({ mcpServers }) => mcpServers)].flatMap(draftsOf);
}

function draftsOf(servers: Json | undefined): ToolDraft[] {
  return Object.entries(recordOf(servers)).flatMap(([name, one]) =>
    isRecord(one) ? draftOf(idOf(name), one) : [],
  );
}

function draftOf(id: string, one: JsonRecord): ToolDraft[] {
  const notes = one.disabled === true || one.enabled === false ? ['is switched off there'] : [];
  if (typeof one.command === 'string') {
    const args = argumentsOf(Array.isArray(one.args) ? one.args.map(String) : []);
    const env = valuesOf(recordOf(one.env), true);
    const command = [one.command, ...args.kept];
    const cwd = typeof one.cwd === 'string' ? { cwd: one.cwd } : {};
    for (const part of [...command, cwd.cwd ?? '']) if (FILLED_IN.test(part)) notes.push(filledIn(part));
    const left = [...args.left, ...env.left];
    return [{ id, command, ...cwd, ...given('env', env.kept), left, notes: [...notes, ...env.notes] }];
  }
  const url = [one.url, one.serverUrl].find((value) => typeof value === 'string');
  if (url === undefined) return [];
  if (one.type === 'sse') notes.push('speaks a transport of 2024 (sse) there, which mezz does not speak');
  const variables = Object.entries(recordOf(one.env_http_headers)).map(([name, v]) => [name, `\${${v}}`]);
  const said = { ...recordOf(one.headers ?? one.http_headers), ...Object.fromEntries(variables) };
  const headers = valuesOf(said, false);
  const address = addressOf(String(url));
  const left = [...address.left, ...headers.left];
  if (typeof one.bearer_token_env_var === 'string') left.push(one.bearer_token_env_var);
  notes.push(...headers.notes);
  return [{ id, url: address.kept, ...given('headers', headers.kept), left, notes }];
}

/** One server of the registry: its first package that a known runner starts, else the first address that mezz speaks to. */
function fromRegistry(read: JsonRecord): ToolDraft[] {
  const id = idOf(String(read.name ?? '').replace(/^.*\//, ''));
  for (const one of listOf(read.packages)) {
    const command = commandOf(one);
    if (!command) continue;
    const variables = listOf(one.environmentVariables);
    const said = variables.map(({ name, value, default: usual, isSecret }): [string, Json | undefined] => [
      String(name),
      isSecret === true ? `\${${name}}` : (value ?? usual),
    ]);
    const env = valuesOf(
      Object.fromEntries(said.filter(([, value]) => typeof value === 'string')) as JsonRecord,
      true,
    );
    const wanted = variables.filter(({ name, isRequired }) => isRequired === true && !env.kept[String(name)]);
    const left = [
      ...command.left,
      ...env.left,
      ...variables.filter(({ isSecret }) => isSecret === true).map(({ name }) => String(name)),
    ];
    const notes = [...command.notes, ...env.notes, ...wanted.map(({ name }) => `wants a value of ${name}`)];
    return [{ id, command: command.kept, ...given('env', env.kept), left: [...new Set(left)], notes }];
  }
  const remotes = listOf(read.remotes).filter(({ url }) => typeof url === 'string');
  const remote = remotes.find(({ type }) => type !== 'sse') ?? remotes[0];
  if (!remote) return [];
  const said = listOf(remote.headers);
  const headers = said.flatMap(({ name, value }) => (typeof value === 'string' ? [[name, value]] : []));
  const unsaid = said.filter(({ value }) => typeof value !== 'string').map(({ name }) => String(name));
  return draftOf(id, { ...remote, headers: Object.fromEntries(headers) }).map((draft) => ({
    ...draft,
    left: [...draft.left, ...unsaid],
  }));
}

/** What is taken over; of secrets the names alone, and what is to be said. */
interface Taken<T> {
  readonly kept: T;
  readonly left: string[];
  readonly notes: string[];
}

/** How the runner of each kind of package is told what it needs itself, and the package. */
const RUNNERS = tableOf<(own: readonly string[], name: string, version: string) => string[]>({
  npm: (own, name, version) => ['npx', '-y', ...own, version === '' ? name : `${name}@${version}`],
  pypi: (own, name, version) => ['uvx', ...own, version === '' ? name : `${name}@${version}`],
  oci: (own, name, version) => [
    ...['docker', 'run', '-i', '--rm', ...own],
    version === '' ? name : `${name}:${version}`,
  ],
});

function commandOf(one: JsonRecord): Taken<string[]> | undefined {
  const { registryType, identifier, version } = one;
  const runner = RUNNERS[String(registryType)];
  if (!runner || typeof identifier !== 'string') return undefined;
  const [own, after] = [listOf(one.runtimeArguments), listOf(one.packageArguments)].map(toldArguments);
  if (!own || !after) return undefined;
  const kept = [...runner(own.kept, identifier, typeof version === 'string' ? version : ''), ...after.kept];
  return { kept, left: [...own.left, ...after.left], notes: [...own.notes, ...after.notes] };
}

function toldArguments(given: readonly JsonRecord[]): Taken<string[]> {
  const taken: Taken<string[]> = { kept: [], left: [], notes: [] };
  for (const { name, value, default: usual, isSecret, isRequired, valueHint } of given) {
    const text = value ?? usual;
    const flag = typeof name === 'string' ? [name] : [];
    const called = String(name ?? valueHint ?? 'an argument');
    if (isSecret === true) taken.left.push(called);
    else if (typeof text === 'string') taken.kept.push(...flag, text);
    else if (isRequired === true) taken.notes.push(`wants a value of ${called}`);
    else taken.kept.push(...flag);
  }
  return taken;
}

/** A secret goes with the option that it is the value of. */
function argumentsOf(args: readonly string[]): Taken<string[]> {
  const taken: Taken<string[]> = { kept: [], left: [], notes: [] };
  for (const [at, arg] of args.entries()) {
    const [, option, value] = /^(--?[\w-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const before = /^--?[\w-]+$/.test(args[at - 1] ?? '') ? args[at - 1] : undefined;
    const isNamed = option !== undefined && SECRET.test(option);
    const isOfBefore = before !== undefined && option === undefined && SECRET.test(before);
    if (isOfBefore) continue;
    const next = args[at + 1];
    if (isNamed && (value !== undefined || (next !== undefined && !next.startsWith('-'))))
      taken.left.push(option);
    else if (!SECRET_TEXT.test(value ?? arg)) taken.kept.push(arg);
    else {
      taken.left.push(option ?? before ?? `argument ${at + 1}`);
      if (option === undefined && before !== undefined && taken.kept.at(-1) === before) taken.kept.pop();
    }
  }
  return taken;
}

/** Without the login and the keys in it. */
function addressOf(url: string): Taken<string> {
  const address = URL.parse(url);
  if (!address) return { kept: url, left: [], notes: [] };
  const left = [...address.searchParams.keys()].filter((name) => SECRET.test(name));
  for (const name of left) address.searchParams.delete(name);
  if (address.username !== '' || address.password !== '') left.push('the login in its address');
  address.username = '';
  address.password = '';
  return { kept: left.length > 0 ? address.href : url, left, notes: [] };
}

/** `hasPlaces`: a secret of a name that a variable may have is taken from the environment that mezz starts in. */
function valuesOf(values: JsonRecord, hasPlaces: boolean): Taken<Readonly<Record<string, ToolValue>>> {
  const kept: Record<string, ToolValue> = {};
  const taken: Taken<Record<string, ToolValue>> = { kept, left: [], notes: [] };
  for (const [name, value] of Object.entries(values)) {
    const text = String(value);
    const [, variable] = REFERENCE.exec(text) ?? [];
    const isSecret = SECRET.test(name) || SECRET_TEXT.test(text);
    if (variable !== undefined) kept[name] = { env: variable };
    else if (isSecret) taken.left.push(name);
    else if (FILLED_IN.test(text)) taken.notes.push(filledIn(`${name}: ${text}`));
    else kept[name] = text;
    if (isSecret && hasPlaces && variable === undefined && VARIABLE.test(name)) kept[name] = { env: name };
  }
  return taken;
}

const filledIn = (what: string): string =>
  `has ${what}, which the other program fills in: write what it stands for`;

const given = <N extends 'env' | 'headers'>(member: N, kept: Readonly<Record<string, ToolValue>>) =>
  (Object.keys(kept).length === 0 ? {} : { [member]: kept }) as {
    [K in N]?: Readonly<Record<string, ToolValue>>;
  };

const recordOf = (value: Json | undefined): JsonRecord => (isRecord(value) ? value : {});
const listOf = (value: Json | undefined): JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];

/** As mezz.yaml names servers. */
function idOf(name: string): string {
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 32);
  return id === '' ? 'server' : id;
}

/** JSON as editors write it: with comments, and commas before what closes. */
function withoutComments(text: string): string {
  const plain = text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (part) =>
    part.startsWith('"') ? part : '',
  );
  return plain.replace(/"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])/g, (part) => (part === ',' ? '' : part));
}

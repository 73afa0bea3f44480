/**
 * Tool servers as other programs write them down: Claude Code, Cursor, VS Code, Codex, and the registry's `server.json`.
 * Invariant: what looks like a secret is left out and named, never copied.
 */
import { isRecord, type Json, type JsonRecord, parseJson } from '../base/json.ts';
import type { ToolDraft } from '../base/tools.ts';
import { readToml } from './toml.ts';

const SECRET = /key|token|secret|passw|credential|auth/i;

/** What the text of a settings file says of tool servers; empty where it says nothing. */
export function readToolFile(path: string, text: string): ToolDraft[] {
  if (path.endsWith('.toml')) return draftsOf(readToml(text).mcp_servers);
  const read = parseJson(withoutComments(text));
  if (!isRecord(read)) return [];
  if (Array.isArray(read.packages) || Array.isArray(read.remotes)) return fromRegistry(read);
  const projects = isRecord(read.projects) ? Object.values(read.projects).filter(isRecord) : [];
  return [read.mcpServers, read.servers, ...projects.map(({ mcpServers }) => mcpServers)].flatMap(draftsOf);
}

function draftsOf(servers: Json | undefined): ToolDraft[] {
  if (!isRecord(servers)) return [];
  return Object.entries(servers).flatMap(([name, one]) => (isRecord(one) ? draftOf(name, one) : []));
}

function draftOf(name: string, one: JsonRecord): ToolDraft[] {
  const args = Array.isArray(one.args) ? one.args.map(String) : [];
  const command = typeof one.command === 'string' ? [one.command, ...args] : [];
  const url = [one.url, one.serverUrl].find((value) => typeof value === 'string');
  const env = valuesOf(one.env);
  const headers = valuesOf(one.headers ?? one.http_headers);
  const left = [...env.left, ...headers.left];
  if (typeof one.bearer_token_env_var === 'string') left.push(one.bearer_token_env_var);
  const id = idOf(name);
  if (command.length > 0) return [{ id, command, left, ...(isEmpty(env.kept) ? {} : { env: env.kept }) }];
  if (typeof url !== 'string') return [];
  return [{ id, url, left, ...(isEmpty(headers.kept) ? {} : { headers: headers.kept }) }];
}

/** One server of the registry: its first package that a known runner starts, else the first address. */
function fromRegistry(read: JsonRecord): ToolDraft[] {
  const id = idOf(
    String(read.name ?? '')
      .split('/')
      .at(-1) ?? '',
  );
  const packages = Array.isArray(read.packages) ? read.packages.filter(isRecord) : [];
  for (const one of packages) {
    const command = commandOf(one);
    if (!command) continue;
    const variables = listOf(one.environmentVariables);
    const left = variables.filter((each) => each.isSecret === true || SECRET.test(String(each.name)));
    const kept = variables.filter((each) => !left.includes(each) && typeof each.default === 'string');
    const env = Object.fromEntries(kept.map((each) => [String(each.name), String(each.default)]));
    return [{ id, command, left: left.map(({ name }) => String(name)), ...(isEmpty(env) ? {} : { env }) }];
  }
  const remote = listOf(read.remotes).find(({ url }) => typeof url === 'string');
  return remote
    ? [{ id, url: String(remote.url), left: listOf(remote.headers).map(({ name }) => String(name)) }]
    : [];
}

/** How the runner of each kind of package is told name and version. */
const RUNNERS: Readonly<Record<string, (name: string, version: string) => string[]>> = {
  npm: (name, version) => ['npx', '-y', version === '' ? name : `${name}@${version}`],
  pypi: (name, version) => ['uvx', version === '' ? name : `${name}@${version}`],
  oci: (name, version) => ['docker', 'run', '-i', '--rm', version === '' ? name : `${name}:${version}`],
};

function commandOf({
  registryType,
  identifier,
  version,
  packageArguments,
}: JsonRecord): string[] | undefined {
  const runner = RUNNERS[String(registryType)];
  if (!runner || typeof identifier !== 'string') return undefined;
  const given = listOf(packageArguments).flatMap(({ name, value, default: usual }) => {
    const text = value ?? usual;
    return [...(typeof name === 'string' ? [name] : []), ...(typeof text === 'string' ? [text] : [])];
  });
  return [...runner(identifier, typeof version === 'string' ? version : ''), ...given];
}

/** Of variables and headers those that hold no secret; `${...}` is one that somebody fills in. */
function valuesOf(values: Json | undefined): { kept: Record<string, string>; left: string[] } {
  const all = isRecord(values) ? Object.entries(values) : [];
  const isLeft = ([name, value]: readonly [string, Json]) =>
    SECRET.test(name) || String(value).includes('${');
  return {
    kept: Object.fromEntries(all.filter((one) => !isLeft(one)).map(([name, value]) => [name, String(value)])),
    left: all.filter(isLeft).map(([name]) => name),
  };
}

const listOf = (value: Json | undefined): JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
const isEmpty = (record: object): boolean => Object.keys(record).length === 0;

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

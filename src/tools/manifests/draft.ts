/**
 * Drafts of manifests for servers that nobody has described: from annotations, the names of tools and the names of their
 * arguments. A draft is a question to an operator and never in force by itself: where it does not know, it says `delta`
 * on the whole server, as nothing does.
 */
import { isRecord, type JsonRecord, stringOf } from '../../base/json.ts';
import type { Access, Manifest, ManifestFile, Resource } from '../../base/manifest.ts';
import type { Described } from '../../base/ports.ts';
import { fromAnnotations, toolIn } from './sources.ts';

const READS =
  /^(?:get|list|read|search|find|show|describe|query|view|count|check|status|diff|log|inspect|lookup|explain)$/;
const REPLACES = /^(?:write|put|set|overwrite|replace|move|rename|delete|remove|save|upload|copy)$/;
const SENDS = /^(?:send|post|publish|email|mail|notify|tweet|reply|comment|invite|pay|charge|book|order)$/;
const FILE =
  /^(?:file|path|source|destination|target|from|to|dir|directory|folder)?_?(?:path|file|filename|filepath|source|destination)s?$/i;
const ADDRESS = /^(?:url|uri|address|link)s?$/i;

/** `createIssue`, `create-issue` and `issue_create` all have the word `create`. */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/);

/** What HTTP says of a tool is known, and stands in the draft as it is. */
export function draftManifest({ software, tools, manifest }: Described): ManifestFile {
  return {
    about: 'A draft from names and annotations: read each line, then say in mezz.yaml that it holds.',
    software: [software],
    tools: Object.fromEntries(
      tools.map((definition) => {
        const name = stringOf(definition.name);
        return [name, toolIn(manifest, name) ?? draftTool(definition)];
      }),
    ),
  };
}

export function draftTool(definition: JsonRecord): Manifest {
  const access = accessOf(definition);
  const resources = keysOf(definition).map((key): Resource => ({ key, access }));
  const told = fromAnnotations(definition);
  const retry = told?.retry ?? (access === 'read' ? ('pure' as const) : undefined);
  const whole: Resource = { key: 'server:{server}', access: access === 'replace' ? 'delta' : access };
  return { resources: resources.length > 0 ? resources : [whole], ...(retry ? { retry } : {}) };
}

function accessOf(definition: JsonRecord): Access {
  const words = wordsOf(stringOf(definition.name));
  const says = (pattern: RegExp) => words.some((word) => pattern.test(word));
  const { annotations } = definition;
  const hint = isRecord(annotations) ? annotations.readOnlyHint : undefined;
  const writes = says(REPLACES) || says(SENDS);
  if (hint === true || (hint === undefined && says(READS) && !writes)) return 'read';
  if (says(SENDS)) return 'external';
  return says(REPLACES) ? 'replace' : 'delta';
}

/** Required arguments that name a file or an address, alone or in a list. */
function keysOf({ inputSchema }: JsonRecord): string[] {
  if (!isRecord(inputSchema) || !isRecord(inputSchema.properties)) return [];
  const required = Array.isArray(inputSchema.required) ? inputSchema.required : [];
  return Object.entries(inputSchema.properties).flatMap(([name, schema]) => {
    const isText = isRecord(schema) && (schema.type === 'string' || isTexts(schema));
    if (!isText || !required.includes(name)) return [];
    if (FILE.test(name)) return [`file:{${name}}`];
    return ADDRESS.test(name) ? [`url:{${name}}`] : [];
  });
}

const isTexts = ({ type, items }: JsonRecord): boolean =>
  type === 'array' && isRecord(items) && items.type === 'string';

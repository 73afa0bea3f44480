/** A description held against what its server really offers: what is not covered, what is gone, what cannot be filled. */
import { isRecord, type JsonRecord, stringOf } from '../../base/json.ts';
import type { Manifest, ManifestFile } from '../../base/manifest.ts';
import { toolIn } from './sources.ts';
import { argumentsOf } from './template.ts';

/** One line a problem; none: each tool is described, and each argument that a template names exists. */
export function lintManifest(file: ManifestFile, definitions: readonly JsonRecord[]): string[] {
  const offered = new Map(definitions.map((definition) => [stringOf(definition.name), definition]));
  const missing = [...offered.keys()].filter((tool) => !toolIn(file, tool));
  return [
    ...missing.map((tool) => `${tool}: is offered and not described: it may write anything of its server`),
    ...Object.entries(file.tools).flatMap(([tool, manifest]) => {
      const definition = offered.get(tool);
      return definition
        ? lintTool(manifest, definition, offered).map((problem) => `${tool}: ${problem}`)
        : [`${tool}: is described and not offered`];
    }),
  ];
}

function lintTool(
  manifest: Manifest,
  definition: JsonRecord,
  offered: ReadonlyMap<string, JsonRecord>,
): string[] {
  const own = propertiesOf(definition);
  const templates = [
    ...(manifest.resources ?? []).map(({ key }) => key),
    ...(manifest.shell === undefined ? [] : [manifest.shell]),
    ...textsIn(manifest.undo?.input ?? {}),
    ...textsIn(manifest.check?.input ?? {}),
  ];
  const named = [...templates.flatMap(argumentsOf), ...(manifest.dir === undefined ? [] : [manifest.dir])];
  const unknown = [...new Set(named)].filter(
    (name) => !own.has(name) && name !== 'server' && name !== 'result',
  );
  const calls = [manifest.undo, manifest.check].filter((call) => call !== undefined);
  return [
    ...unknown.map((name) => `{${name}} is no argument of it`),
    ...calls.flatMap(({ tool, input }) => {
      const other = offered.get(tool);
      if (!other) return [`${tool} is not offered`];
      const known = propertiesOf(other);
      return Object.keys(input).flatMap((name) =>
        known.has(name) ? [] : [`${name} is no argument of ${tool}`],
      );
    }),
    ...(manifest.retry === 'checkable' && !manifest.check ? ['checkable, and nothing says how to ask'] : []),
  ];
}

function propertiesOf({ inputSchema }: JsonRecord): ReadonlySet<string> {
  const properties = isRecord(inputSchema) ? inputSchema.properties : undefined;
  return new Set(isRecord(properties) ? Object.keys(properties) : []);
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}
